"""Findings in recorded data, with their file, episode and field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from tacit.errors import DataError
from tacit.types import Array, Box, Discrete, Episode, Spec

__all__ = ["Defect", "Finding", "Labels", "Severity", "label_schema", "problems"]

Labels = Mapping[str, tuple[str, tuple[int, ...]]]
"""Dtype and shape of one step of every label."""
Severity: TypeAlias = Literal["error", "warning"]
"""``error``: the data are wrong as they are; ``warning``: they are readable, and something in them is unusual."""


@dataclass(frozen=True)
class Finding:
    """Single defect of a dataset, or remark on its quality.

    Attributes:
        file: The file that holds it.
        episode: The number of the episode in its dataset, where the defect is in one.
        field: The modality, label, column or key.
        problem: The expected value and the found value.
        severity: ``error`` or ``warning``.
        check: The name of the check in ``tacit.data.quality`` that found it; empty for a defect of a file.
        steps: The first and the last step that are meant; of a series, the samples.
        advice: The next step.
    """

    file: str
    episode: int | None
    field: str
    problem: str
    severity: Severity = "error"
    check: str = ""
    steps: tuple[int, int] | None = None
    advice: str = ""

    def __str__(self) -> str:
        where = [self.file] if self.file else []
        where += [] if self.episode is None else [f"episode {self.episode}"]
        where += [f"field {self.field!r}"]
        where += [] if self.steps is None else [f"steps {self.steps[0]} to {self.steps[1]}"]
        advice = f" {self.advice}" if self.advice else ""
        warning = "warning: " if self.severity == "warning" else ""
        return f"{warning}{', '.join(where)}: {self.problem}{advice}"


class Defect(DataError):
    """:class:`DataError` that carries its :class:`Finding`."""

    def __init__(self, file: object, episode: int | None, field: str, problem: str, code: str = "") -> None:
        self.finding = Finding(str(file), episode, field, problem)
        super().__init__(str(self.finding), code)


def label_schema(episode: Episode) -> Labels:
    """Return dtype and shape of one step of each label of ``episode``."""
    arrays = {name: value for name, value in episode.labels.items() if isinstance(value, np.ndarray)}
    found = {name: (str(value.dtype), value.shape[1:]) for name, value in arrays.items()}
    return {name: found.get(name, ("float32", ())) for name in episode.labels}  # non-arrays are refused later


def problems(episode: Episode, spec: Spec, labels: Labels) -> Iterator[tuple[str, str]]:
    """Yield each field of ``episode`` that breaks ``spec`` or ``labels``, with the problem; skip missing modalities."""
    steps = len(episode)
    action = (steps - 1, spec.action.size)
    if steps < 2 and spec.action.size:
        yield "action", "the episode is empty: expected at least one action between two observations. Leave it out."
    if episode.seed is not None and not (isinstance(episode.seed, int) and abs(episode.seed) < 2**63):
        yield "seed", f"expected an int of 64 bits or None; got {episode.seed!r}."
    for name, value in episode.observation.items():
        modality = spec.modalities[name]
        yield from _array(name, value, (spec.samples(name, steps), *modality.shape), str(modality.dtype))
    yield from _actions("action", episode.action, action, spec)
    if episode.final_action is not None:
        yield from _actions("final_action", episode.final_action, action[1:], spec)
    for name in sorted({*labels, *episode.labels}):
        field = f"label.{name}"
        if name not in episode.labels:
            yield field, "the label is missing; every episode of a dataset has the same labels."
        elif name not in labels:
            yield field, f"the other episodes have no such label, only {', '.join(sorted(labels)) or 'none'}."
        elif isinstance(value := episode.labels[name], np.ndarray) and value.dtype.kind not in "biuf":
            advice = "Store names as whole numbers, which are classes, and what holds for a whole episode as its task."
            yield field, f"labels are numbers; got dtype {value.dtype}. {advice}"
        else:
            dtype, shape = labels[name]
            yield from _array(field, episode.labels[name], (steps, *shape), dtype)


def _array(field: str, value: Array, shape: tuple[int, ...], dtype: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, np.ndarray):
        yield field, f"expected a numpy array; got {type(value).__name__}. Convert it with np.asarray."
    elif value.shape != shape:
        hint = " T observations have T - 1 actions between them." if value.shape[1:] == shape[1:] else ""
        yield field, f"expected shape {shape}; got {value.shape}.{hint}"
    elif str(value.dtype) != dtype:
        to = f"Convert it with .astype(np.{dtype})."
        if dtype == "uint8":
            to = "Pixels are bytes in 0..255: scale numbers in [0, 1] by 255, round, then .astype(np.uint8)."
        yield field, f"expected dtype {dtype}; got {value.dtype}. {to}"
    elif value.dtype.kind == "f" and not np.isfinite(value).all():
        step = int(np.argwhere(~np.isfinite(value))[0][0])
        yield field, f"expected finite numbers; got {'NaN' if np.isnan(value).any() else 'inf'}, first in row {step}."


def _actions(field: str, value: Array, shape: tuple[int, ...], spec: Spec) -> Iterator[tuple[str, str]]:
    before = list(_array(field, value, shape, "float32"))
    if before:
        yield from before
        return
    for where, space in spec.action.parts:
        yield from _part(field, value[..., where], space, where.start)


def _part(field: str, value: Array, space: Box | Discrete, first: int) -> Iterator[tuple[str, str]]:
    """Yield the problems of the components of an action from ``first`` on, which belong to a simple space."""
    if not space.size:
        return
    if isinstance(space, Box):
        low, high = np.array(space.low, np.float32), np.array(space.high, np.float32)
        rounding = np.spacing(np.maximum(np.abs(low), np.abs(high)))
        numbers = value.astype(np.float32, copy=False)
        outside = (numbers < low - rounding) | (numbers > high + rounding)
        if outside.any():
            component = int(np.argwhere(outside)[0][-1])
            worst = np.abs(numbers[..., component]).max()
            bounds = f"[{low[component]:g}, {high[component]:g}]"
            advice = "Clip the actions, or widen the Box to what the actuator accepts."
            yield field, f"component {first + component} leaves {bounds} (up to {worst:g} in size). {advice}"
    elif not (np.isin(value, (0.0, 1.0)).all() and (value.sum(-1) == 1.0).all()):
        place = f" in components {first} to {first + space.size - 1}" if first else ""
        yield field, f"expected one-hot rows of width {space.size}{place}, exactly one 1 in each."
