"""Goal environments without ``simulate`` or ``expert``, and wrappers that delegate to one."""

from typing import Any

import numpy as np
import pytest
import torch

import tacit as tc
from tacit._check import has_expert, has_goals, has_simulation
from tacit.agent import Agent
from tacit.cli.eval import _goals
from tacit.costs import Goal
from tacit.envs import PointMass
from tacit.errors import ConfigError
from tacit.evaluation import (
    ExpertActor,
    TrueDynamicsActor,
    closed_loop,
    compare_with_baselines,
    decide,
    energy_rank_correlation,
)
from tacit.planners import CEM
from tacit.reports import figures, planning_record, planning_section
from tacit.testing.environments import check_environment
from tacit.types import Context


class Delegate:
    """Forwards everything to an inner environment, and lists nothing of it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Bare(Delegate):
    """A goal environment without ``simulate`` and ``expert``."""

    def __getattr__(self, name: str) -> Any:
        if name in ("simulate", "expert"):
            raise AttributeError(name)
        return super().__getattr__(name)


class Walk(torch.nn.Module):
    """``position' = position + action / 10``: about what a point mass does."""

    def __init__(self, spec: Any) -> None:
        super().__init__()
        self.config: Any = type("Config", (), {"spec": spec, "frameskip": 1, "history": 1, "inputs": ("state",)})()
        self.spec, self.frameskip, self.history, self.latent_parts = spec, 1, 1, {}
        self.device = torch.device("cpu")

    def encode(self, observation: Any) -> torch.Tensor:
        return torch.from_numpy(np.asarray(observation["state"], np.float32)[:, :2])

    def rollout(self, context: Context, actions: torch.Tensor) -> torch.Tensor:
        latents = context.latents
        if actions.ndim == 3:
            return self.rollout(context, actions[:, None])[:, 0]
        return latents[:, None, -1:] + actions.cumsum(dim=2) / 10


def agent(env: Any) -> Agent:
    return Agent(Walk(env.spec), CEM(samples=16, iterations=2, elites=4), Goal(), horizon=3)  # type: ignore[arg-type]


def test_a_wrapper_that_delegates_is_a_goal_environment() -> None:
    env: Any = Delegate(PointMass(3))
    assert "tasks" not in dir(env)
    assert has_goals(env) and has_simulation(env) and has_expert(env)
    check_environment(env)
    assert closed_loop(ExpertActor(env), env, episodes=3).success.n == 3


def test_simulate_and_expert_are_optional() -> None:
    env: Any = Bare(PointMass(3))
    assert has_goals(env) and not has_simulation(env) and not has_expert(env)
    check_environment(env)
    with pytest.raises(ConfigError, match=r"TrueDynamicsActor needs .*; Bare lacks simulate\."):
        TrueDynamicsActor(env, CEM(), horizon=2)
    with pytest.raises(ConfigError, match=r"ExpertActor needs .*; Bare lacks expert\."):
        ExpertActor(env)
    with pytest.raises(ConfigError, match=r"policy='expert' needs .*; Bare lacks expert\."):
        tc.collect(env, "expert", episodes=1)
    with pytest.raises(ConfigError, match=r"energy_rank_correlation needs .*; Bare lacks simulate\."):
        energy_rank_correlation(agent(env).model, Goal(), env, horizon=2)  # type: ignore[arg-type]


def test_a_method_that_is_none_is_not_there() -> None:
    env: Any = PointMass(3)
    env.simulate = None
    assert has_goals(env) and has_expert(env) and not has_simulation(env)


def test_without_simulate_there_is_no_oracle() -> None:
    env: Any = Bare(PointMass(3))
    with pytest.warns(UserWarning, match=r"^no oracle is measured: Bare has no simulate") as told:
        runs = compare_with_baselines(agent(env), env, episodes=3, record_frames=1)
    assert list(runs) == ["success", "random"] and len(told) == 1 and not runs["success"].plans
    assert "racle" not in planning_section(runs).text and "oracle" not in planning_record(runs)


def test_eval_prints_the_rows_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    full: Any = PointMass(3)
    _goals(agent(full), full, 3, 1)
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert rows == ["success", "random", "oracle", "plan"]
    env: Any = Bare(PointMass(3))
    with pytest.warns(UserWarning, match="no oracle"):
        _, found, _ = _goals(agent(env), env, 3, 1)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["success", "random"]
    assert set(found) == {"planning"}


def test_a_plan_is_shown_without_its_true_way() -> None:
    full: Any = PointMass(1)
    assert len(decide(agent(full), full).distances) == 4
    env: Any = Bare(PointMass(1))
    decision = decide(agent(env), env)
    assert decision.distances.shape == (1,) and figures.decision(decision).data.startswith(b"\x89PNG")
