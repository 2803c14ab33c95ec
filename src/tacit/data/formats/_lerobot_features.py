"""Features of a LeRobot dataset that Tacit did not write, and their roles in an episode."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats._choice import matched
from tacit.data.formats._lerobot_options import Options
from tacit.data.validation import Defect
from tacit.errors import ConfigError, DataError

__all__ = ["Feature", "Roles", "assign", "parse"]

OBSERVED = ("observation.", "observations.", "obs.")
"""Prefixes of the keys of observations."""
ACTED = ("action.", "actions.")
"""Prefixes of the keys of the parts of an action."""
STANDARD = ("next.", "label.")
"""Prefixes of the keys of numbers that are always labels."""
HOW = (
    "Choose with action=, observation=, label= and skip= of tacit.data.open, each a feature, a pattern such as "
    "'observation.images.*' or several of them."
)


@dataclass(frozen=True)
class Feature:
    """Feature of ``meta/info.json``.

    Attributes:
        key: Its name.
        dtype: The dtype of its numbers, or ``video`` or ``image``.
        shape: The shape of one step.
        image: Channels, height and width where it is a camera of 1 or 3 channels.
        depth: Whether it holds depths of more than 8 bits.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    image: tuple[int, int, int] | None = None
    depth: bool = False

    @property
    def camera(self) -> bool:
        """Return whether it holds images."""
        return self.dtype in ("video", "image")


@dataclass(frozen=True)
class Roles:
    """Features by role, in order.

    Attributes:
        action: Parts of the action.
        observation: Modalities.
        label: Labels.
        unread: Features that are left out without a request.
        notes: Notes for the warning, in parts of one sentence.
    """

    action: tuple[Feature, ...]
    observation: tuple[Feature, ...]
    label: tuple[Feature, ...]
    unread: tuple[Feature, ...]
    notes: tuple[str, ...]

    def warn(self, root: Path) -> None:
        """Warn once of every feature whose role does not follow from its name."""
        if self.notes:
            warnings.warn(f"{root}: {'; '.join(self.notes)}. {HOW}", stacklevel=2)


def parse(root: Path, features: Mapping[str, Any]) -> dict[str, Feature]:
    """Return the features by name, without lerobot's own bookkeeping.

    Raises:
        Defect: if one has no dtype or no shape of whole numbers.
    """
    return {key: _parsed(root, key, value) for key, value in features.items() if key not in layouts.BOOKKEEPING}


def _parsed(root: Path, key: str, value: Any) -> Feature:
    dtype, shape = (value.get("dtype"), value.get("shape")) if isinstance(value, Mapping) else (None, None)
    sizes = [size for size in shape if type(size) is int and 0 <= size < 2**31] if isinstance(shape, list) else None
    if not isinstance(dtype, str) or sizes is None or sizes != shape:
        raise Defect(
            root / layouts.INFO,
            None,
            key,
            f"expected a feature such as {{'dtype': 'float32', 'shape': [7]}}; got {str(value)[:200]}.",
        )
    feature = Feature(key, dtype, tuple(sizes))
    if not feature.camera:
        return feature
    return Feature(key, dtype, feature.shape, _image(feature.shape, value.get("names")), _is_depth(value))


def _image(shape: tuple[int, ...], names: Any) -> tuple[int, int, int] | None:
    """Return channels, height and width of a camera in any order of its axes; None for other axes."""
    while isinstance(names, Mapping) and len(names) == 1:  # {"axes": [...]}
        names = next(iter(names.values()))
    if len(shape) == 2:
        channels, height, width = 1, *shape
    elif len(shape) == 3:
        axes = [str(name)[:1].lower() for name in names] if isinstance(names, (list, tuple)) else []
        if sorted(axes) != ["c", "h", "w"]:
            axes = ["c", "h", "w"] if shape[0] in (1, 3) and shape[2] not in (1, 3) else ["h", "w", "c"]
        channels, height, width = (shape[axes.index(axis)] for axis in "chw")
    else:
        return None
    return (channels, height, width) if channels in (1, 3) and min(height, width) >= 1 else None


def _is_depth(feature: Mapping[str, Any]) -> bool:
    """Return whether a camera is marked as depth, or has more than 8 bits of grey."""
    facts = {**feature}
    for name in ("info", "video_info"):
        facts |= feature[name] if isinstance(feature.get(name), Mapping) else {}
    layout = str(facts.get("video.pix_fmt", ""))
    grey = layout.startswith("gray") and layout not in ("gray", "gray8")
    return grey or any(facts.get(name) is True for name in ("is_depth_map", "video.is_depth_map"))


