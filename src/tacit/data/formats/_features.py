"""Features of a dataset that Tacit did not write, and their roles in an episode."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats._choice import matched
from tacit.data.formats._feature_options import FeatureOptions
from tacit.data.validation import Defect
from tacit.errors import ConfigError, DataError, SpecError
from tacit.types import Box, Spec

__all__ = ["OBSERVED", "Feature", "Roles", "assign", "declared", "image_shape", "label_name", "modality_names"]

OBSERVED = ("observation.", "observations.", "obs.")
"""Prefixes of the keys of observations."""
CAMERAS = tuple(f"{prefix}{word}." for prefix in OBSERVED for word in ("images", "image"))
"""Prefixes of the keys of cameras."""
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
    """Named stream of numbers or images, with one value for each step.

    Attributes:
        key: Its name.
        dtype: The dtype of its numbers, or ``video`` or ``image``.
        shape: The shape of one step.
        image: Channels, height and width where it is a camera of 1 or 3 channels.
        depth: Whether it holds depths of more than 8 bits.
        choices: Whether its whole numbers are choices of an action.
        role: The role that its layout gives it: ``action``, ``observation`` or ``label``. Empty: by name.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    image: tuple[int, int, int] | None = None
    depth: bool = False
    choices: bool = False
    role: str = ""

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


def image_shape(shape: tuple[int, ...], names: Any) -> tuple[int, int, int] | None:
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


def assign(place: Path, features: Mapping[str, Feature], options: FeatureOptions) -> Roles:
    """Assign a role to each feature, by the options, else by its layout or by its name.

    Args:
        place: The file that lists the features, for errors.
        features: The features by name.
        options: The options of the reader.

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
        _check(place, feature, feature in observation, options.depth is not None)
    if not observation:
        raise DataError(f"{place}: no feature is an observation; it has {', '.join(features)}. {HOW}")
    return Roles(tuple(action), tuple(observation), (*chosen["label"], *label), tuple(unread), tuple(notes))


def _recognised_action(features: Mapping[str, Feature], notes: list[str]) -> list[Feature]:
    """Return the features that are the action by their layout or names."""
    if given := [feature for feature in features.values() if feature.role == "action"]:
        return given
    for key in ("action", "actions"):
        if key in features:
            return [features[key]]
    parts = [f for f in features.values() if f.key.startswith(ACTED) and f.dtype in layouts.NUMBERS]
    if len(parts) > 1:
        named = ", ".join(f"{part.key} {list(part.shape)}" for part in parts)
        notes.append(f"the action is made of {named}, in this order")
    return parts


def _is_observation(feature: Feature, others: Collection[str]) -> bool:
    """Return whether a feature is an observation by its layout or name: a camera, or a state."""
    if feature.role:
        return feature.role == "observation"
    if feature.camera:
        return True
    if feature.dtype not in layouts.NUMBERS:
        return False
    marked = any(key.startswith(OBSERVED) for key in others)
    return feature.key.startswith(OBSERVED) or (feature.key in ("state", "states") and not marked)


def _notes(action: Sequence[Feature], label: Sequence[Feature], unread: Sequence[Feature]) -> list[str]:
    """Return notes on the features that no option names and whose names do not show their role."""
    notes = []
    whole = [feature.key for feature in action if not (feature.choices or feature.dtype.startswith("float"))]
    if whole:
        notes.append(f"the whole numbers of {', '.join(whole)} are read as a continuous action")
    odd = [feature.key for feature in label if not (feature.role or feature.key.startswith(STANDARD))]
    if odd:
        notes.append(f"read as labels, which no model sees: {', '.join(odd)}")
    if unread:
        notes.append(f"not read: {', '.join(f'{feature.key} ({feature.dtype})' for feature in unread)}")
    return notes


def _check(place: Path, feature: Feature, observed: bool, depth: bool) -> None:
    """Refuse a feature that cannot be read in its assigned role."""
    leave = f"Leave the feature out: skip={feature.key!r}."
    if feature.camera and not observed:
        raise Defect(place, None, feature.key, f"images are no action and no label. {leave}")
    if feature.depth and feature.dtype == "video" and depth:
        problem = f"it is a video of depths, whose steps only its recorder knows; depth= reads image files. {leave}"
        raise Defect(place, None, feature.key, problem)
    if feature.depth and not depth:
        raise Defect(
            place,
            None,
            feature.key,
            f"it is a depth camera, and Tacit reads images of 8 bits, in which its steps would be lost. {leave} Or "
            "read a range of it in 255 steps: depth=(0.3, 3), in metres.",
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


def declared(spec: Spec, options: FeatureOptions) -> Spec:
    """Return the spec with the options of its actions.

    Raises:
        ConfigError: if they do not fit the actions or the modalities.
    """
    try:
        if options.kind is not None:
            if not isinstance(spec.action, Box):
                raise ConfigError(f"kind= is of continuous actions; this dataset has {spec.action}. Leave it out.")
            action = Box(spec.action.low, spec.action.high, options.kind)
            spec = replace(spec, action=action, position=None, position_index=())
        if options.position is not None:
            spec = replace(spec, position=options.position, position_index=options.position_index)
    except SpecError as error:
        raise ConfigError(f"kind= and position= do not fit this dataset: {error}") from error
    return spec


def modality_names(features: Sequence[Feature], strip: Sequence[str]) -> dict[str, str]:
    """Return the modality name of each feature: its last part where unique, else more of it.

    Raises:
        ConfigError: if two features have the same name even at full length.
    """
    prefixes = tuple(strip) or (*CAMERAS, *OBSERVED)
    full = {feature.key: _plain(feature.key) for feature in features}
    short = {key: _plain(_without(key, prefixes)) for key in full}
    if not strip:
        short |= {key: "pixels" for key in full if key == "observation.image"}
    names = short
    for longer in ({key: _plain(_without(key, OBSERVED)) for key in full}, full):
        names = {key: name if list(names.values()).count(name) == 1 else longer[key] for key, name in names.items()}
    for key, name in names.items():
        double = [other for other in names if names[other] == name and other != key]
        if double:
            raise ConfigError(
                f"the features {key!r} and {double[0]!r} would both be called {name!r}. Leave one out: skip={key!r}."
            )
    return names


def _without(key: str, prefixes: Sequence[str]) -> str:
    """Return a key without its longest prefix, unless the key is only the prefix."""
    fitting = [prefix for prefix in prefixes if key.startswith(prefix) and len(key) > len(prefix)]
    return key[len(max(fitting, key=len)) :] if fitting else key


def _plain(key: str) -> str:
    """Return a key as a modality name: letters, digits and ``_``, as modules of a model require."""
    name = re.sub(r"\W", "_", key)
    return f"{name}_" if name == "action" else name


def label_name(key: str) -> str:
    """Return a key as the name of a label."""
    name = re.sub(r"[^\w.-]", "_", key)
    return f"{name}_" if name == "action" else name
