"""Searches in low precision: the plan is rated in float32, and is about as good."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.agent import Agent
from tacit.errors import ConfigError
from tacit.nn import kernels
from tacit.nn._choice import KernelChoice
from tacit.types import Rollout


@pytest.fixture
def low(monkeypatch):
    monkeypatch.setattr(kernels, "kernel_choice", lambda: KernelChoice(packed=True, low_precision=True))


def first_plan(agent, env, tasks):
    state = agent.start(seed=3, batch=len(tasks), goal=env.observe(tasks.goal))
    return agent.act(state, env.begin(tasks.start))[1].plan


@pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="oneDNN has no products of bfloat16 for this CPU"
)
def test_the_energy_of_a_plan_of_low_precision_is_that_of_float32_and_near_the_one_of_an_exact_search(low):
    env = tc.envs.TwoRooms()
    tasks = env.tasks(20, seed=5)
    agent = tc.recipes.pretrained("two_rooms")
    fast = Agent.of(agent.model, replace(agent.config, precision="low"), agent.proposal)
    plan, exact = first_plan(fast, env, tasks), first_plan(agent, env, tasks)
    assert not torch.equal(plan.actions, exact.actions), "this CPU has used low precision"
    with torch.no_grad():
        latents = agent.model.encode(env.observe(tasks.start))[:, None]
        blocks = plan.actions.reshape(20, 1, 6, -1)
        goal = agent.model.encode(env.observe(tasks.goal))
        imagined = agent.model.rollout(tc.types.Context(latents), blocks)
        again = agent.config.cost(Rollout(latents[:, -1], imagined, blocks, goal))[:, 0]
    torch.testing.assert_close(plan.energy, again, rtol=1e-4, atol=1e-5)
    assert float(plan.energy.mean() / exact.energy.mean()) < 1.02


def test_without_fast_kernels_low_precision_changes_nothing(monkeypatch):
    monkeypatch.setattr(kernels, "kernel_choice", lambda: KernelChoice(packed=True, low_precision=False))
    env = tc.envs.TwoRooms()
    tasks = env.tasks(3, seed=5)
    agent = tc.recipes.pretrained("two_rooms")
    fast = Agent.of(agent.model, replace(agent.config, precision="low"), agent.proposal)
    np.testing.assert_allclose(first_plan(fast, env, tasks).energy, first_plan(agent, env, tasks).energy, rtol=1e-5)


def test_another_precision_is_refused():
    agent = tc.recipes.pretrained("two_rooms")
    with pytest.raises(ConfigError, match="precision is 'float32' or 'low'; got 'int8'"):
        Agent(agent.model, agent.config.planner, agent.config.cost, horizon=6, precision="int8")
