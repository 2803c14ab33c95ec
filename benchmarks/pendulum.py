"""Pendulum by reward: a world model, rewards and values from state, next to soft actor-critic at equal steps.

The first episodes are random; then the agent records its own and everything is trained again on all of them.
Soft actor-critic is stable-baselines3's in an environment of its own.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import tacit as tc
from tacit import studies
from tacit.agent import RandomActor
from tacit.studies import Report, Run, RunResult, Study, Target, mean, table
from tacit.studies.environments import Script, install

HERE, ENV, STEPS = Path(__file__).parent, "gymnasium:Pendulum-v1", 200
PEER = ["stable-baselines3==2.9.2", "torch==2.13.0"]
HELD_OUT = 10_000
"""Seed of the held-out episodes, far from those of recordings."""


@dataclass(frozen=True)
class Settings:
    """Episodes that are recorded in turn, the first of them random; updates, and held-out episodes."""

    recorded: tuple[int, ...] = (15, 10)
    frameskip: int = 2
    latent: int = 8
    updates: int = 1000
    critic_updates: int = 1500
    horizon: int = 15
    episodes: int = 20


def agent_of(episodes: tc.data.Episodes, chosen: Settings, seed: int, to: Path) -> tc.Agent:
    """Return an agent that plans by reward, trained on some episodes."""
    skip = chosen.frameskip
    model = tc.models.WorldModel.for_spec(episodes.spec, latent=chosen.latent, frameskip=skip, seed=seed)
    objective = (
        tc.objectives.Prediction(steps=6) + tc.objectives.VICReg(over="pooled") + tc.objectives.InverseDynamics()
    )
    tc.train(model, objective, episodes.clips(8, skip), steps=chosen.updates, seed=seed, to=to, lr=2e-3, threads=1)
    torch.manual_seed(seed)
    config = tc.costs.ReturnCriticConfig(chosen.latent, model.config.action_size, discount=0.95)
    critic = tc.costs.ReturnCritic(config)
    tc.training.train_critic(model, critic, episodes.clips(2, skip), steps=chosen.critic_updates, seed=seed)
    planner = tc.planners.ICEM(samples=128, iterations=5, elites=12, std=1.0, beta=2.0)
    cost = tc.costs.ExpectedReturn(critic)
    return tc.Agent(model, planner, cost, horizon=chosen.horizon, repeat_action=True)


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, spent = run.settings, 0.0
    episodes: list[tc.Episode] = []
    actor: Any = "random"
    torch.set_num_threads(1)
    held_out = tc.envs.make(ENV, chosen.episodes)

    def score(actor: Any) -> Any:
        return tc.evaluation.score_episodes(
            actor, held_out, chosen.episodes, HELD_OUT + run.seed, steps=STEPS
        ).mean_return

    found: dict[str, Any] = {"random": score(RandomActor(held_out.spec.action)), "tacit": {}, "cpu_seconds": {}}
    for index, count in enumerate(chosen.recorded):
        began = time.process_time()
        more = tc.collect(ENV, actor, episodes=count, steps=STEPS, seed=100 * run.seed + index, num_envs=count)
        episodes = [*episodes, *more]
        data = tc.data.from_episodes(episodes, more.spec)
        actor = agent_of(data, chosen, run.seed, run.work / f"round{index}")
        spent += time.process_time() - began
        upto = str(len(episodes) * STEPS)
        found["cpu_seconds"][upto], found["tacit"][upto] = round(spent, 1), score(actor)
    peer = Script(HERE / "pendulum_sac.py", install(run.shared.absolute() / "sac", PEER, pinned=False))
    steps = [*map(int, found["tacit"])]
    sac = peer.call("learn", steps, chosen.episodes, run.seed, HELD_OUT + 1000 * run.seed)
    found["sac"] = {str(upto): tc.statistics.bootstrap(one) for upto, one in zip(steps, sac["returns"], strict=True)}
    found["sac_cpu_seconds"] = dict(zip(map(str, steps), sac["cpu_seconds"], strict=True))
    return {**found, "packages": PEER}


def compared(pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> str:
    """Return the verdict on returns of ours and theirs: ahead or behind if the intervals of all seeds are apart."""
    if all(ours["low"] > theirs["high"] for ours, theirs in pairs):
        return "ahead"
    return "behind" if all(ours["high"] < theirs["low"] for ours, theirs in pairs) else "intervals overlap"


def report(results: Mapping[str, RunResult]) -> Report:
    rows = []
    for name, run in results.items():
        one = run.values
        for steps, sac in one["sac"].items():
            spent = f"{one['cpu_seconds'][steps]} / {one['sac_cpu_seconds'][steps]}"
            rows.append((name, steps, mean(one["tacit"][steps], 0), mean(sac, 0), mean(one["random"], 0), spent))
    header = ("run", "environment steps", "Tacit", "SAC", "random", "CPU s of recording and training, Tacit / SAC")
    runs = [run.values for run in results.values()]
    targets = []
    for steps in runs[0]["tacit"]:
        ours, sac = (statistics.mean(one[side][steps]["mean"] for one in runs) for side in ("tacit", "sac"))
        quantity = f"Pendulum from state, mean return after {steps} environment steps"
        measured = f"{ours:.0f}, SAC {sac:.0f} (means of {len(runs)} seeds)"
        verdict = compared([(one["tacit"][steps], one["sac"][steps]) for one in runs])
        targets.append(Target(quantity, "next to SAC, whichever is ahead", measured, verdict))
    return Report([table(header, rows), "From pixels: not measured."], targets)


STUDY = Study(
    name="pendulum",
    title="Pendulum by reward",
    summary=(
        "Gymnasium's Pendulum-v1 from its state without a goal: mean returns of 20 held-out episodes with intervals, "
        "next to soft actor-critic of stable-baselines3 with the settings of RL Baselines3 Zoo."
    ),
    command="OMP_NUM_THREADS=1 uv run benchmarks/pendulum.py",
    cases={"state": Settings()},
    seeds=(0, 1, 2),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
