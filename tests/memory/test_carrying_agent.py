"""An agent with a carrier in a world whose answer is known: two goals, and a start that says which of them counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.agent import Agent, AgentState
from tacit.costs import Goal, RecalledGoal
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.memory.carriers import GRU, CarrierModule, EMABankConfig, GRUConfig, Slots, SlotsConfig
from tacit.models import WorldModel
from tacit.nn.readout import LinearReadout
from tacit.planners import CEM
from tacit.testing.worlds import PointModel
from tacit.types import Box, Modality, Spec

GOALS = torch.tensor([[-3.0, 0.0], [3.0, 0.0]])
START = np.array([[0.5, 0.0], [-0.5, 0.0], [0.5, 1.0]], np.float32)
"""The goal is on the other side of the start, so that no later position tells it."""


class First(CarrierModule):
    """Keeps the first latent."""

    size = property(lambda self: self.config.latent)

    def begin(self, batch):
        return {"first": torch.zeros(batch, self.config.latent), "steps": torch.zeros(batch, dtype=torch.int64)}

    def write(self, carry, latents, blocks):
        first = torch.where(carry["steps"][:, None] > 0, carry["first"], latents)
        return {"first": first, "steps": carry["steps"] + 1}

    def recall(self, carry):
        return carry["first"]


CHOICE = LinearReadout("goal", torch.tensor([[1.0, -1.0], [0.0, 0.0]]), torch.zeros(2), (0.0, 0.0), (1.0, 1.0))


def agent_of(cost=None, carrier=None, **options):
    carrier = First(EMABankConfig(2, 4)) if carrier is None else carrier
    planner = CEM(samples=64, elites=8, iterations=4)
    cost = RecalledGoal(CHOICE, GOALS) if cost is None else cost
    return Agent(PointModel(frameskip=2), planner, cost, horizon=2, carrier=carrier, **options)


def steps(agent, state, position, count):
    """Return the positions and the state after some steps."""
    for _ in range(count):
        action, verdict, state = agent.act(state, {"position": position})
        assert verdict.ok, verdict.reasons
        position = position + action
    return position, state


def swapped(state):
    """Return a state in which the first two worlds have each other's memory."""
    carry = {name: part[[1, 0, 2]] for name, part in state.context.carry.items()}
    return replace(state, context=replace(state.context, carry=carry))


def test_the_memory_of_the_start_chooses_the_goal():
    agent = agent_of()
    position, state = steps(agent, agent.start(seed=0, batch=3), START, 10)
    assert np.abs(position - GOALS[[0, 1, 0]].numpy()).max() < 0.3
    assert state.context.carry["steps"].tolist() == [5, 5, 5], "imagined steps are not written"
    assert torch.equal(state.context.carry["first"], torch.from_numpy(START))
    position, _ = steps(agent, swapped(state), position, 14)
    assert np.abs(position - GOALS[[1, 0, 0]].numpy()).max() < 0.3


def test_a_host_that_does_not_read_acts_unchanged():
    plain = Agent(PointModel(frameskip=2), CEM(samples=64, elites=8, iterations=4), Goal(), horizon=2)
    goal = {"position": GOALS[[0, 1, 1]].numpy()}
    with_one = agent_of(Goal(), GRU(GRUConfig(2, 4, 8)))
    ends = [steps(one, one.start(seed=0, batch=3, goal=goal), START, 6)[0] for one in (plain, with_one)]
    assert np.array_equal(*ends)


def test_a_world_remembers_the_same_alone():
    agent = agent_of()
    together, _ = steps(agent, agent.start(seed=[5, 6, 7], batch=3), START, 8)
    alone, _ = steps(agent, agent.start(seed=[7], batch=1), START[2:], 8)
    assert np.allclose(together[2:], alone, atol=1e-5)


@pytest.mark.parametrize("kind", [lambda: First(EMABankConfig(2, 4)), lambda: Slots(SlotsConfig(2, 4, 2, 8, 2, 3))])
def test_the_memory_is_part_of_a_state_as_arrays(kind):
    torch.manual_seed(0)
    agent = agent_of(carrier=kind(), cost=Goal(GOALS[0]))
    position, state = steps(agent, agent.start(seed=0, batch=3), START, 5)
    again = AgentState.from_arrays(state.to_arrays())
    rows = AgentState.stack(state.unstack())
    expected, last = steps(agent, state, position, 5)
    for one in (again, rows):
        found, end = steps(agent, one, position, 5)
        assert np.array_equal(found, expected)
        arrays = end.to_arrays()
        assert {name for name in arrays if "carry" in name} == {f"context.carry.{name}" for name in last.context.carry}
        assert all(np.array_equal(arrays[name], value) for name, value in last.to_arrays().items() if "carry" in name)
    arrays = state.to_arrays()
    with pytest.raises(SpecError, match="one number of worlds"):
        AgentState.from_arrays(arrays | {name: value[:2] for name, value in arrays.items() if "carry" in name})


def test_bad_input_is_refused_before_the_first_action_and_survived_after_it():
    agent = agent_of()
    with pytest.raises(Exception, match="position"):
        agent.act(agent.start(seed=0, batch=3), {"other": START})
    narrow = agent_of(carrier=First(EMABankConfig(3, 4)))
    with pytest.raises(SpecError, match=r"latents of shape \[3, 3\]; got \[3, 2\]"):
        narrow.act(narrow.start(seed=0, batch=3), {"position": START})
    without = Agent(PointModel(frameskip=2), CEM(), RecalledGoal(CHOICE, GOALS), horizon=2)
    with pytest.raises(SpecError, match=r"carrier=\.\.\."):
        without.act(without.start(seed=0, batch=3), {"position": START})
    foreign = agent_of(Goal(GOALS[0]), GRU(GRUConfig(2, 4, 8)))
    _, state = steps(foreign, foreign.start(seed=0, batch=3), START, 2)
    with pytest.raises(SpecError, match="start again"):
        agent._perception.update(state, {"position": START})


