"""Runs opened from Python."""

import json

import numpy as np
import pytest

import tacit as tc
from tacit.cli import main
from tacit.errors import CheckpointError, DataError

LIGHT = ("--steps", "2", "--set", "policy_steps=2", "--set", "training.batch_size=4", "--set", "acting.horizon=2")


def run_verb(*words):
    """Run the command line, which must succeed."""
    code: object = 0
    try:
        main(words)
    except SystemExit as ended:
        code = ended.code or 0
    assert code == 0


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_a_run_gives_its_parts(tmp_path):
    tc.collect("point_mass", episodes=10, steps=30, to=tmp_path / "data")
    run_verb("train", str(tmp_path / "data"), "--to", str(tmp_path / "run"), *LIGHT)
    run = tc.runs.open(tmp_path / "run")
    assert len(run.train) == 9 and len(run.held_out) == 1
    assert not run.held_out.shared(run.train)
    assert run.record.recipe == "general" and run.log[-1]["step"] >= 1
    for agent in (run.agent(fallback="noop"), tc.Agent.load(tmp_path / "run", fallback="noop")):
        for one, two in zip(agent.model.parameters(), run.model().parameters(), strict=True):
            np.testing.assert_array_equal(one.detach(), two.detach())
    words = ("--env", "point_mass", "--episodes", "2", "--fallback", "noop")
    for place in ("run", "run/agent"):
        run_verb("eval", str(tmp_path / place), *words, "--to", str(tmp_path / "scores"))
    with pytest.raises(CheckpointError, match="is no run"):
        tc.runs.open(tmp_path)
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises((DataError, FileNotFoundError)):
        tc.runs.open(tmp_path / "run").train  # noqa: B018


def test_a_run_of_an_older_version_is_read(tmp_path):
    options = {"steps": 5, "training": {"lr": 0.1, "tensorboard": False}}
    record = {"recipe": "general", "data": "d", "dataset_hash": "h", "seed": 0, "options": options}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert tc.runs.open(tmp_path).record.options == {"steps": 5, "training": {"lr": 0.1}}
