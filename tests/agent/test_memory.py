"""An agent that remembers what happened in a world with known latents, and acts on a snapshot of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.agent import Agent, AgentState, MixedProposals, RecordedProposals, StoredProposals, model_digest
from tacit.costs import Goal
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.memory import DiskStore, entries
from tacit.models import WorldModel
from tacit.planners import CEM, WorldNoise
from tacit.testing.worlds import PointModel
from tacit.types import Box, Context, Modality, Spec

BLOCKS = 2


def agent_of(world, **options):
    return Agent(world, CEM(samples=30, elites=5, iterations=2), Goal(), **{"horizon": 3, **options})


@pytest.fixture
def agent(tmp_path):
    plain = agent_of(PointModel(frameskip=2, history=2), proposal=StoredProposals())
    with plain.new_memory(tmp_path / "memory", blocks=BLOCKS, segment_entries=64) as store:
        yield plain.replace(memory=store)


def lived(agent, steps, batch=2, every=1, **options):
    """Act in the world of a point; returns positions, actions and the state."""
    position = np.arange(2 * batch, dtype=np.float32).reshape(batch, 2)
    state = agent.start(seed=range(7, 7 + batch), batch=batch, goal={"position": -position})
    positions, actions = [], []
    for step in range(steps):
        action, verdict, state = agent.act(state, {"position": position})
        assert verdict.ok
        positions.append(position)
        actions.append(action)
        position = position + action
        if step % every == 0:
            state = agent.remember(state, **options)
    return np.stack(positions, axis=1), np.stack(actions, axis=1), state


@pytest.mark.parametrize("every", [1, 2])
def test_entries_are_what_happened(agent, every):
    positions, actions, state = lived(agent, 13, every=every, outcome=[0.5, 2], source="live")
    found = agent.config.memory.entries()
    # Boundaries at steps 0, 2, ..., 12, so the last chunk of two blocks begins at step 8.
    assert found.steps.tolist() == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]
    assert found.episodes.tolist() == [7, 8] * 5
    assert found.outcomes.tolist() == [0.5, 2] * 5
    for row, (world, step) in enumerate(zip(found.episodes - 7, found.steps, strict=True)):
        assert found.latents[row] == pytest.approx(positions[world, step])
        assert found.blocks[row] == pytest.approx(actions[world, step : step + 4].reshape(2, 4))
    assert found.surprises == pytest.approx(0, abs=1e-9)
    assert (np.abs(found.times - found.times[0]) < 60).all() and found.times[0] > 1.7e9
    assert agent.config.memory.sources == ("live",)
    again = agent.remember(state)
    assert len(agent.config.memory) == 10  # nothing happened since
    assert again.memory.snapshots.tolist() == [agent.config.memory.snapshot] * 2


def test_no_block_is_remembered_twice_and_gaps_are_left_out(agent):
    *_, state = lived(agent, 12, every=7)
    assert agent.config.memory.entries().steps.tolist() == [2, 2]
    state = agent.remember(state, episode=[3, 4])
    found = agent.config.memory.entries()
    assert found.steps.tolist() == [2, 2, 6, 6]
    assert found.episodes.tolist() == [7, 8, 3, 4]


def test_an_act_reads_the_snapshot_of_its_state(agent):
    """Later entries at the same place propose the perfect actions, which an old state must not see."""
    store = agent.config.memory
    agent = agent.replace(planner=CEM(samples=4, elites=2, iterations=1, std=1e-3, min_std=1e-3), proposals=3)
    agent = agent.replace(proposal=StoredProposals(pool=2))
    start, goal = np.zeros((1, 2), np.float32), np.array([[0.6, -0.3]], np.float32)
    store.append(entries(np.zeros((3, 2)), np.full((3, BLOCKS, 4), -0.5)))
    state = agent.start(seed=1, goal={"position": goal})
    action, _, after = agent.act(state, {"position": start})
    store.append(entries(np.zeros((3, 2)), np.tile(goal[0] / 12, (3, BLOCKS, 2)), outcomes=1.0))
    again, _, after_again = agent.act(state, {"position": start})
    np.testing.assert_array_equal(action, again)
    assert after.memory.snapshots.tolist() == after_again.memory.snapshots.tolist() == state.memory.snapshots.tolist()
    reader = DiskStore.open(store.path)
    elsewhere, *_ = agent.replace(memory=reader).act(state, {"position": start})
    np.testing.assert_array_equal(action, elsewhere)
    fresh, *_ = agent.act(agent.remember(state), {"position": start})
    assert np.abs(fresh - action).max() > 0.01


def test_worlds_with_other_snapshots_act_as_alone(agent):
    store, rng = agent.config.memory, np.random.default_rng(0)
    states, observation = [], {"position": np.zeros((1, 2), np.float32)}
    for seed in range(3):
        states.append(agent.start(seed=[seed], goal={"position": np.ones((1, 2), np.float32)}))
        store.append(entries(rng.normal(size=(40, 2)), rng.uniform(-1, 1, (40, BLOCKS, 4))))
    together = AgentState.stack(states)
    assert len({*together.memory.snapshots.tolist()}) == 3
    assert {len(one) for one in agent._memory.views(together)} == {0, 40, 80}
    actions, _, after = agent.act(together, {"position": np.zeros((3, 2), np.float32)})
    for world, state in enumerate(states):
        action, _, alone = agent.act(state, observation)
        np.testing.assert_array_equal(action[0], actions[world])
        assert alone.memory.snapshots[0] == after.unstack()[world].memory.snapshots[0]


def test_a_state_with_a_memory_passes_through_arrays(agent):
    positions, actions, state = lived(agent, 7)
    again = AgentState.from_arrays(state.to_arrays())
    position = {"position": positions[:, -1] + actions[:, -1]}
    action, *_ = agent.act(state, position)
    other, _, after_again = agent.act(again, position)
    np.testing.assert_array_equal(action, other)
    count = len(agent.config.memory)
    agent.remember(after_again)
    assert len(agent.config.memory) == count


def test_forgotten_entries_fail_a_decision_until_the_state_is_renewed(agent):
    store, rng = agent.config.memory, np.random.default_rng(0)
    store.append(entries(rng.normal(size=(300, 2)), rng.uniform(-1, 1, (300, BLOCKS, 4))))
    positions, actions, state = lived(agent, 6)
    store.consolidate(store.size // 2)
    position = {"position": positions[:, -1] + actions[:, -1]}
    _, verdict, _ = agent.act(state, position)
    assert "forgotten" in verdict.reason
    assert agent.act(agent.remember(state), position)[1].ok


def test_latents_that_are_not_finite_are_not_remembered(agent):
    position = np.zeros((2, 2), np.float32)
    state = agent.start(seed=0, batch=2, goal={"position": position + 1})
    for step in range(11):
        shown = position.copy()
        if step == 2:
            shown[1] = np.nan
        action, _, state = agent.act(state, {"position": shown})
        position = position + action
        state = agent.remember(state, episode=[0, 1])
    found = agent.config.memory.entries()
    assert sorted(found.steps[found.episodes == 0].tolist()) == [0, 2, 4, 6]
    assert sorted(found.steps[found.episodes == 1].tolist()) == [0, 4, 6]


def test_recall_names_the_nearest_entries_with_their_places(agent):
    store = agent.config.memory
    store.append(
        entries(
            [[0, 0], [1, 0], [5, 5]],
            np.zeros((3, BLOCKS, 4)),
            outcomes=[np.nan, 0.25, 1],
            episodes=[3, 4, 5],
            steps=[10, 20, 30],
            sources=[-1, store.source("data/points"), 0],
        )
    )
    state = agent.start(seed=0, batch=2, goal={"position": np.ones((2, 2), np.float32)})
    with pytest.raises(ConfigError, match="after an act"):
        agent.recall(state)
    _, _, state = agent.act(state, {"position": np.array([[0.9, 0], [4, 5]], np.float32)})
    first, second = agent.recall(state, 2)
    assert first.numbers.tolist() == [1, 0]
    assert second.numbers.tolist() == [2, 1]
    assert first.distances == pytest.approx([0.01, 0.81])
    assert (first.entries.episodes.tolist(), first.entries.steps.tolist()) == ([4, 3], [20, 10])
    assert (
        str(first) == "episode 4, step 20 of data/points: distance 0.1, outcome 0.25\nepisode 3, step 10: distance 0.9"
    )
    with pytest.raises(ConfigError, match="recall needs"):
        agent.replace(memory=None, proposal=None).recall(state)


def bound(agent, *found, **options):
    """Stored proposals of a memory with some entries, for one world."""
    agent.config.memory.append(entries(*found, **options))
    return [agent.config.memory.newest]


def asked(source, now, horizon=3, count=2):
    goal = torch.zeros(len(now), 2)
    return source.propose(Context(now[:, None]), goal, horizon, count, WorldNoise.of(0, len(now)), PointModel())


def test_stored_proposals_are_the_actions_near_the_latent_with_the_best_outcomes(agent):
    latents, blocks = [[0, 0], [0.1, 0], [0.2, 0], [0.3, 0], [9, 9]], np.arange(40.0).reshape(5, BLOCKS, 4)
    memory = bound(agent, latents, blocks, outcomes=[np.nan, 1, np.nan, 3, 100])
    now = torch.zeros(1, 2)
    chosen = blocks[:, [0, 1, 1]]  # the last block is repeated
    for pool, count, expected in ((1, 2, [1, 0]), (2, 2, [3, 1]), (1, 4, [3, 1, 0, 2]), (1, 7, [4, 3, 1, 0, 2, 4, 3])):
        found = asked(StoredProposals(pool).recalling(memory), now, count=count)
        np.testing.assert_array_equal(found[0].numpy(), chosen[expected])
    assert asked(StoredProposals().recalling(memory), now, horizon=1).tolist() == blocks[None, [1, 0], :1].tolist()


def test_an_empty_memory_proposes_zeros_and_none_is_an_error(agent):
    assert (asked(StoredProposals().recalling([agent.config.memory.newest]), torch.ones(1, 2)) == 0).all()
    with pytest.raises(ConfigError, match="an agent with a memory"):
        asked(StoredProposals(), torch.ones(1, 2))
    with pytest.raises(ConfigError, match="pool"):
        StoredProposals(pool=0)
    lone = agent.replace(memory=None)
    with pytest.raises(ConfigError, match="an agent with a memory"):
        lone.act(lone.start(seed=0, goal={"position": np.ones((1, 2))}), {"position": np.zeros((1, 2))})


def test_mixed_proposals_give_the_memory_to_their_sources(agent):
    memory = bound(agent, [[0.0, 0.0]], np.full((1, BLOCKS, 4), 0.25))
    other = RecordedProposals(torch.zeros(1, 2, 2), torch.ones(1, 1, 4))
    mixed = MixedProposals((StoredProposals(), other), (1, 1)).recalling(memory)
    found = asked(mixed, torch.zeros(1, 2), count=2)
    assert found[0, 0].unique().tolist() == [0.25]
    assert found[0, 1].unique().tolist() == [1]
    acting = agent.replace(proposal=MixedProposals((StoredProposals(), other), (1, 1)))
    assert acting.act(acting.start(seed=0, goal={"position": np.ones((1, 2))}), {"position": np.zeros((1, 2))})[1].ok


def test_a_memory_that_does_not_fit_is_refused(agent, tmp_path):
    torch.manual_seed(0)
    spec = Spec({"state": Modality("vector", (3,))}, Box((-1.0, -2.0), (1.0, 2.0), "force"))
    first, second = (WorldModel.for_spec(spec, frameskip=2, latent=8).eval() for _ in range(2))
    assert model_digest(first) == model_digest(second)
    with torch.no_grad():
        next(second.parameters()).add_(1)
    assert model_digest(first) != model_digest(second)
    store = agent_of(first).new_memory(tmp_path / "first")
    assert (store.latent_size, store.block_shape, store.model) == (8, (3, 4), model_digest(first))
    agent_of(first, memory=store)
    with pytest.raises(CheckpointError, match="this one is"):
        agent_of(second, memory=store)
    with pytest.raises(ConfigError, match="blocks of 4 raw values"):
        agent_of(PointModel(frameskip=3), memory=agent.config.memory)
    wide = DiskStore.create(tmp_path / "wide", latent_size=3, blocks=1, block_size=2)
    acting = agent_of(PointModel(), memory=wide)
    with pytest.raises(SpecError, match="latents of size 3; the model makes 2"):
        acting.act(acting.start(seed=0, goal={"position": np.ones((1, 2))}), {"position": np.zeros((1, 2))})
    for one in (store, wide):
        one.close()


def test_a_memory_that_only_reads_is_not_appended_to(agent):
    *_, state = lived(agent, 5)
    store = agent.config.memory
    view, reader = agent.replace(memory=store.newest), agent.replace(memory=DiskStore.open(store.path))
    with pytest.raises(ConfigError, match="View cannot be appended to"):
        view.remember(state)
    with pytest.raises(ConfigError, match="write=True"):
        reader.remember(replace(state, memory=replace(state.memory, remembered=state.memory.remembered - 99)))
    with pytest.raises(ConfigError, match="no memory"):
        agent.replace(memory=None).remember(state)
    for wrong in ({"outcome": [1, 2, 3]}, {"episode": [1]}):
        with pytest.raises(SpecError, match="each of the 2 worlds"):
            agent.remember(state, **wrong)


def test_a_replay_reads_the_snapshots_of_the_log(agent, tmp_path):
    start, rng = {"position": np.zeros((1, 2), np.float32)}, np.random.default_rng(0)
    with tc.audit.Log(tmp_path / "audit") as log:
        actor = tc.audit.Audited(agent, log)
        state = actor.start(seed=0, goal={"position": np.ones((1, 2), np.float32)})
        for _ in range(6):
            _, verdict, state = actor.act(state, start)
            assert verdict.ok
            agent.config.memory.append(entries(rng.normal(size=(9, 2)) / 9, rng.uniform(-1, 1, (9, BLOCKS, 4))))
            state = agent.remember(state)
    found = tc.audit.replay(tmp_path / "audit", agent)
    assert found.identical
    assert found.acts == 6


def test_an_agent_is_saved_without_its_memory(tmp_path):
    torch.manual_seed(0)
    spec = Spec({"state": Modality("vector", (3,))}, Box((-1.0, -2.0), (1.0, 2.0), "force"))
    model = WorldModel.for_spec(spec, frameskip=2, latent=8).eval()
    plain = agent_of(model, proposal=MixedProposals((StoredProposals(3, exact=False), StoredProposals()), (1, 2)))
    with plain.new_memory(tmp_path / "memory") as store:
        agent = plain.replace(memory=store)
        agent.save(tmp_path / "agent")
        again = tc.Agent.load(tmp_path / "agent", memory=store, fallback="noop")
        assert again.proposal.sources == agent.proposal.sources
        assert again.config.memory is store
        assert again.replace(fallback=None).digest() == agent.digest() == plain.digest()
        assert tc.Agent.load(tmp_path / "agent").config.memory is None
        assert "memory       0 entries" in str(again)
        rng = np.random.default_rng(0)
        store.append(entries(rng.normal(size=(50, 8)), rng.uniform(-1, 1, (50, 3, 4))))
        goal, shown = ({"state": rng.normal(size=(1, 3)).astype(np.float32)} for _ in range(2))
        actions = [one.act(one.start(seed=1, goal=goal), shown)[0] for one in (agent, again)]
        np.testing.assert_array_equal(*actions)