def test_a_lost_observation_leaves_the_memory():
    agent = agent_of()
    position, state = steps(agent, agent.start(seed=0, batch=3), START, 4)
    _, verdict, lost = agent.act(state, {})
    assert not verdict.ok
    assert torch.equal(lost.context.carry["steps"], state.context.carry["steps"])
    broken = position.copy()
    broken[1] = np.nan
    _, _, partly = agent.act(state, {"position": broken})
    assert partly.context.carry["steps"].tolist() == [3, 2, 3]


SPEC = Spec({"state": Modality("vector", (3,))}, Box((-1.0, -1.0), (1.0, 1.0), "delta"))
SIZES = {
    "ema_bank": {"times": (2.0, 5.0)},
    "gru": {"width": 12},
    "slots": {"slots": 2, "width": 8, "heads": 2},
}


def saved_agent(name, seed=0):
    torch.manual_seed(seed)
    kind = tc.memory.carriers.load(name)
    carrier = kind(kind.configuration(8, 4, **SIZES[name])).eval()
    carrier.mean.copy_(torch.randn(8))
    choice = LinearReadout("cue", torch.randn(carrier.size, 2), torch.zeros(2), (0.1, 0.1), (0.9, 0.9))
    model = WorldModel.for_spec(SPEC, frameskip=2, latent=8).eval()
    cost = RecalledGoal(choice, torch.randn(2, 8))
    return Agent(model, CEM(samples=30, elites=5, iterations=3), cost, horizon=3, carrier=carrier)


def lived(agent):
    rng = np.random.default_rng(0)
    state, actions = agent.start(seed=1, batch=2), []
    for _ in range(8):
        action, verdict, state = agent.act(state, {"state": rng.normal(size=(2, 3)).astype(np.float32)})
        assert verdict.ok
        actions.append(action)
    return np.stack(actions)


@pytest.mark.parametrize("name", sorted(SIZES))
def test_a_saved_agent_keeps_its_memory(name, tmp_path):
    agent = saved_agent(name)
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert type(again.config.carrier) is type(agent.config.carrier)
    assert again.config.carrier.config == agent.config.carrier.config
    assert again.digest() == agent.digest()
    assert np.array_equal(lived(agent), lived(again))
    assert type(agent.config.carrier).__name__ in str(agent)
    other = saved_agent(name)
    other.config.carrier.whitening[0, 1] = 2.0
    assert other.digest() != agent.digest()
    assert agent.replace(carrier=None, cost=Goal()).digest() != agent.digest()


def test_carriers_of_no_registry_and_damaged_ones_are_refused(tmp_path):
    agent = saved_agent("gru")
    with pytest.raises(ConfigError, match="entry point"):
        agent.replace(carrier=First(EMABankConfig(8, 4))).save(tmp_path / "own")
    parts = {"agent", "carrier"}
    agent.save(tmp_path / "agent")
    loaded = tc.checkpoint.load(tmp_path / "agent")
    assert parts <= set(loaded.parts)
    kept = dict(loaded.parts)
    model = kept.pop("model") and tc.checkpoint.load_model(tmp_path / "agent")
    for change in ({"name": "gro"}, {"options": {"latent": 8, "block": 4, "width": 13, "longest": 64}}):
        part = replace(kept["carrier"], config={**kept["carrier"].config, **change})
        tc.checkpoint.save(tmp_path / "other", model, {**kept, "carrier": part})
        with pytest.raises(CheckpointError, match=r"gru|width|carrier"):
            Agent.load(tmp_path / "other")


def test_recalled_goals_are_checked():
    with pytest.raises(ConfigError, match=r"needs goals \[2, D\]; got \[3, 2\]"):
        RecalledGoal(CHOICE, torch.zeros(3, 2))
    with pytest.raises(ConfigError, match="needs a critic"):
        RecalledGoal(CHOICE, GOALS, near=2)
    with pytest.raises(ConfigError, match="'last', 'sum' or 'min'"):
        RecalledGoal(CHOICE, GOALS, reduce="first")
    assert RecalledGoal(CHOICE, GOALS).chosen(torch.tensor([[2.0, 0.0], [-1.0, 0.0]])).tolist() == [0, 1]


@pytest.mark.parametrize("kind", [lambda: GRU(GRUConfig(2, 4, 8)), lambda: Slots(SlotsConfig(2, 4, 2, 8, 2, 3))])
def test_an_audited_memory_is_replayed(kind, tmp_path):
    torch.manual_seed(0)
    carrier = kind()
    choice = LinearReadout("goal", torch.randn(carrier.size, 2), torch.zeros(2), (0.0, 0.0), (1.0, 1.0))
    agent = agent_of(RecalledGoal(choice, GOALS), carrier)
    with tc.audit.Log(tmp_path / "log") as log:
        actor = tc.audit.Audited(agent, log)
        steps(actor, actor.start(seed=7, batch=3), START, 8)
    found = tc.audit.replay(tmp_path / "log", agent)
    assert found.identical, found
