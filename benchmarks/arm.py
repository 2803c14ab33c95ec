"""A simulated arm that reaches and pushes after 50 scripted demonstrations, against replay and behaviour cloning."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import tacit as tc
from tacit import studies
from tacit.recipes import General
from tacit.studies import Report, Run, RunResult, Study, table
from tacit.studies.speed import Stopwatch
from tacit.types import Observation, Verdict

ACTORS = {
    "agent": "agent",
    "policy": "behaviour cloning on its latents",
    "replay": "replay of the nearest demonstration",
    "random": "random actions",
    "expert": "scripted controller, which knows the state",
}


@dataclass(frozen=True)
class Settings:
    """The task, the demonstrations and the training; nothing was tuned on the tasks of ``task_seed``.

    Attributes:
        task: ``reach`` or ``push``.
        frameskip: Steps of a block.
        horizon: Blocks to plan ahead.
        demonstrations: Recorded episodes.
        steps: Actions of each.
        noise: Standard deviation of the noise on the actions of the scripted controller.
        updates: Updates of the world model.
        tasks: Held-out tasks.
        task_seed: Their seed.
    """

    task: str
    frameskip: int
    horizon: int
    steps: int
    demonstrations: int = 50
    noise: float = 0.3
    updates: int = 2_000
    tasks: int = 200
    task_seed: int = 1


@dataclass(frozen=True)
class Demonstrations:
    """Policy for :func:`tacit.collect`: the scripted controller with noise, which shows ways back."""

    noise: float

    def __call__(self, env: Any, seeds: Sequence[int], steps: int) -> tuple[Observation, Any]:
        observation, act = tc.collection.Expert()(env, seeds, steps)
        size = env.spec.action.size
        noise = np.stack([np.random.default_rng([2, seed]).normal(0, self.noise, (steps, size)) for seed in seeds])

        def noisy(step: int, observation: Observation) -> npt.NDArray[np.float32]:
            action = act(step, observation) + noise[:, step]
            return np.asarray(np.clip(action, -1.0, 1.0), np.float32)

        return observation, noisy


class Replay:
    """Actor that executes the demonstration whose first and last images are nearest to the start and the goal."""

    def __init__(self, episodes: tc.data.Episodes) -> None:
        self.actions = np.stack([episode.action for episode in episodes])
        frames = [np.stack([e.observation["pixels"][0], e.observation["pixels"][-1]]) for e in episodes]
        self.ends = np.stack(frames).reshape(len(frames), -1).astype(np.float32)

    def start(self, *, seed: Any, batch: int = 1, goal: Observation | None = None) -> Any:
        del seed, batch
        assert goal is not None
        return 0, None, np.asarray(goal["pixels"])

    def act(self, state: Any, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, Any]:
        step, chosen, goal = state
        if chosen is None:
            ends = np.stack([observation["pixels"], goal], axis=1).reshape(len(goal), -1).astype(np.float32)
            chosen = np.array([np.square(self.ends - one).sum(axis=1).argmin() for one in ends])
        done = step >= self.actions.shape[1]
        action = np.zeros_like(self.actions[chosen, 0]) if done else self.actions[chosen, step]
        return action, Verdict.acting(len(goal)), (step + 1, chosen, goal)


def recipe(chosen: Settings) -> General:
    predictor = {"name": "transformer", "history": 2, "width": 128, "heads": 2, "mlp_width": 256}
    planner = tc.recipes.Part("icem", {"samples": 128, "iterations": 5, "elites": 8, "std": 0.5, "beta": 2.0})
    return General(
        model={"latent": 32, "frameskip": chosen.frameskip, "predictor": predictor},
        steps=chosen.updates,
        clip=5,
        training=tc.training.TrainingConfig(batch_size=32, lr=2e-3, weight_decay=1e-4),
        policy=tc.training.GoalPolicyTraining(ahead=chosen.steps // chosen.frameskip),
        acting=tc.recipes.Acting(
            planner=planner,
            cost=(tc.recipes.Part("goal", {"reduce": "sum"}),),
            horizon=chosen.horizon,
            repeat_action=True,
            proposals=24,
        ),
    )


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, laps = run.settings, Stopwatch()
    env = tc.envs.Arm(task=chosen.task)  # type: ignore[arg-type]
    recorded = tc.collect(
        f"arm:task={chosen.task}",
        Demonstrations(chosen.noise),
        episodes=chosen.demonstrations,
        steps=chosen.steps,
        seed=1000 + run.seed,
    )
    laps.end("collect")
    shutil.rmtree(run.work / "run", ignore_errors=True)
    agent = recipe(chosen).learn(recorded, seed=run.seed, to=run.work / "run")
    laps.end("train")
    assert agent.proposal is not None
    actors: dict[str, Any] = {
        "agent": agent,
        "policy": tc.agent.PolicyActor(agent.model, agent.proposal),
        "replay": Replay(recorded),
        "random": tc.agent.RandomActor(env.spec.action, repeat=agent.frameskip),
        "expert": tc.evaluation.ExpertActor(env),
    }
    scores, nearest = {}, {}
    for name, actor in actors.items():
        found = tc.evaluation.closed_loop(actor, env, chosen.tasks, chosen.task_seed)
        scores[name] = found.success
        nearest[name] = float(np.median(found.distances.min(axis=1)))
        laps.end(name)
    env.close()
    return {"data_hash": recorded.hash(), "success": scores, "nearest": nearest, "seconds": laps.seconds}


def report(results: Mapping[str, RunResult]) -> Report:
    rows = [
        (
            name.partition("/")[0],
            title,
            studies.rate(run.values["success"][actor]),
            f"{100 * run.values['nearest'][actor]:.1f} cm",
        )
        for name, run in results.items()
        for actor, title in ACTORS.items()
    ]
    costs = [
        (
            name.partition("/")[0],
            f"{run.values['seconds']['train_cpu']:.0f}",
            f"{run.values['seconds']['agent_cpu']:.0f}",
        )
        for name, run in results.items()
    ]
    header = ("task", "actor", "tasks solved", "nearest distance, median")
    return Report([table(header, rows), table(("task", "training, CPU s", "acting of the agent, CPU s"), costs)])


STUDY = Study(
    name="arm",
    title="Simulated arm from 50 demonstrations",
    summary=(
        "An arm of five joints and a gripper in MuJoCo (`tc.envs.Arm`), goals given as images of 64 px, 200 held-out "
        "tasks. Each task has its own 50 demonstrations of a scripted controller with noise on its actions, the only "
        "data; all learned actors use the same latents. One training seed."
    ),
    command="MUJOCO_GL=egl uv run benchmarks/arm.py",
    cases={
        "reach": Settings("reach", frameskip=2, horizon=4, steps=24),
        "push": Settings("push", frameskip=3, horizon=5, steps=54, updates=1_200),
    },
    seeds=(0,),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
