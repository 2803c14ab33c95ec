from dataclasses import replace

import numpy as np
import pytest
import torch

from probing.exact import Exact
from tacit.agent import Agent
from tacit.constraints import Limits
from tacit.costs import Effort, Goal
from tacit.envs import TwoRooms
from tacit.errors import ConfigError, PlanningError
from tacit.evaluation import ExpertActor, TrueDynamicsActor, closed_loop, compare_with_baselines, oracles
from tacit.reports import planning_record
from tacit.testing.worlds import LineWorld
from tacit.types import Box, Context, Plan


class Shooting:
    """Scores uniform samples once and takes the best."""

    def __init__(self, samples=256):
        self.samples = samples

    def __call__(self, problem):
        low, high = torch.tensor(problem.space.low), torch.tensor(problem.space.high)
        uniform = problem.noise.uniform(0, (self.samples, problem.horizon, problem.space.size))
        actions = low + (high - low) * torch.from_numpy(uniform)
        energy = problem.score(actions)
        worlds, best = torch.arange(problem.batch), energy.argmin(dim=1)
        return Plan(actions[worlds, best], energy[worlds, best], (), self.samples)


def test_the_expert_solves_two_rooms_and_is_marked_as_privileged():
    env = TwoRooms()
    run = closed_loop(ExpertActor(env), env, episodes=50)
    assert run.success.rate == 1.0 and run.privileged
    assert run.paths.shape == (50, 101, 2)


@pytest.mark.parametrize("reduce", ["last", "sum", "min"])
@pytest.mark.parametrize("hold", [False, True])
def test_planning_on_the_true_dynamics_solves_a_line(reduce, hold):
    env = LineWorld(budget=24, success_at="any")
    actor = TrueDynamicsActor(
        env, Shooting(), horizon=4, frameskip=2, replan_every=1, repeat_action=hold, goal=Goal(reduce=reduce)
    )
    assert closed_loop(actor, env, episodes=200).success.rate >= 0.85


def test_the_energy_is_the_true_distance_after_each_block():
    env, seen = LineWorld(), {}

    class Spy(Shooting):
        def __call__(self, problem):
            actions = torch.tensor([[[1.0], [1.0], [-1.0], [0.5]], [[0.0], [0.5], [0.0], [0.0]]]).expand(2, 2, 4, 1)
            seen["energy"] = problem.score(actions)
            return Plan(actions[:, 0], torch.zeros(2), (), 2)

    start, goal = {"x": np.array([[1.0], [2.0]])}, {"x": np.array([[8.0], [4.5]])}
    for reduce, expected in {
        "last": [[5.5, 6.5], [1.0, 2.0]],
        "sum": [[10.5, 13.0], [1.5, 4.0]],
        "min": [[5.0, 6.5], [0.5, 2.0]],
    }.items():
        actor = TrueDynamicsActor(env, Spy(), horizon=2, frameskip=2, goal=Goal(reduce=reduce, metric="l1"))
        action, verdict, _ = actor.act(actor.start(seed=0, batch=2, goal=goal), start)
        np.testing.assert_allclose(seen["energy"], expected, atol=1e-6)
        np.testing.assert_allclose(action, [[1.0], [1.0]])
        assert verdict.ok
    actor = TrueDynamicsActor(env, Spy(), horizon=2, frameskip=2)
    actor.act(actor.start(seed=0, batch=2, goal=goal), start)
    np.testing.assert_allclose(seen["energy"], np.square([[5.5, 6.5], [1.0, 2.0]]), atol=1e-5)


def test_plans_are_simulated_alike_in_parts_and_whole(monkeypatch):
    env = TwoRooms(layout="random")
    tasks = env.tasks(3, seed=5)
    rng = np.random.default_rng(0)
    actions = torch.from_numpy(rng.uniform(-1, 1, (3, 7, 4, 10)).astype(np.float32))
    actor = TrueDynamicsActor(env, Shooting(), horizon=4, frameskip=5)
    latents = actor.model.encode(tasks.start)[:, None]
    whole = actor.model.rollout(Context(latents), actions)
    monkeypatch.setattr(oracles, "ROWS", 4)
    torch.testing.assert_close(actor.model.rollout(Context(latents), actions), whole)
    for world, sample in [(0, 0), (2, 6)]:
        state = {name: values[[world]] for name, values in tasks.start.items()}
        raw = actions[world, sample].reshape(1, 20, 2).numpy()
        expected = env.simulate(state, raw)["position"][0, 4::5]
        imagined = actor.model.states(whole[world, sample].numpy())
        np.testing.assert_allclose(imagined["position"], expected)
        np.testing.assert_array_equal(imagined["door_y"], np.repeat(state["door_y"], 4, axis=0))


