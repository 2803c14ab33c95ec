"""Soft actor-critic of stable-baselines3 in Pendulum, for `pendulum.py`; runs without Tacit."""

import time
from typing import Any

import gymnasium
import stable_baselines3


def learn(steps: list[int], episodes: int, seed: int, first_task: int) -> dict[str, Any]:
    """Return the returns of held-out episodes after some numbers of environment steps, and CPU seconds until then.

    Settings of RL Baselines3 Zoo for Pendulum-v1: the defaults and a learning rate of 1e-3.
    """
    agent = stable_baselines3.SAC("MlpPolicy", gymnasium.make("Pendulum-v1"), learning_rate=1e-3, seed=seed)
    returns, seconds, done, spent = [], [], 0, 0.0
    for upto in steps:
        began = time.process_time()
        agent.learn(upto - done, reset_num_timesteps=False)
        spent, done = spent + time.process_time() - began, upto
        returns.append([episode(agent, first_task + index) for index in range(episodes)])
        seconds.append(round(spent, 1))
    return {"returns": returns, "cpu_seconds": seconds}


def episode(agent: Any, seed: int) -> float:
    """Return the sum of rewards of one episode without noise."""
    env, total, over = gymnasium.make("Pendulum-v1"), 0.0, False
    observation, _ = env.reset(seed=seed)
    while not over:
        action, _ = agent.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, _ = env.step(action)
        total, over = total + float(reward), terminated or truncated
    return total
