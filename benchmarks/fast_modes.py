"""Model evaluations of an episode: small searches with proposals and a distilled policy, next to CEM in all sizes."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

import tacit as tc
from tacit import studies
from tacit.agent import MixedProposals, PolicyActor
from tacit.models import Dynamics, GoalPolicy
from tacit.studies import Report, Run, RunResult, Study, Target, at_most, met, rate, table
from tacit.studies.speed import Stopwatch
from tacit.types import Actor, Context, Observation, Spec, WorldModel

HELD_OUT = 1_000_003
"""Seed of the tasks; episodes to learn from are drawn with the seeds of the runs."""
FAST = "search with the distilled policy"
LARGEST = 300 * 30
GRID = tuple((samples, rounds) for samples in (8, 16, 32, 64, 128) for rounds in (1, 2, 3, 5))


@dataclass(frozen=True)
class Settings:
    """Data of the distillation, size of the small searches and tasks. Chosen on 100 tasks of another seed."""

    episodes: int = 300
    updates: int = 1500
    searches: int = 4000
    samples: int = 4
    proposals: int = 2
    tasks: int = 200


@dataclass
class Counted:
    """A world model that counts the blocks that it predicts, those of proposals included."""

    model: WorldModel
    blocks: int = 0
    spec: Spec = field(init=False)
    frameskip: int = field(init=False)
    history: int = field(init=False)
    device: torch.device = field(init=False)
    latent_parts: Mapping[str, slice] = field(init=False)

    def __post_init__(self) -> None:
        self.spec, self.frameskip, self.history = self.model.spec, self.model.frameskip, self.model.history
        self.device, self.latent_parts = self.model.device, self.model.latent_parts

    def encode(self, observation: Observation, /) -> Tensor:
        return self.model.encode(observation)

    def rollout(self, context: Context, blocks: Tensor, /) -> Tensor:
        self.blocks += blocks[..., 0].numel()
        return self.model.rollout(context, blocks)


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, laps, env = run.settings, Stopwatch(), tc.envs.make_goal("two_rooms")
    agent = tc.recipes.pretrained("two_rooms")
    model, policy = agent.model, agent.proposal
    assert isinstance(model, Dynamics)
    assert isinstance(policy, GoalPolicy)
    episodes = tc.collect("two_rooms", episodes=chosen.episodes, steps=100, seed=run.seed)
    clips = episodes.clips(2, model.frameskip, tuple(model.normalizers))
    laps.end("collect")
    distilled = copy.deepcopy(policy)
    options = {"steps": chosen.updates, "searches": chosen.searches, "seed": run.seed}
    tc.training.distill_policy(agent, distilled, clips, **options)
    laps.end("distil")
    recorded = tc.training.record_proposals(model, clips, horizon=agent.config.horizon, seed=run.seed)
    small = replace(agent.config, planner=tc.planners.CEM(chosen.samples, 1, 2), proposals=chosen.proposals)
    counted = Counted(model.eval())
    actors: dict[str, Actor] = {
        "agent": tc.Agent.of(counted, agent.config, policy),
        "search without proposals": tc.Agent.of(counted, small),
        "search with the policy of recorded actions": tc.Agent.of(counted, small, policy),
        "search with recorded actions": tc.Agent.of(counted, small, recorded),
        FAST: tc.Agent.of(counted, small, distilled),
        "search with both": tc.Agent.of(counted, small, MixedProposals((distilled, recorded), (1, 1))),
        "policy of recorded actions alone": PolicyActor(counted, policy),
        "distilled policy alone": PolicyActor(counted, distilled),
    }
    for samples, rounds in GRID:
        planner = tc.planners.CEM(samples, rounds, max(2, samples // 8), std=0.7)
        actors[f"CEM {samples} x {rounds}"] = tc.Agent.of(counted, replace(agent.config, planner=planner))
    found: dict[str, Any] = {}
    solved: dict[str, np.ndarray] = {}
    for name, actor in actors.items():
        counted.blocks = 0
        loop = tc.evaluation.closed_loop(actor, env, chosen.tasks, HELD_OUT)
        solved[name] = loop.solved.astype(float)
        found[name] = {"success": loop.success, "blocks": counted.blocks / chosen.tasks}
    for name, one in found.items():
        for other in ("agent", FAST):
            one[f"less {other}"] = tc.statistics.bootstrap(solved[name] - solved[other])
    laps.end("act")
    decisions = env.rules.budget // model.frameskip
    largest = decisions * (LARGEST * agent.config.horizon + 1)
    return {"actors": found, "largest": largest, "data_hash": episodes.hash(), "seconds": laps.seconds}


def equal_cem(actors: Mapping[str, Any]) -> str:
    """Return the CEM of the fewest evaluations that does not solve significantly fewer tasks than the fast search."""
    equal = [name for name in actors if name.startswith("CEM") and actors[name][f"less {FAST}"]["high"] >= 0]
    return min(equal, key=lambda name: float(actors[name]["blocks"]))


def report(results: Mapping[str, RunResult]) -> Report:
    rows: list[tuple[str, ...]] = []
    thirds, tenths, lows = [], [], []
    for run, result in results.items():
        actors, seed = result.values["actors"], run.rpartition("/")[2]
        fast, cem = actors[FAST]["blocks"], equal_cem(actors)
        thirds.append(fast / actors[cem]["blocks"])
        tenths.append(fast / result.values["largest"])
        lows.append(100 * actors[FAST]["less agent"]["low"])
        for name, one in actors.items():
            if rows and name.startswith(("CEM", "agent")) and rows[0][0] != seed:
                continue  # they depend on the tasks alone
            least = " (the smallest that equals the fast search)" if name == cem else ""
            rows.append((seed, name + least, rate(one["success"]), f"{one['blocks']:,.0f}"))
    rows.append(("", "CEM 300 x 30", "not run", f"{result.values['largest']:,.0f}"))
    targets = [
        at_most(
            f"{FAST}: evaluations over the smallest CEM of equal success, worst seed",
            max(thirds),
            1 / 3,
            "{:.3f}",
            "<= {:.3f}",
        ),
        at_most(f"{FAST}: evaluations over CEM 300 x 30, worst seed", max(tenths), 0.1, "{:.4f}"),
        Target(
            f"{FAST}: solved next to the agent, paired",
            "lower bound above -3 points on every seed",
            f"worst of {len(lows)}: {min(lows):+.1f} points",
            met(min(lows) > -3),
        ),
    ]
    header = ("seed", "actor", "solved", "predicted blocks of an episode")
    return Report([table(header, rows)], targets)


STUDY = Study(
    name="fast_modes",
    title="Fast and slow modes",
    summary=(
        "The pretrained agent of Two Rooms and its model in smaller searches on 200 held-out tasks of 20 decisions. "
        "Counted are all blocks that the model predicts: candidates of 6 blocks, the imagination of proposals, and one "
        "for the surprise of each decision. The small searches rate 4 candidates of their own and 2 proposals in one "
        "round. The policy is distilled from 4,000 searches in each of two rounds, on 300 episodes of random actions."
    ),
    command="uv run benchmarks/fast_modes.py",
    cases={"two_rooms": Settings()},
    seeds=(0, 1, 2),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
