"""Work of version 0.1 for `paired_success.py`: record, train, save the agent and pursue the tasks."""

import sys
from pathlib import Path

import numpy as np
import torch

import tacit as tc
from environments import answer

recipe, env, *numbers = sys.argv[1:-1]
episodes, repeat, task_seed, tasks, seed = int(numbers[0]), float(numbers[1]), *map(int, numbers[2:])
folder = Path(sys.argv[-1])
torch.set_num_threads(1)
recorded = tc.collect(env, tc.collection.Random(hold=repeat), episodes=episodes, steps=100, seed=seed)
train, _ = recorded.split(0.9, seed=0)
agent = tc.recipes.load(recipe)().learn(train, seed=seed, to=folder / "run")
found = tc.evaluation.closed_loop(agent, tc.envs.make_goal(env), tasks, task_seed)
agent.save(folder / "agent")
np.save(folder / "old.npy", found.solved)
answer(success=found.success.rate)
