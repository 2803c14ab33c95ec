"""Selection of the features of a LeRobot dataset, with their names and image size."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats._choice import at_size, matched
from tacit.data.formats._lerobot_features import OBSERVED, Feature, assign, parse
from tacit.data.formats._lerobot_layout import Layout
from tacit.data.formats._lerobot_options import Options
from tacit.data.validation import Defect
from tacit.errors import ConfigError, DataError, SpecError
from tacit.types import Box, Modality, Spec

__all__ = ["Selection", "select"]

CAMERAS = tuple(f"{prefix}{word}." for prefix in OBSERVED for word in ("images", "image"))


@dataclass(frozen=True)
class Selection:
    """Selected features of a dataset.

    Attributes:
        layout: The features, with images as they are stored.
        spec: The spec of the episodes, with images as they are read.
        actions: The feature and the width of each part of the action, in order.
        columns: Dtype and width of every column of numbers that is read.
    """

    layout: Layout
    spec: Spec
    actions: Mapping[str, int]
    columns: Mapping[str, tuple[str, int]]

    @classmethod
    def of(cls, layout: Layout, actions: Mapping[str, int], options: Options) -> Selection:
        """Return the selection of all of ``layout``, with the options of its actions and images."""
        columns = {
            **{key: ("float32", width) for key, width in actions.items()},
            **layouts.columns(without_actions(layout)),
        }
        return cls(layout, declared(at_size(layout.spec, options.size), options), actions, columns)


def select(root: Path, info: Mapping[str, Any], options: Options) -> Selection:
    """Return the selection of the dataset at ``root``.

    Raises:
        ConfigError: if the options do not fit the dataset.
        DataError: if the dataset holds a feature that cannot be read and is not left out.
    """
    layout = layouts.saved(root)
    if layout is not None:
        layouts.check_saved(root, info, layout)
        return _of_saved(layout, options)
    features = parse(root, info["features"])
    roles = assign(root, features, options)
    names = _names(roles.observation, options.names("strip"))
    modalities = {}
    for key, name in names.items():
        image, shape = features[key].image, features[key].shape
        modalities[name] = Modality("pixels", image) if image else Modality("vector", (int(np.prod(shape)),))
    actions = {feature.key: int(np.prod(feature.shape)) for feature in roles.action}
    labels = {_label_name(f.key): (f.dtype, () if f.shape == (1,) else f.shape) for f in roles.label}
    chosen = Layout(
        Spec(modalities, _range(root, actions), float(info["fps"])),
        {name: key for key, name in names.items()},
        labels,
        {_label_name(feature.key): feature.key for feature in roles.label},
        tuple(name for key, name in names.items() if features[key].dtype == "video"),
    )
    roles.warn(root)
    return Selection.of(chosen, actions, options)


def _of_saved(layout: Layout, options: Options) -> Selection:
    """Return the selection of a dataset that Tacit wrote, from the roles in its record."""
    for option in ("action", "observation", "label", "strip"):
        if options.names(option):
            raise ConfigError(
                f"Tacit wrote this dataset, and its own record says what each feature is; got {option}=. "
                "It can be read with skip=, size=, kind=, position= and tolerance=."
            )
    spec, keys, label_keys = layout.spec, layout.keys, layout.label_keys
    both = {**keys, **{f"label.{name}": key for name, key in label_keys.items()}}
    known = [*both, *both.values(), *(["action"] if spec.action.size else [])]
    skipped = set(matched(options.names("skip"), dict.fromkeys(known), "skip"))
    kept = {name: key for name, key in keys.items() if not {name, key} & skipped}
    label_keys = {name: key for name, key in label_keys.items() if not {f"label.{name}", key} & skipped}
    if not kept:
        raise DataError(f"no observation is left; the dataset has {', '.join(keys)}. Name fewer of them in skip=.")
    reduced = Layout(
        spec.only(kept),
        kept,
        {name: layout.labels[name] for name in label_keys},
        label_keys,
        tuple(name for name in layout.videos if name in kept),
    )
    reduced = without_actions(reduced) if "action" in skipped else reduced
    return Selection.of(reduced, {"action": spec.action.size} if reduced.spec.action.size else {}, options)


def without_actions(layout: Layout) -> Layout:
    """Return the layout without its actions."""
    return replace(layout, spec=replace(layout.spec, action=Box((), ()), position=None, position_index=()))


def declared(spec: Spec, options: Options) -> Spec:
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


def _names(features: Sequence[Feature], strip: Sequence[str]) -> dict[str, str]:
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


def _label_name(key: str) -> str:
    name = re.sub(r"[^\w.-]", "_", key)
    return f"{name}_" if name == "action" else name


def _range(root: Path, actions: Mapping[str, int]) -> Box:
    """Return the range of the recorded actions as a box."""
    if not actions:
        return Box((), ())
    path = root / layouts.STATS
    low: list[float] = []
    high: list[float] = []
    for key, width in actions.items():
        try:
            stats = layouts.read_stats(root)[key]
            for bounds, side in ((low, "min"), (high, "max")):
                values = np.asarray(stats[side], np.float32).ravel().tolist()
                if len(values) != width:
                    raise ValueError(f"expected {width} numbers under {side}; got {len(values)}")
                bounds += values
            Box(tuple(low), tuple(high))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise Defect(
                path, None, key, f"expected the range of the actions under {key}.min and {key}.max: {error!r}."
            ) from error
    return Box(tuple(low), tuple(high))
