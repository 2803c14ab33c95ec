"""Worlds, agents and baselines of the study of carriers: a cue that is hidden later, and loops seen from the disc."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import tacit as tc
from tacit.agent import FlatSearch
from tacit.data import Episodes
from tacit.envs import Rooms
from tacit.memory.carriers import CarrierModule
from tacit.models import WorldModel
from tacit.nn.readout import LinearReadout
from tacit.probing import Features, fit_features
from tacit.types import Plan, Situation

STEPS = 5
"""Steps of a block, and of the time for which a cue is shown: it is seen once."""
ONSETS = (0, 5, 10, 20, 30)
ONSET = 10
"""The step at which the cue of the held-out episodes appears; those of the training episodes are ``ONSETS``."""
SIZES: dict[str, dict[str, Any]] = {
    "ema_bank": {"times": (3.0, 25.0, 100.0)},
    "gru": {"width": 128},
    "slots": {"slots": 8, "width": 64},
}


@dataclass(frozen=True)
class IntegratorConfig:
    """Sizes of a latent and of a block."""

    latent: int
    block: int


class Integrator(CarrierModule):
    """The baseline: the first latent and the sum of all actions since."""

    config: IntegratorConfig

    @property
    def size(self) -> int:
        return self.config.latent + self.config.block // STEPS

    def begin(self, batch: int) -> dict[str, Tensor]:
        zeros = {"first": self.config.latent, "moved": self.config.block // STEPS, "steps": 1}
        return {name: torch.zeros(batch, size) for name, size in zeros.items()}

    def write(self, carry: Mapping[str, Tensor], latents: Tensor, blocks: Tensor) -> dict[str, Tensor]:
        moved = carry["moved"] + blocks.reshape(len(blocks), STEPS, -1).sum(dim=1)
        first = torch.where(carry["steps"] > 0, carry["first"], latents)
        return {"first": first, "moved": moved, "steps": carry["steps"] + 1}

    def recall(self, carry: Mapping[str, Tensor]) -> Tensor:
        return torch.cat([carry["first"], carry["moved"]], dim=1)


def carrier_of(name: str, model: WorldModel, seed: int) -> CarrierModule:
    torch.manual_seed(seed)
    sizes = model.config.latent, model.config.action_size
    if name == "integrator":
        return Integrator(IntegratorConfig(*sizes))
    kind = tc.memory.carriers.load(name)
    made: CarrierModule = kind(kind.configuration(*sizes, **SIZES[name]))
    return made


def cue_rooms(onset: int = ONSET, steps: int = STEPS) -> Rooms:
    return Rooms(16, rows=2, columns=2, size=32, goal_cue=(onset, steps))


def loop_rooms() -> Rooms:
    return Rooms(16, rows=3, columns=3, size=32, view="egocentric", cues=True, goal_steps=(20, 60))


def walks(env: Rooms, episodes: int, seed: int, steps: int = 200) -> Episodes:
    return tc.collect(
        env, tc.collection.Random(repeat=STEPS), episodes=episodes, steps=steps, seed=seed, progress=False
    )


def joined(parts: list[Episodes]) -> Episodes:
    return tc.data.from_episodes([episode for part in parts for episode in part], parts[0].spec)


def hidden_cues(episodes: int, seed: int) -> Episodes:
    """Record walks in which the cue is seen once, at different steps."""
    return joined([walks(cue_rooms(onset), episodes // len(ONSETS), seed + onset) for onset in ONSETS])


def world_model(recorded: Episodes, seed: int, place: Path, updates: int, critic_updates: int) -> tc.Agent:
    """Train a world model and a critic, or read those that another case trained, as an agent that plans with both."""
    if not (place / "agent").exists():
        recipe = tc.recipes.TwoRooms().with_options(
            {"model.latent": 32, "model.frameskip": STEPS, "steps": updates, "policy_steps": 0, "acting.horizon": 8}
        )
        agent = recipe.learn(recorded, seed=seed, to=place / "run")
        model = agent.model
        assert isinstance(model, WorldModel)
        if critic_updates:
            torch.manual_seed(seed)
            critic = tc.costs.TemporalCritic(tc.costs.TemporalCriticConfig(model.config.latent))
            tc.training.train_critic(model, critic, recorded.clips(2, STEPS), steps=critic_updates, seed=seed)
            agent = agent.replace(cost=tc.costs.TemporalDistance(critic, near=2))
        planner = tc.planners.ICEM(samples=64, iterations=3, elites=8, std=0.7, beta=2.0)
        agent.replace(planner=planner, replan_every=2).save(place / "agent")
    return tc.Agent.load(place / "agent")


def sequences(model: WorldModel, episodes: Episodes) -> tuple[Tensor, Tensor, dict[str, npt.NDArray[np.float32]]]:
    """Return latents ``[N, T, D]``, blocks ``[N, T - 1, A']`` and labels ``[N, T, ...]`` at block boundaries."""
    latents, blocks, labels = [], [], dict[str, list[npt.NDArray[np.float32]]]()
    with torch.no_grad():
        for episode in episodes:
            latents.append(model.encode({"pixels": np.asarray(episode.observation["pixels"])[::STEPS]}))
            blocks.append(torch.from_numpy(np.asarray(episode.action).reshape(len(latents[-1]) - 1, -1)))
            for name, values in episode.labels.items():
                labels.setdefault(name, []).append(np.asarray(values, np.float32)[::STEPS])
    return torch.stack(latents), torch.stack(blocks), {name: np.stack(values) for name, values in labels.items()}


def readout(
    carrier: CarrierModule, model: WorldModel, episodes: Episodes, target: str, times: list[int], seed: int
) -> LinearReadout:
    """Fit a linear readout of a label from the memory at some blocks; a fifth of the episodes is held out."""
    latents, blocks, labels = sequences(model, episodes)
    with torch.no_grad():
        reads = carrier.read_along(latents, blocks)[:, 1:]  # after each latent
    episode = np.repeat(np.arange(len(reads)), len(times))
    values = reads[:, times].flatten(0, 1).numpy()
    features = Features(values, {target: labels[target][:, times].reshape(len(values), -1)}, episode)
    fitted, test = features.split(0.8, seed)
    return fit_features(fitted, test, target, seed=seed)


@dataclass(frozen=True)
class Waiting:
    """A decider that walks at random until a step, and then searches with the memory as it is or changed.

    Attributes:
        search: The search of the agent.
        until: The first step of the search.
        memory: ``own``; ``zeroed``: the state of the carrier is zero at each decision; ``swapped``: it is that of
            another world.
    """

    search: FlatSearch
    until: int
    memory: Literal["own", "zeroed", "swapped"] = "own"

    def __call__(self, situation: Situation, /) -> Plan:
        if situation.steps[0] < self.until:
            action = torch.from_numpy(situation.noise.uniform(0, (2, 1, 2)) * 2 - 1)
            walk = action.expand(-1, -1, STEPS, -1).flatten(1, 2)
            return Plan(walk, torch.zeros(len(walk)), (), 1)
        carry = situation.context.carry
        assert carry is not None
        if self.memory == "zeroed":
            carry = {name: torch.zeros_like(part) for name, part in carry.items()}
        if self.memory == "swapped":
            carry = {name: part.roll(1, 0) for name, part in carry.items()}
        return self.search(replace(situation, context=replace(situation.context, carry=carry)))


def loops(model: WorldModel, count: int, seed: int) -> tuple[Tensor, Tensor, npt.NDArray[np.float64]]:
    """Go to a goal of another room in 100 steps, with detours, and back to the start in 100 more.

    Returns:
        Latents ``[N, T, D]``, blocks ``[N, T - 1, A']`` and true positions ``[N, T, 2]`` at block boundaries.
    """
    env, rng = loop_rooms(), np.random.default_rng(seed)
    tasks = env.tasks(count, seed)
    observation, frames, actions, places = env.begin(tasks.start), [], [], []
    for step in range(40 * STEPS + 1):
        if step % STEPS == 0:
            with torch.no_grad():
                frames.append(model.encode(observation))
            places.append(np.array(env.state()["position"]))
        if step < 40 * STEPS:
            action = env.expert(env.state(), tasks.goal if step < 20 * STEPS else tasks.start)
            wanders = (rng.random((count, 1)) < 0.25) & (step < 20 * STEPS)
            action = np.where(wanders, rng.uniform(-1, 1, action.shape), action).astype(np.float32)
            actions.append(action)
            observation = env.step(action).observation
    blocks = np.stack(actions, axis=1).reshape(count, 40, -1)
    return torch.stack(frames, dim=1), torch.from_numpy(blocks), np.stack(places, axis=1)
