"""Goals in quantities on the command line: words, readouts, and success by the true values."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import tacit as tc
from tacit.cli import main
from tacit.cli._criteria import GoalOptions
from tacit.costs import Region, Target
from tacit.runs import RunRecord

WORLD = ("--env", "two_rooms", "--device", "cpu")
NEAR = ("--goal", "position=[10,30]", "--within", "4")


def run(*words: object) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pretrained agent as a run on new recordings, and as an agent alone with a readout next to it."""
    folder = tmp_path_factory.mktemp("goals")
    episodes = tc.collect("two_rooms", tc.collection.Random(repeat=8), episodes=30, seed=3, to=folder / "data")
    agent = tc.recipes.pretrained("two_rooms")
    with RunRecord("two_rooms", str(folder / "data"), episodes.hash(), seed=0, fraction=0.8).begun(folder / "run"):
        pass
    tc.checkpoint.save(folder / "run" / "checkpoint", agent.model)
    agent.save(folder / "run" / "agent")
    agent.save(folder / "alone")
    readout = tc.probing.fit(agent.model, episodes, "position", progress=False)
    tc.probing.save_readout(readout, folder / "position", agent.model)
    return folder


def test_words_are_values_and_regions(place: Path) -> None:
    agent = tc.Agent.load(place / "alone")

    def cost(word: str, within: float | None = None) -> object:
        found = GoalOptions((word,), within, (place / "position",)).aim(agent, place / "alone").cost
        assert found is not None
        return found

    value, other = cost("position=[30,12]", 4.0), cost("position=30,:", 4.0)
    assert isinstance(value, Target) and isinstance(other, Target)
    assert (value.value, other.value) == ((30.0, 12.0), (30.0, None))
    box, half = cost("position=[20:30, 10:14]"), cost("position=[1e1:,:]")
    assert isinstance(box, Region) and isinstance(half, Region)
    assert (box.low, box.high) == ((20.0, 10.0), (30.0, 14.0))
    assert (half.low, half.high) == ((10.0, None), (None, None))


def test_a_plan_leads_to_a_value_or_a_region(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plan", place / "alone", *WORLD, "--readout", place / "position", "--to", tmp_path / "plan.png")
    assert run(*words, "--goal", "position=[10,30]", "--within", "12") == 0
    text = said(capsys)
    assert re.search(r"position \(.*\) -> \(.*\) along the plan goal reached after \d+ steps", text)
    assert "distance" not in text
    assert (tmp_path / "plan.png").stat().st_size > 1000
    assert run(*words, "--goal", "position=[55:63,:]") == 0
    assert "position (" in said(capsys)


def test_success_is_that_of_the_true_value_next_to_random_actions(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tc.envs.TwoRooms, "rules", replace(tc.envs.TwoRooms.rules, budget=60))
    words = ("eval", place / "alone", *WORLD, "--readout", place / "position", "--episodes", 6, "--to", tmp_path)
    assert run(*words, *NEAR) == 0
    text = said(capsys)
    assert "60.0 steps an episode" in text
    report = json.loads((tmp_path / "report.json").read_text())["episode_scores"]
    assert report["agent"]["success"]["rate"] >= 0.8 > report["random"]["success"]["rate"]
    assert run(*words, "--goal", "position=[0:64,0:64]") == 0
    report = json.loads((tmp_path / "report.json").read_text())["episode_scores"]
    assert report["agent"]["success"]["rate"] == report["random"]["success"]["rate"] == 1


def test_readouts_come_from_the_probe_of_the_run_or_from_its_data(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("plan", place / "run", *WORLD, "--to", tmp_path / "plan.png", *NEAR)
    assert run(*words) == 0
    assert f"fitted on the data of {place / 'run'}. Keep one with: tacit probe" in said(capsys)
    assert run("probe", place / "run", "--target", "position", "--device", "cpu") == 0
    capsys.readouterr()
    assert run(*words) == 0
    assert "fitted on" not in said(capsys)
    saved = tc.probing.load_readout(
        place / "run" / "probe" / "readouts" / "position", tc.runs.open(place / "run").model()
    )
    agent = tc.Agent.load(place / "alone")
    owner = tc.Agent.of(agent.model, replace(agent.config, cost=Target(saved, (1.0, 1.0), "min")))
    owner.save(tmp_path / "owner")
    assert run("plan", tmp_path / "owner", *WORLD, "--to", tmp_path / "plan.png", *NEAR) == 0


@pytest.mark.parametrize(("words", "message"), [
    (("--goal", "position=[10,30]"), "needs --within"),
    (("--goal", "position=[10,30,1]", "--within", "4"), "'position' has 2 components; --goal gives 3"),
    (("--goal", "position=[10:20,30]", "--within", "4"), "holds a value and a range"),
    (("--goal", "position=[20:10,:]"), "needs low < high"),
    (("--goal", "position=[:,:]"), "needs a limit"),
    (("--goal", "position=up", "--within", "4"), "--goal is NAME=VALUE"),
    (("--goal", "position"), "--goal is NAME=VALUE"),
    (("--goal", "position=[10,30]", "--within", "0.01"), "has a held-out error of"),
    (("--goal", "positon=[10,30]", "--within", "4"), "Did you mean 'position'"),
    (("--goal", "pixels=0", *NEAR), "one of the two"),
    ((*NEAR, "--readout", "nowhere"), "not a readable readout"),
])  # fmt: skip
@pytest.mark.parametrize("verb", ["plan", "eval"])
def test_goals_that_do_not_fit_are_refused(
    verb: str, words: tuple[str, ...], message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(verb, place / "run", *WORLD, *words) == 1
    assert message in said(capsys)


def test_an_agent_without_data_needs_a_readout(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", place / "alone", *WORLD, *NEAR) == 1
    assert "no modality of the model (pixels), and there is no readout of it. Fit one with" in said(capsys)
    other = ("--goal", "angle=1", "--within", "1", "--readout", place / "position")
    assert run("plan", place / "alone", *WORLD, *other) == 1
    assert "needs a readout of 'angle'; --readout reads position" in said(capsys)
