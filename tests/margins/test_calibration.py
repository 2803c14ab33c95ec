"""Calibration of margins in a world whose prediction errors are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tacit import margins
from tacit.agent import Agent, slack_evidence
from tacit.constraints import Within
from tacit.costs import Goal
from tacit.errors import ConfigError
from tacit.evaluation import trace
from tacit.nn.readout import LinearReadout
from tacit.planners import CEM
from tacit.testing.worlds import LineWorld
from tacit.types import Spec

POSITION = LinearReadout("position", torch.tensor([[1.0], [0.0]]), torch.zeros(1), (0.0,), (1.0,))
WALL = Within(POSITION, high=7.0)


class Slow:
    """World model of the line that predicts steps shorter than they are."""

    def __init__(self, env, share=0.6):
        self.spec: Spec = env.spec
        self.share = share
        self.frameskip, self.history, self.latent_parts = 2, 1, {}
        self.device = torch.device("cpu")

    def encode(self, observation):
        return torch.from_numpy(np.asarray(observation["vector"], np.float32))

    def rollout(self, context, blocks):
        if blocks.ndim == 3:
            return self.rollout(context, blocks[:, None])[:, 0]
        moved = self.share * blocks.sum(dim=-1, keepdim=True).cumsum(dim=2)
        return context.latents[:, None, -1:] + torch.cat([moved, -moved], dim=-1)


def agent_of(constraint=WALL, share=0.6, **options):
    planner = CEM(samples=64, elites=8, iterations=4)
    options = {"horizon": 3, "constraints": [constraint], "repeat_action": True, **options}
    return Agent(Slow(LineWorld(), share), planner, Goal(reduce="sum"), **options)


@pytest.fixture(scope="module")
def calibrated():
    return margins.calibrate(agent_of(), LineWorld(budget=10), rate=0.05, episodes=100, seed=3)


def test_the_nonconformity_of_an_exact_model_is_zero_and_that_of_a_slow_one_what_it_lacks():
    tasks = margins.allowed_tasks(LineWorld(), {"Within(position)": WALL}, 20, seed=1)
    for share in (1.0, 0.6):
        found = trace(agent_of(share=share), LineWorld(budget=10), tasks, 1)
        gaps = margins.nonconformity(found, {"Within(position)": WALL}, steps=2)["Within(position)"]
        decided = ~np.isnan(gaps[0])
        assert decided.tolist() == [True, False] * 5
        moved = np.abs(np.diff(found.labels["position"][:, ::2, 0], axis=1))
        rising = np.diff(found.labels["position"][:, ::2, 0], axis=1) > 0
        expected = np.where(rising, (1 - share) * moved, 0.0)
        np.testing.assert_allclose(gaps[:, decided], expected, atol=1e-5)


def test_realised_slack_is_that_of_the_labels():
    tasks = margins.allowed_tasks(LineWorld(), {"wall": WALL}, 5, seed=1)
    found = trace(agent_of(), LineWorld(budget=4), tasks, 1)
    slack = margins.realised_slacks(found, {"wall": WALL})["wall"]
    np.testing.assert_allclose(slack, 7.0 - found.labels["position"][:, :, 0])
    assert slack_evidence("Within(position)") in found.evidence


def test_allowed_tasks_start_and_end_where_the_constraints_hold():
    tasks = margins.allowed_tasks(LineWorld(), {"wall": WALL}, 200, seed=1)
    assert len(tasks) == 200 and max(tasks.start["x"].max(), tasks.goal["x"].max()) <= 7.0
    with pytest.raises(
        ConfigError, match=r"50 tasks were asked for and 0 found.*start or end where a constraint does not hold"
    ):
        margins.allowed_tasks(LineWorld(), {"wall": Within(POSITION, high=5.0)}, 50, seed=1)


def test_calibrated_margins_hold_on_fresh_episodes(calibrated):
    record = calibrated.agent.calibration
    free = margins.try_margins(agent_of(), LineWorld(budget=10), {"Within(position)": 0.0}, 200, seed=77)
    bound = margins.try_margins(calibrated.agent, LineWorld(budget=10), record.margins, 200, seed=77)
    assert free.violated.rate > 0.1, "without a margin the world moves beyond the wall"
    assert bound.violated.rate <= 0.05
    assert record.rank == 2 and record.episodes == 100 and max(record.violated, record.confirmed) < record.rank
    assert 0.0 < record.margins["Within(position)"] <= 0.8 * 2, "twice the largest error that a block can have"
    assert record.digest == calibrated.agent.digest() and calibrated.agent.config.constraints[0].margin > 0
    assert "rank 2 of n = 100" in str(calibrated) and str(record) in str(calibrated.agent)


def test_margins_are_tested_in_order_until_one_fails(calibrated):
    tested = [test.margins["Within(position)"] for test in calibrated.tests]
    assert tested == sorted(tested, reverse=True)
    assert all(test.broken.sum() < 2 for test in calibrated.tests[:-1])
    chosen = calibrated.agent.calibration.margins["Within(position)"]
    assert chosen in tested[-2:] and (chosen == tested[-1] or calibrated.tests[-1].broken.sum() >= 2)


def test_a_stale_calibration_is_refused(calibrated):
    agent = calibrated.agent
    again = Agent.of(agent.model, agent.config, calibration=agent.calibration)
    assert again.calibration == agent.calibration
    for changed in ({"horizon": 4}, {"cost": 2.0 * Goal()}, {"planner": CEM(samples=65)}, {"constraints": (WALL,)}):
        with pytest.raises(ConfigError, match="the calibration of the margins is stale"):
            Agent.of(agent.model, replace(agent.config, **changed), calibration=agent.calibration)


def test_goals_outside_of_the_calibrated_range_are_reported(calibrated):
    agent, env = calibrated.agent, LineWorld(budget=10)
    goal = env.observe({"x": np.array([[6.5], [5.0]])})
    state = agent.start(seed=1, batch=2, goal=goal)
    _, verdict, _ = agent.act(state, env.begin({"x": np.array([[1.0], [1.0]])}))
    assert verdict.evidence["goal outside of the calibrated range"].tolist() == [0.0, 1.0]
    assert verdict.ok


def test_margins_that_cannot_be_calibrated_are_refused():
    env = LineWorld(budget=10)
    with pytest.raises(ConfigError, match=r"a rate of 0.01 needs at least 299 episodes; got 100"):
        margins.calibrate(agent_of(), env, rate=0.01, episodes=100)
    with pytest.raises(ConfigError, match=r"a rate of 0.01 needs at least 99 episodes; got 50"):
        margins.calibrate(agent_of(), env, rate=0.01, guarantee="mean", episodes=50)
    with pytest.raises(ConfigError, match="guarantee is 'mean' or 'pac'"):
        margins.calibrate(agent_of(), env, rate=0.05, guarantee="max", episodes=100)
    with pytest.raises(ConfigError, match="grid holds decreasing multiples"):
        margins.calibrate(agent_of(), env, rate=0.05, episodes=100, grid=(1.0, 2.0))
    with pytest.raises(ConfigError, match="no constraint with a margin"):
        margins.calibrate(agent_of(lambda rollout: rollout.latents[..., 0] - 7), env, rate=0.05, episodes=100)
    other = Within(replace(POSITION, target="height"), high=7.0)
    with pytest.raises(ConfigError, match="'height', of which the environment has no true value; it has position"):
        margins.calibrate(agent_of(other), env, rate=0.05, episodes=100)
    with pytest.raises(ConfigError, match="no margin of the grid passes"):
        margins.calibrate(agent_of(), env, rate=0.05, episodes=60, grid=(0.01,), seed=3)


def test_a_margin_below_the_error_of_its_readout_is_refused():
    rough = replace(POSITION, error=(0.5,))
    with pytest.raises(ConfigError, match=r"margin 0.25, and its readout a held-out error of 0.5"):
        Within(rough, high=7.0, margin=0.25)
    assert Within(rough, high=7.0).with_margin(0.1).margin == 0.5
