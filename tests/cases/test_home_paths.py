"""A path that begins with ~ is in the home directory, in every function that takes a path and on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from tacit.cli import main, with_home

SPEC = tc.Spec({"state": tc.Modality("vector", (3,))}, tc.Box((-1.0,), (1.0,)))


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def recorded() -> tc.data.Episodes:
    rng = np.random.default_rng(0)
    return tc.data.from_episodes(
        [
            tc.Episode(
                {"state": rng.normal(size=(20, 3)).astype(np.float32)},
                rng.uniform(-1, 1, (19, 1)).astype(np.float32),
            )
            for _ in range(4)
        ],
        SPEC,
    )


def test_datasets_are_in_the_home_directory(home: Path) -> None:
    episodes = recorded()
    tc.data.save(episodes, "~/data/robot")
    with tc.data.Writer("~/data/written", SPEC) as writer:
        writer.add(episodes[0])
    tc.data.convert("~/data/robot", "~/data/robot.h5", "hdf5")
    for name in ("robot", "robot.h5"):
        assert tc.data.open(f"~/data/{name}").hash() == tc.data.open(home / "data" / name).hash() == episodes.hash()
        assert tc.data.info(f"~/data/{name}").episodes == 4
        assert list(tc.data.check(f"~/data/{name}")) == list(tc.data.check(home / "data" / name))
    assert len(tc.data.open(home / "data" / "written")) == 1
    first = tc.collect("point_mass", episodes=2, steps=4, to="~/data/mass")
    more = tc.collect("point_mass", episodes=3, steps=4, to="~/data/mass")
    assert len(first) == 2 and len(more) == len(tc.data.open(home / "data" / "mass")) == 3
    assert not list(Path.cwd().iterdir())


def test_runs_and_agents_are_in_the_home_directory(home: Path) -> None:
    episodes = recorded()
    model = tc.models.WorldModel.for_spec(SPEC, latent=4)
    objective = tc.objectives.Prediction() + tc.objectives.VICReg(over="pooled")
    report = tc.train(model, objective, episodes.clips(3), steps=1, seed=0, to="~/runs/a", batch_size=4)
    assert report.path == home / "runs" / "a"
    assert tc.training.read_log("~/runs/a") == tc.training.read_log(home / "runs" / "a")
    tc.checkpoint.save("~/runs/copy", model)
    loaded = tc.checkpoint.load_model("~/runs/copy")
    assert loaded.config == tc.checkpoint.load_model(home / "runs" / "copy").config
    tc.checkpoint.start_from(tc.models.WorldModel.for_spec(SPEC, latent=4), "~/runs/copy")
    agent = tc.Agent(loaded, tc.planners.CEM(samples=8, elites=2, iterations=1), tc.costs.Goal(), horizon=2)
    agent.save("~/agents/a")
    agents = tc.Agent.load("~/agents/a"), tc.Agent.load(home / "agents" / "a")
    assert [agent.config.horizon for agent in agents] == [2, 2]
    tc.embeddings.embed(loaded, episodes, "~/latents")
    assert tc.embeddings.open_embedding("~/latents").path == home / "latents"
    record = tc.reports.new_record("eval", seeds={"train": 0}, config={})
    tc.reports.write_report("~/report", record, [], title="None")
    assert (home / "report").is_dir()
    assert not list(Path.cwd().iterdir())


def test_the_command_line_expands_what_a_shell_does_not(home: Path) -> None:
    assert with_home("~/a") == str(home / "a") and with_home("--to=~/a") == f"--to={home}/a"
    assert with_home("encoder=~/runs/a") == f"encoder={home}/runs/a"
    assert [with_home(word) for word in ("a~b", "x=a~", "two_rooms:size=32")] == ["a~b", "x=a~", "two_rooms:size=32"]
    for words in (
        ["collect", "point_mass", "--episodes", "2", "--steps", "4", "--to=~/data/mass"],
        ["data", "info", "~/data/mass"],
    ):
        main(words)
    assert json.loads((home / "data" / ".mass.collection.json").read_text())["env"] == "point_mass"
    assert not list(Path.cwd().iterdir())


def test_an_unknown_home_directory_is_refused(home: Path) -> None:
    with pytest.raises(tc.errors.ConfigError, match="home directory in '~nobody-here/data' is unknown"):
        tc.data.open("~nobody-here/data")