def test_the_plans_of_recorded_tasks_are_simulated():
    env = TwoRooms(size=16)
    actor = TrueDynamicsActor(env, Shooting(8), horizon=3, frameskip=5, replan_every=2, repeat_action=True)
    run = closed_loop(actor, env, episodes=3, record_frames=2)
    assert [step for step, _ in run.plans] == list(range(0, 100, 10))
    assert run.frames.shape == (2, 101, 3, 16, 16)
    assert run.goal_frames.shape == (2, 3, 16, 16)
    for step, plan in run.plans:
        assert plan.shape == (2, 15, 2)
        np.testing.assert_allclose(plan[:, :10], run.paths[:2, step + 1 : step + 11], atol=1e-4)


@pytest.mark.parametrize("cost", [Goal(reduce="sum", metric="l1"), 0.1 * Effort() + Goal(reduce="sum", metric="l1")])
def test_the_oracle_is_the_agent_in_all_but_model_and_cost(cost):
    env = LineWorld()
    agent = Agent(Exact(env.spec, frameskip=2), Shooting(), cost, horizon=3, replan_every=2, repeat_action=True)
    actor = TrueDynamicsActor.like(agent, env)
    assert actor.config.planner is agent.config.planner
    assert (actor.config.horizon, actor.config.replan_every, actor.config.repeat_action, actor.frameskip) == (
        3,
        2,
        True,
        2,
    )
    assert (actor.config.cost.goal.reduce, actor.config.cost.goal.metric) == ("sum", "l1")


def test_the_oracle_has_the_fallback_and_the_constraints_of_the_agent():
    env, narrow = LineWorld(), [Limits(-0.5, 0.5)]
    for fallback in (None, "noop", "last_action", lambda shown: shown["vector"]):
        agent = Agent(Exact(env.spec), Shooting(), Goal(), horizon=2, fallback=fallback, constraints=narrow)
        actor = TrueDynamicsActor.like(agent, env)
        assert (actor.fallback, actor.constraints) == (fallback, tuple(narrow))
    silent = LineWorld()
    silent.spec = replace(env.spec, action=Box((-1.0,), (1.0,)))
    assert (
        TrueDynamicsActor.like(Agent(Exact(env.spec), Shooting(), Goal(), horizon=2), silent).fallback == "last_action"
    )


def test_the_fallback_of_the_oracle_receives_observations():
    class Fails(Shooting):
        def __call__(self, problem):
            raise PlanningError("none")

    env = LineWorld()
    actor = TrueDynamicsActor(env, Fails(), horizon=2, fallback=lambda shown: shown["vector"][:, :1] / 10)
    x = {"x": np.array([[1.0], [3.0]])}
    action, verdict, _ = actor.act(actor.start(seed=0, batch=2, goal=x), x)
    np.testing.assert_allclose(action, [[0.1], [0.3]], rtol=1e-6)
    assert verdict.fallback == ("policy", "policy")
    reads = LineWorld()
    where = {"position": "vector", "position_index": (0,)}
    reads.spec = replace(env.spec, action=Box((-20.0,), (20.0,), "position"), **where)
    actor = TrueDynamicsActor(reads, Fails(), horizon=2)
    action, _, _ = actor.act(actor.start(seed=0, batch=2, goal=x), x)
    np.testing.assert_array_equal(action, [[1], [3]])


def test_an_agent_is_compared_with_its_baselines_and_its_oracle():
    class Towards:
        def propose(self, context, goal, horizon, count, noise, model):
            step = ((goal - context.latents[:, -1]) / 2).clamp(-1, 1)
            return step.repeat(1, 2)[:, None, None].expand(-1, count, horizon, -1)

    env, said = LineWorld(budget=24, success_at="any"), []
    parts, options = (
        (Exact(env.spec, frameskip=2, size=1), Shooting(), Goal(reduce="sum")),
        {"horizon": 3, "repeat_action": True},
    )
    agent = Agent(*parts, **options, proposal=Towards())
    runs = compare_with_baselines(agent, env, episodes=20, on_result=lambda name, run: said.append((name, run)))
    assert list(runs.items()) == said
    assert list(runs) == ["success", "random", "policy", "oracle"]
    assert [run.privileged for run in runs.values()] == [False, False, False, True]
    assert runs["success"].success.rate == runs["policy"].success.rate == runs["oracle"].success.rate == 1.0
    assert runs["random"].success.rate < 0.7
    assert planning_record(runs)["policy"]["n"] == 20
    assert "policy" not in compare_with_baselines(Agent(*parts, **options), env, episodes=2)


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="replan_every <= horizon"):
        TrueDynamicsActor(LineWorld(), Shooting(), horizon=2, replan_every=3)
    with pytest.raises(ConfigError, match="goal states"):
        ExpertActor(LineWorld()).start(seed=0)
    with pytest.raises(ConfigError, match="3 of them"):
        ExpertActor(LineWorld()).start(seed=0, batch=3, goal={"x": np.zeros((2, 1))})
