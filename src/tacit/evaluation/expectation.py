"""Violation of expectation: surprise at impossible events, next to that at changes of appearance alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from tacit.errors import ConfigError, DataError, SpecError
from tacit.evaluation.surprise import Detection, detection
from tacit.models import Dynamics
from tacit.probing.encoder import frozen
from tacit.statistics.intervals import Rate, mcnemar, wilson
from tacit.types import Array, Context, Observation

__all__ = ["Expectation", "Triples", "frame_surprise", "violation_of_expectation"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Triples:
    """Matched videos: a normal one, one with a change of appearance, and one with an impossible event.

    The three of a triple are equal before the event.

    Attributes:
        normal: ``[n, T, ...]`` by modality.
        appearance: The same with another colour from the event on.
        impossible: The same with the impossible event.
        action: ``[n, T - 1, A']`` raw action blocks between the observations of all three.
        scene: The name of the broken rule of each, ``n`` texts.
        event: ``[n]`` the first observation that differs.

    Raises:
        ConfigError: if there is no triple, or lengths do not fit.
    """

    normal: Observation
    appearance: Observation
    impossible: Observation
    action: npt.NDArray[np.float32]
    scene: tuple[str, ...]
    event: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        shapes = {name: values.shape for name, values in self.normal.items()}
        for kind, videos in (("appearance", self.appearance), ("impossible", self.impossible)):
            found = {name: values.shape for name, values in videos.items()}
            if found != shapes:
                raise ConfigError(f"the {kind} videos need the shapes of the normal ones, {shapes}; got {found}.")
        count, length = next(iter(shapes.values()))[:2] if shapes else (0, 0)
        if count < 1 or self.action.shape[:2] != (count, length - 1) or len(self.scene) != count:
            raise ConfigError(
                f"{count} triples of {length} observations need actions [{count}, {length - 1}, A'] and a scene each; "
                f"got {self.action.shape} and {len(self.scene)} scenes."
            )
        if self.event.shape != (count,) or not ((self.event >= 1) & (self.event < length)).all():
            raise ConfigError(f"event holds a step from 1 to {length - 1} for each triple; got {self.event}.")

    def __len__(self) -> int:
        return len(self.scene)


@dataclass(frozen=True, eq=False)
class Expectation:
    """The result of :func:`violation_of_expectation`.

    Attributes:
        scenes: Share of the triples whose impossible video surprises more than its normal one, by scene.
        impossible: The same over all scenes; and how well the largest surprise of a single video tells them apart.
        over_appearance: Share of the triples whose impossible video surprises more than that with the other colour.
        p_impossible: Two-sided p value of the sign test of impossible against normal videos.
        p_over_appearance: The same of impossible videos against those with the other colour.
        surprise: Surprise of each observation by kind of video, ``[n, T]``; NaN for the first.
    """

    scenes: Mapping[str, Rate]
    impossible: Detection
    over_appearance: Rate
    p_impossible: float
    p_over_appearance: float
    surprise: Mapping[str, Floats] = field(repr=False)

    def __str__(self) -> str:
        rows = [f"{name:<22} {rate}" for name, rate in self.scenes.items()]
        rows += [
            f"{'all scenes':<22} {self.impossible.paired}, p = {self.p_impossible:.2g}",
            f"{'against other colour':<22} {self.over_appearance}, p = {self.p_over_appearance:.2g}",
            f"{'single videos, AUROC':<22} {self.impossible.auroc.mean:.3f}",
        ]
        return "\n".join(rows)


def frame_surprise(
    model: Dynamics, observation: Mapping[str, Array], action: npt.NDArray[np.float32], *, steps: int = 4
) -> Floats:
    """Compute the error of the predictions of each observation.

    An observation is predicted from each of the ``steps`` observations before it, by a rollout of as many blocks, and
    its surprise is the mean squared error of the latents over these predictions. So an object may be hidden for fewer
    than ``steps`` observations.

    Args:
        model: The world model, or a model of actions of size 0; its weights and its mode do not change.
        observation: ``[n, T, ...]`` by modality, one for each block.
        action: ``[n, T - 1, A']`` raw action blocks.
        steps: Blocks of the longest prediction.

    Returns:
        ``[n, T]`` in squared latent units; NaN for the first observation.

    Raises:
        ConfigError: if ``steps`` is below 1.
        DataError: if a surprise is not finite.
        SpecError: if there are fewer than two observations, or actions do not fit.
    """
    if steps < 1:
        raise ConfigError(f"frame_surprise needs steps of at least 1; got {steps}.")
    given = {name: np.ascontiguousarray(observation[name]) for name in model.config.inputs}
    count, length = next(iter(given.values())).shape[:2]
    if length < 2 or action.shape[:2] != (count, length - 1):
        raise SpecError(
            f"frame_surprise needs two observations and one block between each; got {length} observations and actions "
            f"{action.shape}."
        )
    total, predictions = np.zeros((count, length)), np.zeros(length)
    blocks = torch.from_numpy(np.ascontiguousarray(action, np.float32)).to(model.device)
    with frozen(model):
        latents, targets = model.encode(given), model.encode_target(given).double()
        for start in range(length - 1):
            ahead, first = min(steps, length - 1 - start), max(start - model.history + 1, 0)
            context = Context(latents[:, first : start + 1], blocks[:, first:start])
            imagined = model.rollout(context, blocks[:, start : start + ahead]).double()
            error = (imagined - targets[:, start + 1 : start + 1 + ahead]).square().mean(dim=-1)
            total[:, start + 1 : start + 1 + ahead] += error.cpu().numpy()
            predictions[start + 1 : start + 1 + ahead] += 1
    if not np.isfinite(total).all():
        raise DataError("a surprise is not finite. Check the model's weights and statistics.")
    return np.asarray(np.where(predictions > 0, total / np.maximum(predictions, 1), np.nan))


def violation_of_expectation(model: Dynamics, triples: Triples, *, steps: int = 4, seed: int = 0) -> Expectation:
    """Compare the surprise at impossible events with that at normal videos and at changes of appearance.

    Matched videos are compared by their mean surprise, single ones by their largest, as in V-JEPA (arXiv 2502.11831).

    Args:
        model: The world model.
        triples: The videos, such as those of :func:`tacit.evaluation.physics_scenes.physics_triples`.
        steps: Blocks of the longest prediction; see :func:`frame_surprise`.
        seed: Seed of the bootstrap.

    Raises:
        ConfigError: if ``steps`` is below 1.
        DataError: if a surprise is not finite.
        SpecError: if the videos or the actions do not fit the model.
    """
    kinds = {"normal": triples.normal, "appearance": triples.appearance, "impossible": triples.impossible}
    found = {kind: frame_surprise(model, videos, triples.action, steps=steps) for kind, videos in kinds.items()}
    normal, appearance, impossible = (np.nanmean(found[kind], axis=1) for kind in kinds)
    scene = np.array(triples.scene)
    scenes = {
        name: wilson(int((impossible > normal)[scene == name].sum()), int((scene == name).sum()))
        for name in dict.fromkeys(triples.scene)
    }
    single = detection(np.nanmax(found["normal"], axis=1), np.nanmax(found["impossible"], axis=1), seed)
    return Expectation(
        scenes,
        Detection(wilson(int((impossible > normal).sum()), len(triples)), single.auroc),
        wilson(int((impossible > appearance).sum()), len(triples)),
        mcnemar(impossible > normal, impossible < normal),
        mcnemar(impossible > appearance, impossible < appearance),
        found,
    )
