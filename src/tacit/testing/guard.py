"""Conformance suite of guard scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from tacit.testing._promises import expect
from tacit.types import Context, GuardScore, Sensed

__all__ = ["check_guard_score", "sensed"]

WORLDS, STEPS = 4, 6


def sensed(latent: int = 6, block: int = 4, parts: Mapping[str, slice] | None = None, seed: int = 0) -> Sensed:
    """Return random inputs of guard scores in four worlds, with forecasts of six blocks.

    Args:
        latent: Size ``D`` of a latent.
        block: Size ``A'`` of a block.
        parts: See :class:`tacit.types.Sensed`.
        seed: Seed of the numbers.
    """
    draw = np.random.default_rng(seed)

    def normal(*shape: int) -> Any:
        return draw.normal(size=shape).astype(np.float32)

    before = Context(normal(WORLDS, 1, latent))
    steps, age = np.arange(WORLDS) + STEPS, draw.uniform(0, 1, WORLDS).astype(np.float32)
    forecasts, executed = normal(WORLDS, STEPS, latent), normal(WORLDS, block)
    return Sensed(normal(WORLDS, latent), forecasts, steps, age, before, executed, parts or {})


def check_guard_score(
    score: GuardScore, latent: int = 6, block: int = 4, parts: Mapping[str, slice] | None = None
) -> None:
    """Check that a score keeps the promises of :class:`tacit.types.GuardScore`.

    Args:
        score: The score.
        latent: Size ``D`` of the latents that it takes.
        block: Size ``A'`` of the blocks that it takes.
        parts: The latent parts that it takes.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    expect(isinstance(score, GuardScore), "a score must have name, steps and limits, and be callable")
    expect(bool(score.name) and score.steps >= 0, "a score must have a name, and read 0 or more blocks")
    if score.limits is not None:
        expect(score.limits[0] <= score.limits[1], "the limit to slow down must not be above the limit to stop")
    whole = sensed(latent, block, parts)
    shown = replace(whole, forecasts=whole.forecasts[:, : score.steps])
    copied = _each(shown, lambda array: array.copy())
    found = np.asarray(score(copied))
    shapes = [(WORLDS,), (WORLDS, len(parts or {}))]
    expect(found.shape in shapes, "it must return [B], or [B, M] with one score for each latent part")
    expect(bool(np.isfinite(found).all()), "where all its inputs are finite it must be finite")
    same = [np.array_equal(vars(copied)[name], vars(shown)[name]) for name in _arrays(shown)]
    expect(all(same), "it must not write to its argument")
    alone = [score(_each(shown, lambda array, row=row: array[row : row + 1])) for row in range(WORLDS)]  # type: ignore[misc]
    expect(np.allclose(np.concatenate(alone), found, rtol=1e-4, atol=1e-6), "a world must not depend on the others")
    start = replace(_each(shown, lambda array: array), before=None, block=None)
    start = replace(start, forecasts=np.full_like(shown.forecasts, np.nan), age=np.full_like(shown.age, np.nan))
    first = np.asarray(score(start))
    expect(first.shape == found.shape, "at the first boundary it must return the same shape")
    expect(not bool(np.isinf(first).any()), "where it is undefined it must be NaN")
    lost = shown.latents.copy()
    lost[0] = np.nan
    partly = np.asarray(score(replace(shown, latents=lost)))
    expect(np.allclose(partly[1:], found[1:], rtol=1e-4, atol=1e-6), "latents that are not finite must not spread")


def _arrays(inputs: Sensed) -> list[str]:
    return [one.name for one in fields(inputs) if isinstance(vars(inputs)[one.name], np.ndarray)]


def _each(inputs: Sensed, change: Callable[[Any], Any]) -> Sensed:
    """Return inputs with every array changed."""
    changed = replace(inputs, **{name: change(vars(inputs)[name]) for name in _arrays(inputs)})
    return changed if inputs.before is None else replace(changed, before=Context(change(inputs.before.latents)))
