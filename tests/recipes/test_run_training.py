"""Runs trained from Python are those of the command line."""

import pytest

import tacit as tc
from tacit.errors import ConfigError

SMALL = {"steps": 1, "policy_steps": 0, "training.batch_size": 2, "acting.fallback": "last_action"}


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_a_run_is_prepared_trained_and_opened(tmp_path):
    tc.collect("point_mass", episodes=6, steps=12, to=tmp_path / "data")
    prepared = tc.recipes.prepare_run(tmp_path / "data", options=SMALL, seed=3)
    assert prepared.record.recipe == "general" and len(prepared.fit_on) + len(prepared.held_out) == 6
    run = prepared.train(tmp_path / "run")
    opened = tc.runs.open(tmp_path / "run")
    assert opened.record == run.record and opened.record.seed == 3
    assert opened.held_out.hash() == prepared.held_out.hash()
    assert opened.agent().config.horizon == prepared.recipe.acting.horizon
    with pytest.raises(ConfigError, match="Did you mean 'steps'"):
        tc.recipes.prepare_run(tmp_path / "data", options={"stepps": 1})
