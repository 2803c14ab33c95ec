"""Probes compared with their baselines, and fitted on few labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._progress import track
from tacit.errors import ConfigError, DataError
from tacit.probing.baselines import floors
from tacit.probing.features import Encoder, Features, Trainable, encoded, features, some, windows
from tacit.probing.probes._probe import Probe, is_class, readable
from tacit.probing.probes._readings import Reading
from tacit.probing.probes.constant import Constant
from tacit.probing.probes.dense import Dense
from tacit.probing.probes.linear import Linear
from tacit.statistics.intervals import Estimate, bootstrap

if TYPE_CHECKING:
    from tacit.data import Clips, Episodes

__all__ = [
    "FewLabels",
    "beside_floors",
    "blind",
    "low_shot",
    "readings",
    "sources",
]


@dataclass(frozen=True)
class FewLabels:
    """Accuracy of a probe after a few labels of each class.

    Attributes:
        shots: Labels of each class that it was fitted on.
        accuracy: Mean over the draws of those labels, with its bootstrap interval over the draws.
        draws: The accuracy of each.
        chosen_on: Further labels of each class that chose settings, none where there was nothing to choose.
        rows_test: Held-out rows, the same for every draw.
    """

    shots: int
    accuracy: Estimate
    draws: tuple[float, ...]
    chosen_on: int
    rows_test: int


def low_shot(
    probe: Probe,
    fit: Features,
    test: Features,
    target: str,
    *,
    shots: Sequence[int] = (1, 5, 10),
    draws: int = 5,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: bool | None = None,
) -> tuple[FewLabels, ...]:
    """Fit a probe on a few labels of each class, drawn several times.

    A draw takes one row of each episode at most, for rows of one episode are nearly copies. A probe that has
    something to choose gets as many further labels to choose on, of other episodes; one with a single setting, such
    as ``Linear(l2=(0.01,))``, gets by on ``shots`` labels.

    Args:
        probe: The probe.
        fit: Where the labels are drawn from.
        test: Held-out features.
        target: The name of a class.
        shots: Labels of each class, one result for each.
        draws: How often to draw.
        seed: Of the draws and the probe.
        device: Where to compute.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        DataError: if the target is no class, or too few episodes have a label of some class.
    """
    truth = readable(fit.target(target), target)
    if not is_class(truth):
        raise DataError(f"few labels are drawn of each class, and {target!r} is a quantity.")
    if not shots or min(shots) < 1 or draws < 1:
        raise ConfigError(f"shots and draws are at least 1; got {tuple(shots)} and {draws}.")
    few_labels(truth[:, 0], fit.units, max(shots), max(shots) if probe.chooses else 0, seed)  # refused, if any is
    results = []
    for count in shots:
        scores = []
        extra = count if probe.chooses else 0
        for number in track(range(draws), draws, f"draws of {count} labels a class", show=progress):
            rows, others = few_labels(truth[:, 0], fit.units, count, extra, seed=[seed, count, number])
            choose_on = fit.select(others) if extra else None
            few = fit.select(rows)
            found = probe(few, test, target, choose_on=choose_on, seed=seed, device=device, progress=False)
            scores.append(found.score)
        results.append(FewLabels(count, bootstrap(scores, seed), tuple(scores), extra, len(test)))
    return tuple(results)


def few_labels(
    classes: npt.NDArray[Any], episode: npt.NDArray[np.int64], shots: int, extra: int, seed: int | Sequence[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draw rows with ``shots`` labels of each class, and others with ``extra`` of each. No episode is drawn twice.

    Raises:
        DataError: if a class has too few episodes.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(classes))
    _, first = np.unique(episode[order], return_index=True)
    once = order[np.sort(first)]
    rows, others = [], []
    for one in np.unique(classes):
        there = once[classes[once] == one]
        if len(there) < shots + extra:
            raise DataError(
                f"{shots} labels to fit on and {extra} to choose on need {shots + extra} episodes of each class, "
                f"pieces of one recording counted once; class {one} has {len(there)}. Ask for fewer shots, or give "
                "the probe a single setting."
            )
        rows.append(there[:shots])
        others.append(there[shots : shots + extra])
    return np.sort(np.concatenate(rows)), np.sort(np.concatenate(others))


def beside_floors(
    model: Trainable,
    *,
    fit_on: Episodes,
    test_on: Episodes,
    target: str,
    probe: Probe | None = None,
    tokens: bool = False,
    frames: int | None = 8192,
    seed: int = 0,
    progress: bool | None = None,
) -> dict[str, Reading]:
    """Read a label from a model's latents and from its baselines.

    Args:
        model: The model to evaluate.
        fit_on: Episodes to fit the probe on.
        test_on: Held-out episodes.
        target: The name of a label.
        probe: The probe; a linear one where None.
        tokens: Encode tokens.
        frames: The most observations to encode of each of the two.
        seed: Of the drawn observations, of the baselines and of the probe.
        progress: Show progress bars; None: on a terminal and in a notebook.

    Returns:
        ``model``, ``untrained`` (its twin), ``raw`` (its input) and ``constant`` (a prediction that ignores the
            features).

    Raises:
        ConfigError: if there is no such label.
        DataError: if an episode is in both, or the label does not vary.
    """
    found = sources(model, fit_on=fit_on, test_on=test_on, tokens=tokens, frames=frames, seed=seed, progress=progress)
    return readings(
        found, target, Linear() if probe is None else probe, seed=seed, device=model.device, progress=progress
    )


def sources(
    model: Trainable,
    *,
    fit_on: Episodes,
    test_on: Episodes,
    tokens: bool = False,
    frames: int | None = 8192,
    seed: int = 0,
    progress: bool | None = None,
) -> dict[str, tuple[Features, Features]]:
    """Encode features to fit on and held-out ones of ``model`` and its baselines.

    The baselines are ``untrained`` and ``raw``.

    Args:
        model: The model to evaluate.
        fit_on: Episodes to fit probes on.
        test_on: Held-out episodes.
        tokens: Encode tokens; ``raw`` has as many where they form a square or the model knows its grid.
        frames: The most observations to encode of each of the two.
        seed: Of the drawn observations and of the untrained weights.
        progress: Show progress bars; None: on a terminal and in a notebook.
    """
    fit, test = (
        features(model, part, tokens=tokens, frames=frames, seed=seed, progress=progress) for part in (fit_on, test_on)
    )
    side = math.isqrt(fit.values.shape[1])
    square = (side, side) if side * side == fit.values.shape[1] else None
    found = {"model": (fit, test)}
    known = fit.grid or square
    plane = (known[-2], known[-1]) if tokens and known is not None and len(known) > 1 else None
    for name, floor in floors(model, seed, tokens=tokens, grid=plane, covered=fit.covered).items():
        values = [_values(floor, windows(model, part), tokens, frames, seed, progress) for part in (fit_on, test_on)]
        grid = fit.grid
        if name == "raw" and plane is not None and grid is not None and len(grid) == 3:
            grid = (values[0].shape[1] // math.prod(plane), *plane)  # every frame has patches, not every tubelet
        found[name] = (replace(fit, values=values[0], grid=grid), replace(test, values=values[1], grid=grid))
    return found


def readings(
    found: Mapping[str, tuple[Features, Features]],
    target: str,
    probe: Probe,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: bool | None = None,
) -> dict[str, Reading]:
    """Read one target from several sources of features, and with the ``constant`` baseline.

    That baseline is a prediction that ignores the features.

    Args:
        found: By name features to fit on and held-out ones, of the same rows.
        target: The name of a target.
        probe: The probe.
        seed: Of the probe.
        device: Where to compute.
        progress: Show a progress bar where heads are trained; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if there is no such target.
        DataError: if an episode is in both parts, or the target does not vary.
    """
    results = {
        name: probe(fit, test, target, seed=seed, device=device, progress=progress)
        for name, (fit, test) in found.items()
    }
    fit, test = next(iter(found.values()))
    return {**results, "constant": blind(probe)(fit, test, target, seed=seed)}


def blind(probe: Probe) -> Probe:
    """Return the constant-prediction baseline of a probe. It predicts for each token where the probe reads tokens."""
    return replace(probe, reader=Constant()) if isinstance(probe, Dense) else Constant()


def _values(model: Encoder, clips: Clips, tokens: bool, frames: int | None, seed: int, progress: bool | None) -> Tensor:
    """Return the values of :func:`features` alone."""
    index = some(len(clips), frames, seed)
    return torch.cat([latents.float() for latents in encoded(model, clips, index, tokens, progress=progress)])
