"""The choice of a recipe, and of its options, from what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.data import Episodes
from tacit.recipes._acting import Acting
from tacit.recipes._recipe import Part, Recipe
from tacit.recipes._survey import Survey, survey
from tacit.recipes.general import General
from tacit.recipes.ijepa import IJEPA
from tacit.recipes.random_rooms import RandomRooms
from tacit.recipes.vjepa2 import VJEPA2
from tacit.types import Box, Spec

__all__ = ["suited"]

LONGEST_BLOCK = 5
"""Steps of a block, at the most."""
CLIPS = 4
"""Clips, end to end, that fit into a typical episode; shorter episodes get shorter blocks."""
CHANGED = 0.5
"""Share of the possible change of an observation that a block lasts for."""
VELOCITY, FIXED = 0.1, 0.02
"""Measures of a survey from which two latents are needed, and from which episodes differ."""
LONGEST_CLIP, LARGE = 16, 96
"""Observations of a clip at the most, and pixels along an image from which it is large."""


@dataclass(frozen=True)
class Choice:
    """A recipe for some recordings.

    Attributes:
        name: The name of the recipe.
        recipe: The recipe, with options for the recordings.
        reasons: The reason for each option, by its dotted name.
    """

    name: str
    recipe: Recipe
    reasons: Mapping[str, str] = field(default_factory=dict)


def suited(episodes: Episodes) -> Choice:
    """Return a recipe that can learn from some recordings, with options that fit them.

    ``general`` where there are actions; some episodes are read to choose its options. Without actions ``ijepa`` for
    images, series and vectors, and ``vjepa2`` for videos.
    """
    spec = episodes.spec
    if not spec.action.size:
        if spec.cameras and int(max(episodes.lengths)) > 1:
            return Choice("vjepa2", VJEPA2(), {"recipe": "there are videos and no actions"})
        return Choice("ijepa", IJEPA(), {"recipe": "there are no actions"})
    block, reasons = _block(survey(episodes))
    found = survey(episodes, block)
    plain = General()
    model: dict[str, Any] = {**plain.model, "frameskip": block}
    objective, clip = plain.objective, plain.clip
    if found.fixed >= FIXED:
        objective = RandomRooms().objective
        clip = int(min(LONGEST_CLIP, max(plain.clip, (found.length - 1) // (2 * block))))
        model |= {"latent": 64}
        if spec.cameras:
            model |= {"encoders": {name: {"width": 32} for name in spec.cameras}}
        reasons["objective"] = (
            f"{100 * found.fixed:.0f} % of what is observed stands still in an episode and differs between episodes, "
            "such as walls or goals: half of the latent is regularised around the mean of each clip"
        )
        reasons["clip"] = f"{clip} observations, so that long forecasts learn what stands still"
    else:
        reasons["objective"] = "variance and covariance: nothing that stands still in an episode differs between them"
    model |= _predictor(spec, found, reasons, clip)
    reasons["size"] = _size(spec)
    return Choice(
        "general",
        General(model=model, objective=objective, clip=clip, acting=_acting(spec, found, block, reasons)),
        reasons,
    )


def _block(found: Survey) -> tuple[int, dict[str, str]]:
    """Return the number of steps of a block."""
    changed = found.steps_to(CHANGED)
    fits = max(1, int((found.length - 1) / (CLIPS * (General().clip - 1))))
    block = min(changed, fits, LONGEST_BLOCK)
    if block == changed:
        why = f"after {changed} steps an observation has changed by half of what it can"
    elif block == fits:
        why = f"{CLIPS} clips fit into a typical episode of {found.length} observations"
    else:
        why = f"observations take {changed} steps to change by half of what they can; {LONGEST_BLOCK} at the most"
    return block, {"model.frameskip": f"{block}: {why}"}


def _predictor(spec: Spec, found: Survey, reasons: dict[str, str], clip: int) -> dict[str, Any]:
    """Return the options of the predictor: two latents where one does not tell the velocity."""
    images_alone = len(spec.cameras) == len(spec.modalities)
    if not images_alone and found.velocity < VELOCITY:
        reasons["model.predictor"] = "one latent: the observation before adds nothing to a linear forecast"
        return {"predictor": {"width": 256}} if clip > General().clip else {}
    reasons["model.predictor"] = (
        "two latents: an image alone shows no velocity"
        if images_alone
        else f"two latents: with the observation before, a linear forecast has {100 * found.velocity:.0f} % less error"
    )
    return {"predictor": {"name": "transformer", "history": 2, "width": 128, "heads": 2, "mlp_width": 256}}


def _acting(spec: Spec, found: Survey, block: int, reasons: dict[str, str]) -> Acting:
    """Return the planner and how far it looks."""
    plain = General().acting
    horizon = int(min(plain.horizon, max(3, (found.length - 1) // (2 * block))))
    reasons["acting.horizon"] = f"{horizon} blocks: half of a typical episode, {plain.horizon} at the most"
    if not isinstance(spec.action, Box):
        reasons["acting.planner"] = "cem: it searches actions of every kind"
        return Acting(plain.planner, plain.cost, horizon, replan_every=plain.replan_every, repeat_action=True)
    reasons["acting.planner"] = "icem: smooth noise for continuous actions, one held action a block"
    planner = Part("icem", {"samples": 128, "iterations": 6, "elites": 8, "std": 0.7, "beta": 2.0})
    return Acting(planner, plain.cost, horizon, repeat_action=True)


def _size(spec: Spec) -> str:
    """Return the reason for the size."""
    largest = max((max(spec.modalities[name].shape[1:]) for name in spec.cameras), default=0)
    if largest >= LARGE:
        return f"tiny, for two cores; images of {largest} pixels may need small: --set size=small, or reading size=64"
    return "tiny, for two cores"
