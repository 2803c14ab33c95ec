"""Runs trained from Python are those of the command line."""

import pytest

import tacit as tc
from tacit._config import to_json
from tacit.errors import ConfigError, DataError

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
    assert opened.record.reasons["model.predictor"] and opened.record.reasons == prepared.record.reasons
    with pytest.raises(ConfigError, match="Did you mean 'steps'"):
        tc.recipes.prepare_run(tmp_path / "data", options={"stepps": 1})


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_the_recipe_of_a_run_is_used_for_other_recordings(tmp_path):
    tc.collect("point_mass", episodes=6, steps=12, to=tmp_path / "first")
    tc.collect("point_mass", episodes=6, steps=40, seed=1, to=tmp_path / "second")
    run = tc.recipes.prepare_run(tmp_path / "first", options=SMALL, seed=3).train(tmp_path / "run")
    again = tc.recipes.prepare_run(tmp_path / "second", str(tmp_path / "run"), {"steps": 2})
    assert again.record.recipe == "general" and again.recipe.steps == 2
    assert again.record.options == {**run.record.options, "steps": 2} and not again.record.reasons
    chosen = tc.recipes.prepare_run(tmp_path / "second", options=SMALL)
    assert chosen.recipe.acting.horizon != again.recipe.acting.horizon


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_a_critic_is_trained_where_the_cost_uses_one(tmp_path):
    tc.collect("point_mass", episodes=6, steps=12, to=tmp_path / "data")
    cost = [{"name": "temporal_distance", "options": {"near": 2}, "weight": 2.0}, {"name": "effort"}]
    options = {**SMALL, "acting.cost": cost, "critic.steps": 3, "critic.method": "pair", "critic.training.goals": 4}
    prepared = tc.recipes.prepare_run(tmp_path / "data", options=options, seed=3)
    prepared.train(tmp_path / "run")
    first, second = tc.runs.open(tmp_path / "run").agent().config.cost.terms()
    assert (first.weight, first.cost.near, first.cost.critic.config.method) == (2.0, 2, "pair")
    assert first.cost.critic.distance_at(2) > 0 and second.weight == 1.0
    again = prepared.recipe.train_critics(prepared.model, prepared.fit_on, seed=3)["temporal_distance"]
    assert again.distance_at(2) == first.cost.critic.distance_at(2)
    with pytest.raises(ConfigError, match="needs a critic"):
        prepared.recipe.build_agent(prepared.model)
    plain = tc.recipes.General()
    assert not plain.train_critics(prepared.model, prepared.fit_on, seed=3) and "critic" not in to_json(plain)


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_an_agent_plans_by_reward_where_its_cost_says_so(tmp_path):
    """A recipe needs no goal then, and so trains no policy."""
    tc.collect("gymnasium:Pendulum-v1", episodes=6, steps=12, to=tmp_path / "data")
    cost = [{"name": "expected_return"}, {"name": "effort", "weight": 0.1}]
    options = {**SMALL, "acting.cost": cost, "returns.steps": 3, "returns.discount": 0.5, "policy_steps": 3}
    prepared = tc.recipes.prepare_run(tmp_path / "data", options=options, seed=3)
    prepared.train(tmp_path / "run")
    agent = tc.runs.open(tmp_path / "run").agent()
    critic = agent.config.cost.terms()[0].cost.critic
    assert critic.config.discount == 0.5 and critic.rewards[0] < 0 and agent.proposal is None
    assert len(tc.collect("gymnasium:Pendulum-v1", agent, episodes=1, steps=3)[0].reward) == 4
    tc.collect("point_mass", episodes=6, steps=12, to=tmp_path / "without")
    prepared = tc.recipes.prepare_run(tmp_path / "without", options=options, seed=3)
    with pytest.raises(DataError, match=r"no label 'next\.reward'"):
        prepared.train(tmp_path / "refused")


def test_a_critic_that_cannot_be_trained_is_refused_before_the_world_model(tmp_path):
    tc.collect("point_mass", episodes=6, steps=12, to=tmp_path / "data")
    for option, message in (({"critic.steps": 0}, "at least 1 step"), ({"critic.training.tau": 2}, "tau is between")):
        with pytest.raises(ConfigError, match=message):
            tc.recipes.prepare_run(tmp_path / "data", options={**SMALL, **option})
