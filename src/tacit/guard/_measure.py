"""Application of several scores to one situation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.errors import SpecError
from tacit.types import GuardScore, Sensed

__all__ = ["missing_modalities"]


def part_slices(parts: Mapping[str, slice]) -> list[slice]:
    """Return the components of each latent part; one slice of all components where they are mixed."""
    return list(parts.values()) or [slice(None)]


@dataclass(frozen=True, eq=False)
class Reading:
    """A score, or its value for one latent part, in each world.

    Attributes:
        name: The name of the score; ``NAME of PART`` for one latent part.
        limits: See :class:`tacit.types.GuardScore`.
        values: ``[B]``; NaN where undefined.
    """

    name: str
    limits: tuple[float, float] | None
    values: npt.NDArray[np.float64]


def measured(scores: Sequence[GuardScore], sensed: Sensed) -> tuple[Reading, ...]:
    """Return the values of scores in one situation.

    Raises:
        SpecError: if a score returns another shape or two scores have one name.
    """
    found: list[Reading] = []
    for score in scores:
        values = np.asarray(score(sensed), np.float64)
        if values.shape == (sensed.batch,):
            found.append(Reading(score.name, score.limits, values))
        elif values.shape == (sensed.batch, len(sensed.parts)):
            columns = zip(sensed.parts, values.T, strict=True)
            found += [Reading(f"{score.name} of {part}", score.limits, column) for part, column in columns]
        else:
            raise SpecError(
                f"the score {score.name!r} returns [B] or [B, M] with a number for each of the {len(sensed.parts)} "
                f"latent parts; got {list(values.shape)} for {sensed.batch} worlds."
            )
    names = [reading.name for reading in found]
    if len({*names}) < len(names):
        raise SpecError(f"the scores of a guard have different names; got {', '.join(names)}.")
    return tuple(found)


def missing_modalities(
    observation: Mapping[str, npt.ArrayLike], modalities: Sequence[str], batch: int
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return flags ``[B]`` of the modalities that are absent or not finite, by name; those without any are left out.

    Args:
        observation: Per modality ``[B, ...]``.
        modalities: Names of the modalities that the model reads.
        batch: The number of worlds ``B``.
    """
    found = {}
    for name in modalities:
        if name not in observation:
            found[name] = np.ones(batch, np.bool_)
            continue
        values = np.asarray(observation[name])
        if values.dtype.kind == "f" and len(values) == batch:
            bad = ~np.isfinite(values.reshape(batch, -1)).all(axis=1)
            if bad.any():
                found[name] = bad
    return found
