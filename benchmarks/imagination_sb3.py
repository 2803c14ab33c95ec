"""Policies on frozen latents by soft actor-critic of stable-baselines3, for `imagination.py`."""

import itertools
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import SAC

import tacit as tc
from tacit.agent import LatentActor
from tacit.types import Rollout

TASKS, DATA, HELD_OUT = 1_000_000, 100, 7_000
"""First seeds of the tasks that the policy in the real environment learns from, of recordings and of evaluations."""
OPTIONS: dict[str, Any] = {
    "policy_kwargs": {"net_arch": [128, 128]},
    "learning_rate": 1e-3,
    "batch_size": 128,
    "gamma": 0.9,
    "train_freq": 4,
    "gradient_steps": 2,
    "learning_starts": 1000,
}
"""Options of soft actor-critic, the same in imagination and in the real environment."""
COST = tc.costs.Goal()
"""The cost of a block, whose negative energy is the reward of both."""


@torch.no_grad()
def encoded(model: Any, observation: Any) -> torch.Tensor:
    """Return latents ``[B, D]``."""
    latents: torch.Tensor = model.encode(observation)
    return latents


def reward(latent: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """Return the rewards ``[B]`` of blocks that end in latents ``[B, D]``, as imagination gives them."""
    rewards: torch.Tensor = -COST(Rollout(latent, latent[:, None, None], latent[:, None, None, :0], goal))[:, 0]
    return rewards


class RealLatents(gymnasium.Env[dict[str, Any], Any]):
    """Two Rooms in latents: an action is repeated for a block, and the reward is the one of imagination."""

    def __init__(self, model: Any, horizon: int, first_task: int) -> None:
        self.model, self.horizon, self.env, self.task = model, horizon, tc.envs.TwoRooms(), first_task
        box = spaces.Box(-np.inf, np.inf, (model.latent_size,), np.float32)
        self.observation_space = spaces.Dict({"latent": box, "goal": box})
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed, options=options)
        tasks = self.env.tasks(1, seed=self.task)
        self.task, self.block = self.task + 1, 0
        self.goal = encoded(self.model, self.env.observe(tasks.goal))
        self.latent = encoded(self.model, self.env.begin(tasks.start))
        return self._shown(), {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        for _ in range(self.model.frameskip):
            seen = self.env.step(np.asarray(action, np.float32)[None]).observation
        self.latent, self.block = encoded(self.model, seen), self.block + 1
        return self._shown(), float(reward(self.latent, self.goal)[0]), False, self.block >= self.horizon, {}

    def _shown(self) -> dict[str, Any]:
        return {"latent": self.latent[0].numpy(), "goal": self.goal[0].numpy()}


def frozen() -> Any:
    """Return the world model of the pretrained agent."""
    model: Any = tc.recipes.pretrained("two_rooms").model
    return model.eval()


def imagined(model: Any, chosen: dict[str, Any], seed: int, worlds: int, guarded: bool) -> tc.envs.Imagined:
    """Return the imagined environment, with starts and goals of recorded random episodes."""
    episodes = tc.collect("two_rooms", episodes=chosen["episodes"], steps=chosen["steps"], seed=DATA + seed)
    guard = None
    if guarded:
        half = len(episodes) // 2
        scores = [tc.guard.NearestNeighbors.fit(tc.guard.record(model, episodes[:half]).known, model.latent_parts)]
        guard = tc.guard.calibrate(model, episodes[half:], scores=scores, false_alarm_rate=chosen["false_alarm_rate"])
    return tc.envs.Imagined(
        model, episodes, COST, worlds, goals="any", repeat_action=True, horizon=chosen["horizon"], guard=guard
    )


def learn(chosen: dict[str, Any], seed: int, real: bool, marks: list[int], folder: str) -> dict[str, Any]:
    """Learn with a checkpoint after each of some numbers of blocks, and return the CPU seconds."""
    began, model = time.process_time(), frozen()
    if real:
        env: Any = RealLatents(model, chosen["horizon"], TASKS + 100_000 * seed)
    else:
        env = tc.envs.to_gymnasium(imagined(model, chosen, seed, 1, True))
    learner, done = SAC("MultiInputPolicy", env, seed=seed, **OPTIONS), 0
    for mark in marks:
        learner.learn(mark - done, reset_num_timesteps=False)
        learner.save(Path(folder) / f"{'real' if real else 'imagined'}{mark}.zip")
        done = mark
    return {"cpu_seconds": round(time.process_time() - began, 1)}


def policy_of(path: str, random: float, seed: int) -> Any:
    """Return a policy that takes a uniform action instead of its own with a probability."""
    learner, rng = SAC.load(path), np.random.default_rng(seed)

    def act(seen: dict[str, Any]) -> Any:
        chosen = learner.predict(seen, deterministic=True)[0]
        other = rng.uniform(-1, 1, chosen.shape)
        return np.where(rng.random((len(chosen), 1)) < random, other, chosen).astype(np.float32)

    return act


def solved(path: str, tasks: int, seed: int) -> dict[str, Any]:
    """Return the share of held-out tasks that a checkpoint solves in the real environment."""
    actor = LatentActor(frozen(), policy_of(path, 0.0, seed))
    found = tc.evaluation.closed_loop(actor, tc.envs.TwoRooms(), tasks, HELD_OUT + seed, progress=False)
    return {"solved": int(found.solved.sum()), "n": tasks}


def returns(chosen: dict[str, Any], seed: int, paths: list[str], noises: list[float], count: int) -> list[Any]:
    """Return mean sums over the blocks of an episode of each policy.

    They are those of the rewards in imagination, and of the rewards and the true distances in the real environment.
    """
    model, real = frozen(), tc.envs.TwoRooms()
    env, tasks = imagined(model, chosen, seed, count, False), real.tasks(count, seed=HELD_OUT + 1000 + seed)
    goal, rows = encoded(model, real.observe(tasks.goal)), []
    for path, noise in itertools.product(paths, noises):
        policy, seen, total = policy_of(path, noise, seed), env.reset(HELD_OUT + seed), 0.0
        for _ in range(chosen["horizon"]):
            now = env.step(policy(seen))
            assert now.reward is not None, "an imagined block has a reward"
            seen, total = now.observation, total + float(now.reward.mean())
        latent, rewards, distances = encoded(model, real.begin(tasks.start)), 0.0, 0.0
        policy = policy_of(path, noise, seed)
        for _ in range(chosen["horizon"]):
            action = policy({"latent": latent.numpy(), "goal": goal.numpy()})
            for _ in range(model.frameskip):
                shown = real.step(action).observation
            latent = encoded(model, shown)
            rewards += float(reward(latent, goal).mean())
            distances += float(real.distance(real.state(), tasks.goal).mean())
        name = f"{Path(path).stem}, {100 * noise:.0f} % random"
        rows.append({"policy": name, "imagined": total, "real": rewards, "distance": distances})
    return rows
