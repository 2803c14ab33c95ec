"""The command line: exit codes, suggestions, help with an example, and the verbs that need no training."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tacit as tc
from tacit.cli import commands, main, verbs
from tacit.cli._run import device, options, other_world
from tacit.errors import CheckpointError, ConfigError
from tacit.runs import RunRecord
from tacit.training.processes import run_lock


def run(*words: str) -> int:
    try:
        main(words)
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def test_the_overview_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    for verb in ("collect", "data", "train", "probe", "plan", "eval", "replay", "demo", "doctor"):
        assert f"\n  {verb} " in out


TRAIN = ("train", "nowhere", "--recipe", "two_rooms", "--to", "x")


@pytest.mark.parametrize(("words", "code", "message"), [
    (("trian",), 2, "Did you mean 'train'?"),
    (("collect", "two_rooms", "--episoodes", "3", "--to", "x"), 2, "--episodes"),
    (("collect", "two_room", "--to", "x"), 1, "Did you mean 'two_rooms'?"),
    (("train", "nowhere", "--recipe", "two_room", "--to", "x"), 1, "Did you mean 'two_rooms'?"),
    (("train", "nowhere", "--to", "x"), 1, "nowhere"),
    ((*TRAIN, "--set", "training.lrr=1"), 1, "Did you mean 'lr'?"),
    ((*TRAIN, "--set", "training.lrr=1", "--set", "steps=2"), 1, "Did you mean 'lr'?"),
    (("train", "nowhere", "--set", "lr", "--to", "x"), 1, "NAME=VALUE"),
    ((*TRAIN, "--steps", "0"), 1, "steps >= 1"),
    ((*TRAIN, "--set", "training.keep=[9]", "--steps", "3"), 1, "keep names step 9"),
    (("collect", "two_rooms", "--episodes", "1", "--to", "/proc/nowhere/x"), 1, "/proc"),
    (("collect", "gymnasium:Pendulm-v1", "--to", "x"), 1, "Pendulum"),
    (("probe", "nowhere"), 1, "run.json"),
    (("eval", "nowhere", "--env", "two_rooms"), 1, "nowhere"),
    (("replay", "nowhere"), 1, "expected the folder of an audit log"),
    (("data", "info", "nowhere"), 1, "nowhere"),
    (("data", "chek", "nowhere"), 2, "Did you mean 'check'? There are: info, check"),
    (("demo", "--pretrained", "--seed", "3", "--out", "x"), 1, "leave out one of the two"),
    (("demo", "--pretrained", "--out", "/dev/null"), 1, "--out is a folder to write into; /dev/null is a file"),
])  # fmt: skip
def test_wrong_words_are_reported_and_leave_no_files(
    words: tuple[str, ...], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(*words) == code
    captured = capsys.readouterr()
    assert message in " ".join((captured.err + captured.out).split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", verbs())
def test_help_has_an_example(verb: str) -> None:
    for function in commands(verb).values():
        assert f"For example: tacit {verb}" in (function.__doc__ or "")


def test_help_of_a_verb_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("collect", "--help") == 0
    out = capsys.readouterr().out
    assert "--episodes" in out
    assert "For example: tacit collect" in out


def test_a_dataset_is_collected_inspected_checked_and_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, other = tmp_path / "rooms", tmp_path / "rooms.h5"
    assert run("collect", "two_rooms:size=16", "--episodes", "3", "--steps", "4", "--to", str(data)) == 0
    assert run("data", "info", str(data)) == 0
    assert run("data", "check", str(data)) == 0
    assert run("data", "convert", str(data), str(other), "--format", "hdf5") == 0
    assert "nothing wrong" in capsys.readouterr().out
    assert tc.data.open(other).hash() == tc.data.open(data).hash()
    next(data.glob("data/*/*.parquet")).write_bytes(b"damage")
    assert run("data", "check", str(data)) == 1


def test_options_are_json_or_text() -> None:
    assert options(("a.b=1e-3", "c=text", 'd={"e": [1]}')) == {"a.b": 1e-3, "c": "text", "d": {"e": [1]}}


def test_a_device_that_is_not_there_is_refused() -> None:
    assert device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="cannot use the device"):
        device("cuda:77")


def test_a_run_is_written_whole_and_read_back(tmp_path: Path) -> None:
    run = RunRecord("two_rooms", "data/rooms", "abc", seed=3, options={"training.lr": 0.1})
    with RunRecord("two_rooms", "data/rooms", "abc", seed=2).begun(tmp_path / "run"):  # was refused before it trained
        pass
    with run.begun(tmp_path / "run"):
        pass
    (tmp_path / "run" / "checkpoint").mkdir()
    with run.begun(tmp_path / "run"):
        pass
    assert RunRecord.load(tmp_path / "run") == run
    other = RunRecord("two_rooms", "data/rooms", "abc", seed=4)
    with pytest.raises(CheckpointError, match="holds another run"), other.begun(tmp_path / "run"):
        pass
    assert RunRecord.load(tmp_path / "run") == run
    moved = RunRecord(
        "two_rooms", "elsewhere/rooms", "abc", seed=3, options={"training.lr": 0.1}
    )  # the same recordings
    with moved.begun(tmp_path / "run"):
        pass
    assert RunRecord.load(tmp_path / "run") == moved
    with pytest.raises(CheckpointError, match=r"no run\.json"):
        RunRecord.load(tmp_path)


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_a_complete_run_continues_for_more_steps(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("train", str(rooms), "--to", str(tmp_path / "run"), *LIGHT[2:])
    assert run(*words, "--steps", "2") == 0
    assert run(*words, "--steps", "3", "--set", "training.log_every=1", "--set", "training.threads=1") == 0
    assert tc.checkpoint.load(tmp_path / "run").parts["training"].config["step"] == 3
    assert RunRecord.load(tmp_path / "run").options["steps"] == 3
    assert run(*words, "--steps", "2") == 1
    assert "its steps is 3, not 2" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b'{"recipe": "two', b"[1]", b'{"recipe": 3}', b"\xff\xfe"])
def test_a_damaged_run_is_named(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_bytes(content)
    for verb in ("probe", "eval"):
        words = () if verb == "probe" else ("--env", "two_rooms")
        assert run(verb, str(tmp_path), *words) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert f"{tmp_path / 'run.json'} cannot be read" in said and "restore it" in said


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rooms") / "data"
    tc.collect("two_rooms", episodes=4, steps=25, to=place)
    return place


LIGHT = ("--steps", "1", "--set", "policy_steps=0", "--set", "training.batch_size=2", "--device", "cpu")


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize(("typo", "message"), [
    (("--device", "cuda:77"), "cannot use the device"),
    (("--set", "model.latnt=8"), "latent"),
    (("--set", "acting.planner.name=cme"), "Did you mean 'cem'"),
    (("--set", "acting.cost=[]"), "at least one term"),
    (("--set", "acting.replan_every=99"), "replan_every <= horizon"),
    (("--start", "nowhere"), "nowhere"),
    (("--set", "training.batch_size=0"), "batch_size"),
    (("--set", "clip=99"), ""),
])  # fmt: skip
def test_a_refused_training_keeps_no_place(
    typo: tuple[str, ...], message: str, rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("train", str(rooms), "--to", str(tmp_path / "run"), *LIGHT)
    assert run(*words, *typo) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()
    assert run(*words) == 0
    assert run(*words, "--seed", "1") == 1
    assert "holds another run: its seed is 0, not 1." in capsys.readouterr().err
    assert run(*words, "--set", "model.latent=7") == 1
    assert "its model.latent is 16, not 7" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_a_run_that_trains_is_left_alone(rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("train", str(rooms), "--to", str(tmp_path), *LIGHT)
    assert run(*words) == 0
    place = tmp_path / "checkpoint"
    saved = tc.checkpoint.load(place).parts["training"]
    tc.checkpoint.save(  # a run that has not made its first update could be replaced
        place,
        tc.checkpoint.load_model(place),
        {"training": tc.checkpoint.Part({**saved.config, "step": 0}, saved.tensors)},
    )
    with run_lock(tmp_path):
        assert run(*words, "--seed", "1") == 1
    assert "another process is training in" in capsys.readouterr().err
    assert place.exists() and RunRecord.load(tmp_path).seed == 0


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_a_run_that_failed_before_its_first_update_is_replaced(rooms: Path, tmp_path: Path) -> None:
    words = ("train", str(rooms), "--recipe", "ijepa", "--steps", "1", "--to", str(tmp_path / "run"))
    light = ("--set", "size=nano", "--set", "training.batch_size=2")
    assert run(*words, *light, "--set", "masking.options.min_keep=1000") == 1
    assert (tmp_path / "run" / "checkpoint").exists()
    assert run(*words, *light) == 0


def test_a_run_is_not_written_among_other_things(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(rooms.rglob("*"))
    (tmp_path / "empty").mkdir()
    assert run("train", str(rooms), "--to", str(rooms), *LIGHT) == 1
    assert "is no run, and it is not empty" in capsys.readouterr().err
    assert sorted(rooms.rglob("*")) == before
    assert run("train", str(rooms), "--to", str(tmp_path / "empty"), *LIGHT) == 0


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_a_run_without_an_agent_raises_with_advice(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "eye"
    words = ("--steps", "1", "--set", "size=nano", "--set", "training.batch_size=2", "--device", "cpu")
    assert run("train", str(rooms), "--recipe", "ijepa", "--to", str(to), *words) == 0
    for verb in ("plan", "eval"):
        assert run(verb, str(to), "--env", "two_rooms") == 1
        assert f"--set encoder={to}" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="PerceptionModel"):
        tc.checkpoint.load_model(to)
    assert run("train", str(rooms), "--to", str(tmp_path / "world"), *LIGHT) == 0
    shutil.rmtree(tmp_path / "world" / "agent")
    assert run("plan", str(tmp_path / "world"), "--env", "two_rooms") == 1
    assert "Repeat its command to continue" in capsys.readouterr().err


@pytest.mark.filterwarnings("default:skipped")
def test_every_option_of_a_reader_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, data = tmp_path / "photos", tmp_path / "data"
    photos.mkdir()
    for size in ((9, 9), (12, 10)):
        Image.new("RGB", size).save(photos / f"{size[0]}.png")
    (photos / "x.png").write_text("no image")
    words = ("data", "convert", str(photos), str(data))
    assert run(*words, "--set", "size=8", "--set", "on_error=skip") == 0
    captured = capsys.readouterr().err
    assert "tacit data: warning: skipped 1 of 3 images" in captured and "UserWarning" not in captured
    assert tc.data.open(data).spec.modalities["pixels"].shape == (3, 8, 8)
    assert run(*words, "--set", "size=(8,8)") == 1
    assert "written as JSON, for example size=[48,64]" in capsys.readouterr().err
    assert run("train", str(photos), "--recipe", "ijepa", "--to", str(tmp_path / "run"), "--set", "size=nano") == 1
    assert "tacit data convert SOURCE DATASET --set on_error=skip" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize("recipe", ["ijepa", "mae"])
def test_a_folder_of_signals_needs_no_options(recipe: str, tmp_path: Path) -> None:
    rng, data, to = np.random.default_rng(0), tmp_path / "ecg", tmp_path / "run"
    data.mkdir()
    for number in range(4):
        rows = np.column_stack([np.arange(500) / 100, rng.normal(size=(500, 2)).cumsum(0)])
        np.savetxt(data / f"{number}.csv", rows, delimiter=",", header="time,i,ii", comments="", fmt="%.5f")
    small = ("--set", "size=nano", "--set", "training.batch_size=2", "--device", "cpu")
    assert run("train", str(data), "--recipe", recipe, "--steps", "1", "--to", str(to), *small) == 0
    model = tc.checkpoint.load_model(to, kind=tc.models.MaskedModel)
    assert model.config.extent == (400,)  # four seconds
    assert model.grid == (50,)


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_a_planner_that_cannot_choose_is_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, to = tmp_path / "data", tmp_path / "run"
    assert run("collect", "gymnasium:CartPole-v1", "--episodes", "4", "--to", str(data)) == 0
    words = ("train", str(data), "--to", str(to), *LIGHT, "--recipe", "two_rooms")
    words += ("--set", "model.frameskip=1", "--set", "clip=5")
    assert run(*words) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "searches a Box" in said and """--set 'acting.planner={"name": "cem"}'""" in said
    assert not to.exists()
    assert run(*words, "--set", 'acting.planner={"name": "cem"}') == 0
    with pytest.raises(tc.errors.ConfigError, match=r"Discrete\(2\) names no choice that does nothing"):
        tc.Agent.load(to / "agent").start(seed=0)
    agent = tc.Agent.load(to / "agent", fallback="last_action")
    shown = {"state": np.zeros((1, 4), np.float32)}
    action, verdict, _ = agent.act(agent.start(seed=0, goal=shown), shown)
    assert verdict.ok and action.sum() == 1


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_another_world_of_the_same_shapes_is_a_warning(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "run"
    assert run("train", str(rooms), "--to", str(to), *LIGHT) == 0
    search = tc.planners.RandomShooting(samples=8)
    agent = tc.Agent.load(to / "agent")
    monkeypatch.setattr(
        tc.Agent,
        "load",
        lambda *_, **__: tc.Agent(agent.model, search, agent.config.cost, horizon=1, repeat_action=True),
    )
    monkeypatch.setattr(tc.envs, "make_goal", lambda *_: tc.envs.TwoRooms())
    for env, told in (("reacher", True), ("two_rooms", False), ("two_rooms:layout=random", False)):
        assert run("plan", str(to), "--env", env, "--device", "cpu") == 0
        error = capsys.readouterr().err
        assert ("trained on recordings of two_rooms, and reacher is another world" in error) is told
        assert bool(other_world(to, env)) is told


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "tacit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"tacit {tc.__version__}\n"


def test_a_reader_that_stops_early_is_no_error(rooms: Path) -> None:
    words = [sys.executable, "-u", "-m", "tacit", "data", "info", str(rooms)]
    command = " ".join(map(shlex.quote, words)) + " | head -n 1; exit ${PIPESTATUS[0]}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_an_agent_without_a_noop_repeats_its_last_action_in_a_simulator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Undeclared(tc.envs.TwoRooms):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type]
            self.spec = replace(self.spec, action=tc.Box((-1.0, -1.0), (1.0, 1.0)))

    data, to = tmp_path / "data", tmp_path / "run"
    tc.collect(Undeclared, episodes=4, steps=30, to=data)
    small = (*LIGHT, "--set", 'acting.planner={"name": "random_shooting", "options": {"samples": 8}}')
    assert run("train", str(data), "--to", str(to), *small) == 0
    monkeypatch.setattr(tc.envs, "make_goal", lambda *_: Undeclared())
    monkeypatch.setattr(tc.envs, "make", lambda *_: Undeclared())
    monkeypatch.setattr(tc.envs.TwoRooms, "rules", replace(tc.envs.TwoRooms.rules, budget=5))
    for verb in ("plan", "eval"):
        words = (verb, str(to), "--env", "two_rooms", "--device", "cpu")
        words = (*words, *(("--episodes", "2") if verb == "eval" else ()))
        assert run(*words) == 0
        assert "the last action is repeated" in " ".join(capsys.readouterr().err.split())
        assert run(*words, "--fallback", "noop") == 0
        assert "the last action is repeated" not in " ".join(capsys.readouterr().err.split())
    assert run("train", str(data), "--to", str(tmp_path / "other"), *small, "--set", "acting.fallback=last_action") == 0
    assert tc.Agent.load(tmp_path / "other/agent").fallback == "last_action"


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_whole_episodes_of_a_gymnasium_environment_are_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, to = tmp_path / "data", tmp_path / "run"
    assert run("collect", "gymnasium:CartPole-v1", "--episodes", "6", "--to", str(data)) == 0
    assert run("train", str(data), "--to", str(to), *LIGHT, "--set", "acting.fallback=last_action") == 0
    assert "recipe general, chosen from the data" in capsys.readouterr().out
    words = ("eval", str(to), "--env", "gymnasium:CartPole-v1", "--episodes", "3", "--steps", "12")
    assert run(*words) == 1
    assert "--goal MODALITY=VALUE" in capsys.readouterr().err
    assert run(*words, "--goal", "state=[0,0,0,0]") == 0
    out = capsys.readouterr().out
    assert re.search(r"random +return 1?\d.*3 episodes", out) and re.search(r"agent +return 1?\d.*3 episodes", out)
    report = json.loads((to / "eval" / "report.json").read_text())
    assert report["episode_scores"]["agent"]["return"]["mean"] == report["episode_scores"]["agent"]["mean_length"]
    assert report["episode_scores"]["agent"]["success"] is None
    near = ("--goal", "state=[0,0,0,0]", "--success", "goal", "--within", "100")
    assert run(*words, *near) == 0
    assert "solved 100.0 %" in capsys.readouterr().out
    for bad, message in (
        (("--success", "goal"), "needs --goal and --within"),
        (("--success", "nothing"), "module:function"),
        (("--success", "no_such_module:f"), "ModuleNotFoundError"),
        (("--goal", "state=up"), "MODALITY=NUMBERS"),
        (("--goal", "state=[0,0]"), "of shape [4]"),
        (("--goal", "state=[0,0,0,0]", "--success", "info"), "is_success"),
    ):
        assert run(*words, *bad) == 1
        assert message in " ".join(capsys.readouterr().err.split())


def test_an_interrupt_is_no_traceback() -> None:
    code = "import tacit.cli as c; c.run = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt); c.main(['doctor'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert (done.returncode, done.stderr) == (130, "tacit doctor: interrupted.\n")
