"""Plans of an agent next to the actions that were recorded between the same two observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tacit.data.groups import units
from tacit.errors import ConfigError
from tacit.probing.encoder import draw_clips
from tacit.statistics.intervals import Estimate, bootstrap

if TYPE_CHECKING:
    from tacit.agent import Agent
    from tacit.data import Episodes

__all__ = ["PlanAgreement", "compare_plans"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PlanAgreement:
    """Distance of planned actions from recorded ones, in standard deviations of the recorded actions.

    A plan may differ from a recording and still be good. Far above ``chance`` it calls for a look.

    Attributes:
        planned: Distance of the first planned action.
        chance: Distance of an action that was recorded at another time.
        correlation: Of planned and recorded actions, one for each component; NaN where one of them is constant.
        windows: Pairs of a start and a goal.
        steps: Blocks from start to goal.
    """

    planned: Estimate
    chance: Estimate
    correlation: tuple[float, ...]
    windows: int
    steps: int

    def __str__(self) -> str:
        each = ", ".join(f"{one:.2f}" for one in self.correlation)
        return (
            f"{self.windows} plans to what was observed {self.steps} steps later: {self.planned.mean:.2f} standard "
            f"deviations from the recorded action (another recorded action: {self.chance.mean:.2f}); correlation {each}"
        )


def compare_plans(
    agent: Agent, held_out: Episodes, *, steps: int | None = None, windows: int = 64, seed: int = 0
) -> PlanAgreement:
    """Plan from recorded observations to later ones, and compare the first action with the recorded one.

    Args:
        agent: The agent; it plans once for each window.
        held_out: Recordings that its model was not trained on.
        steps: Blocks from start to goal. None: the horizon of the agent, or fewer where episodes are shorter.
        windows: The largest number of windows.
        seed: Seed of the windows and of the plans.

    Raises:
        ConfigError: if an option is too small, or there are fewer than two windows.
        DataError: if no episode is long enough.
    """
    model, space = agent.model, held_out.spec.action
    longest = (int(held_out.lengths.max()) - 1) // model.frameskip
    ahead = min(agent.config.horizon, longest) if steps is None else steps
    if ahead < 1 or windows < 2:
        raise ConfigError(f"plans are compared over steps >= 1 in windows >= 2; got {ahead} and {windows}.")
    names = tuple(held_out.spec.modalities) if not hasattr(model, "config") else tuple(model.config.inputs)
    clips = held_out.clips(ahead + 1, model.frameskip, names)
    planned, recorded, unit = [], [], []
    for part, clip in enumerate(draw_clips(clips, windows, seed)):
        count = len(clip.action)
        first, last = ({name: values[:, at].numpy() for name, values in clip.observation.items()} for at in (0, -1))
        state = agent.start(seed=[seed * 100_003 + part * 1_009 + row for row in range(count)], batch=count, goal=last)
        action, _, _ = agent.act(state, first)
        planned.append(action)
        recorded.append(clip.action[:, 0, : space.size].numpy().copy())
        unit.append(units(held_out.groups)[clip.episode.numpy()])
    found, actual = np.concatenate(planned).astype(np.float64), np.concatenate(recorded).astype(np.float64)
    if len(found) < 2:
        raise ConfigError("plans are compared in two windows at least; record more, or ask for fewer steps.")
    other = np.roll(actual, len(actual) // 2, axis=0)
    groups = np.concatenate(unit)
    scale = np.where(actual.std(axis=0) > 1e-9, actual.std(axis=0), 1.0)
    return PlanAgreement(
        _distance((found - actual) / scale, groups, seed),
        _distance((other - actual) / scale, groups, seed),
        tuple(_correlation(a, b) for a, b in zip(found.T, actual.T, strict=True)),
        len(found),
        ahead,
    )


def _distance(apart: Floats, unit: npt.NDArray[np.int64], seed: int) -> Estimate:
    """Return the mean distance of a component, with an interval over recordings."""
    distance = np.sqrt(np.square(apart).mean(axis=1))
    return bootstrap([float(distance[unit == one].mean()) for one in np.unique(unit)], seed)


def _correlation(first: Floats, second: Floats) -> float:
    return float(np.corrcoef(first, second)[0, 1]) if min(first.std(), second.std()) > 1e-9 else float("nan")
