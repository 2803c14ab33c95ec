"""Work of version 0.1 for `paired_success.py`: record, train, save the agent and pursue the tasks."""

from pathlib import Path
from typing import Any

import numpy as np

import tacit as tc
from environments import answer


def pursue(
    recipe: str, env: str, episodes: int, repeat: str, task_seed: int, tasks: int, seed: int, to: Path
) -> dict[str, Any]:
    recorded = tc.collect(env, tc.collection.Random(hold=float(repeat)), episodes=episodes, steps=100, seed=seed)
    train, _ = recorded.split(0.9, seed=0)
    agent = tc.recipes.load(recipe)().learn(train, seed=seed, to=to / "run")
    found = tc.evaluation.closed_loop(agent, tc.envs.make_goal(env), tasks, task_seed)
    agent.save(to / "agent")
    np.save(to / "old.npy", found.solved)
    return {"success": found.success.rate}


if __name__ == "__main__":
    answer(pursue=pursue)
