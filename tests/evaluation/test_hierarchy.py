"""Diagnosis of plans for far goals, in a world whose dynamics and answers are known."""

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.agent import MacroSearch
from tacit.errors import ConfigError
from tacit.evaluation.hierarchy import OracleSubGoals, diagnose
from tacit.models.macro_model import MacroModel, MacroModelConfig
from tacit.reports import hierarchy_sections, new_record, plain, write_report
from tacit.types import Context

SKIP = 2


class TrueMass:
    """The true dynamics of the point mass as a world model, with an optional drift of every prediction."""

    frameskip, history, device = SKIP, 1, torch.device("cpu")
    latent_parts = {}  # noqa: RUF012

    def __init__(self, drift=0.0):
        self.env, self.drift = tc.envs.PointMass(), drift
        self.spec = self.env.spec

    def encode(self, observation):
        return torch.from_numpy(np.asarray(observation["state"], np.float32))

    def rollout(self, context: Context, blocks):
        if blocks.ndim == 3:
            return self.rollout(context, blocks[:, None])[:, 0]
        batch, count, horizon, _ = blocks.shape
        now = context.latents[:, -1].repeat_interleave(count, dim=0).double().numpy()
        raw = blocks.reshape(batch * count, horizon * SKIP, 2).numpy()
        after = self.env.simulate({"position": now[:, :2], "velocity": now[:, 2:]}, raw)
        ends = np.concatenate([after["position"], after["velocity"]], axis=-1)[:, SKIP - 1 :: SKIP]
        found = torch.from_numpy(ends.astype(np.float32)).reshape(batch, count, horizon, 4)
        return found + self.drift * torch.arange(1, horizon + 1)[:, None]


class Moving(MacroModel):
    """Macro-actions that move the position by themselves."""

    def __init__(self, size):
        super().__init__(MacroModelConfig(4, 4, stride=4, size=2, bank=64))
        angle = torch.linspace(0, 2 * torch.pi, 65)[:64]
        self.bank.copy_(size * torch.stack([angle.cos(), angle.sin()], dim=1))
        self.known.fill_(64)
        self.box.copy_(torch.tensor([[-size] * 2, [size] * 2]))

    def rollout(self, start, macros):
        position = start[..., None, :2] + macros.cumsum(dim=-2)
        return torch.cat([position, torch.zeros_like(position)], dim=-1)


def agent_of(drift=0.0, macros=None):
    search = None if macros is None else MacroSearch(macros, tc.costs.Goal(reduce="sum"), horizon=3, iterations=2)
    planner = tc.planners.CEM(samples=64, iterations=4, elites=8)
    return tc.Agent(TrueMass(drift), planner, tc.costs.Goal(reduce="sum"), horizon=6, sub_goals=search)


def test_with_true_dynamics_nothing_fails():
    found = diagnose(agent_of(macros=Moving(0.15)), tc.envs.PointMass(), 12, seed=1, progress=False)
    assert found.agent.rate == found.oracle.rate == found.flat.rate == 1 and found.stride == 4
    assert found.plan.fails_at is None and max(one.mean for one in found.plan.error) < 1e-9
    for planned, real in zip(found.plan.planned, found.plan.real, strict=True):
        assert planned.mean == pytest.approx(real.mean, rel=1e-3)
    assert found.plan.real[-1].mean < found.plan.real[0].mean
    assert found.manifold.chosen < 0.3 and "holds for 6 blocks" in str(found)


def test_sub_goals_out_of_reach_are_found():
    near, far = (
        diagnose(agent_of(macros=Moving(size)), tc.envs.PointMass(), 12, seed=1, progress=False) for size in (0.15, 5.0)
    )
    assert far.reached.rate < 0.2 < near.reached.rate
    assert far.agent.rate < 0.5 < far.oracle.rate  # its sub-goals are the bottleneck


def test_a_wrong_model_fails_where_its_error_passes_a_block():
    found = diagnose(agent_of(drift=0.05), tc.envs.PointMass(), 8, seed=1, stride=2, progress=False)
    errors = [one.mean for one in found.plan.error]
    np.testing.assert_allclose(errors, [(0.05 * block) ** 2 for block in range(1, 7)], rtol=1e-3)
    assert found.plan.fails_at == next(block for block, error in enumerate(errors, 1) if error > found.plan.usual)
    assert found.manifold is found.reached is found.flat is None and found.stride == 2


class Alone(tc.envs.PointMass):
    """An environment that shows no way."""

    expert = None


def test_an_environment_needs_an_expert():
    with pytest.raises(ConfigError, match="diagnose needs an environment with goals and an expert"):
        diagnose(agent_of(), Alone(), 2)
    with pytest.raises(ConfigError, match="stride"):
        diagnose(agent_of(), tc.envs.PointMass(), 2, stride=0)


def test_the_report_has_all_of_it(tmp_path):
    found = diagnose(agent_of(macros=Moving(0.15)), tc.envs.PointMass(), 4, seed=1, progress=False)
    record = new_record("diagnosis", seeds={"tasks": 1}, config={}, hierarchy=plain(found))
    page = write_report(tmp_path, record, hierarchy_sections(found), title="Diagnosis").read_text()
    for title in ("Sub-goals", "Reachability", "Macro-actions", "Where a long plan fails"):
        assert f"<h2>{title}</h2>" in page


def test_an_oracle_sub_goal_is_the_state_of_the_expert_some_blocks_ahead():
    env, agent = tc.envs.PointMass(), agent_of()
    tasks = env.tasks(3, seed=2)
    oracle = OracleSubGoals(agent, env, stride=3)
    _, _, (state, _) = oracle.act(oracle.start(seed=0, batch=3, goal=tasks.goal), tasks.start)
    env.begin(tasks.start)
    for _ in range(3 * SKIP):
        env.step(env.expert(env.state(), tasks.goal))
    np.testing.assert_allclose(state.goal.numpy(), env.observe(env.state())["state"], atol=1e-6)