def assign(root: Path, features: Mapping[str, Feature], options: Options) -> Roles:
    """Assign a role to each feature, by the options or else by its name.

    Raises:
        ConfigError: if an option names no feature, or one feature is named for two roles.
        Defect: for a depth camera or images of other channels, and DataError if no observation is left.
    """
    named: dict[str, str] = {}
    chosen: dict[str, list[Feature]] = {}
    for option in ("skip", "action", "observation", "label"):
        chosen[option] = []
        for key in matched(options.names(option), features, option):
            if key in named and key in options.names(option) and key in options.names(named[key]):
                raise ConfigError(f"the feature {key!r} is named in both {named[key]}= and {option}=. Name it in one.")
            if named.setdefault(key, option) == option and features[key] not in chosen[option]:
                chosen[option].append(features[key])
    rest = {key: feature for key, feature in features.items() if key not in named}
    notes: list[str] = []
    action = chosen["action"] if options.action is not None else _recognised_action(rest, notes)
    observation = chosen["observation"]
    if options.observation is None:
        observation = [feature for feature in rest.values() if feature not in action and _is_observation(feature, rest)]
    taken = {feature.key for feature in (*action, *observation)}
    label = [feature for feature in rest.values() if feature.key not in taken and feature.dtype in layouts.NUMBERS]
    unread = [feature for feature in rest.values() if feature not in label and feature.key not in taken]
    notes += _notes(action if options.action is None else (), label, unread)
    for feature in (*action, *observation, *chosen["label"]):
        _check(root, feature, feature in observation)
    if not observation:
        raise DataError(f"{root}: no feature is an observation; it has {', '.join(features)}. {HOW}")
    return Roles(tuple(action), tuple(observation), (*chosen["label"], *label), tuple(unread), tuple(notes))


def _recognised_action(features: Mapping[str, Feature], notes: list[str]) -> list[Feature]:
    """Return the features that are the action by their names."""
    for key in ("action", "actions"):
        if key in features:
            return [features[key]]
    parts = [f for f in features.values() if f.key.startswith(ACTED) and f.dtype in layouts.NUMBERS]
    if len(parts) > 1:
        named = ", ".join(f"{part.key} {list(part.shape)}" for part in parts)
        notes.append(f"the action is made of {named}, in this order")
    return parts


def _is_observation(feature: Feature, others: Collection[str]) -> bool:
    """Return whether a feature is an observation by its name: a camera, or a state."""
    if feature.camera:
        return True
    if feature.dtype not in layouts.NUMBERS:
        return False
    marked = any(key.startswith(OBSERVED) for key in others)
    return feature.key.startswith(OBSERVED) or (feature.key in ("state", "states") and not marked)


def _notes(action: Sequence[Feature], label: Sequence[Feature], unread: Sequence[Feature]) -> list[str]:
    """Return notes on the features that no option names and whose names do not show their role."""
    notes = []
    whole = [feature.key for feature in action if not feature.dtype.startswith("float")]
    if whole:
        notes.append(f"the whole numbers of {', '.join(whole)} are read as a continuous action")
    odd = [feature.key for feature in label if not feature.key.startswith(STANDARD)]
    if odd:
        notes.append(f"read as labels, which no model sees: {', '.join(odd)}")
    if unread:
        notes.append(f"not read: {', '.join(f'{feature.key} ({feature.dtype})' for feature in unread)}")
    return notes


def _check(root: Path, feature: Feature, observed: bool) -> None:
    """Refuse a feature that cannot be read in its assigned role."""
    place = root / layouts.INFO
    leave = f"Leave the feature out: skip={feature.key!r}."
    if feature.camera and not observed:
        raise Defect(place, None, feature.key, f"images are no action and no label. {leave}")
    if feature.depth:
        raise Defect(
            place,
            None,
            feature.key,
            f"it is a depth camera, and Tacit reads images of 8 bits, in which its steps would be lost. {leave}",
        )
    if feature.camera and feature.image is None:
        raise Defect(
            place,
            None,
            feature.key,
            f"expected images of 1 or 3 channels; got shape {list(feature.shape)}. {leave}",
        )
    if not feature.camera and feature.dtype not in layouts.NUMBERS:
        raise Defect(place, None, feature.key, f"expected numbers or images; got dtype {feature.dtype!r}. {leave}")
