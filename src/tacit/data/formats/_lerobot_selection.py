"""Selection of the features of a LeRobot dataset, with their names and image size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats import _lerobot_v2 as v2
from tacit.data.formats._choice import at_size, matched
from tacit.data.formats._features import assign, declared, label_name, modality_names
from tacit.data.formats._lerobot_features import check_unit, parse
from tacit.data.formats._lerobot_layout import Layout
from tacit.data.formats._lerobot_options import Options
from tacit.data.validation import Defect
from tacit.errors import ConfigError, DataError
from tacit.types import Box, Modality, Spec

__all__ = ["Selection", "select"]


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
    roles = assign(root / layouts.INFO, features, options)
    for feature in roles.observation:
        check_unit(root, feature, info["features"])
    names = modality_names(roles.observation, options.names("strip"))
    modalities = {}
    for key, name in names.items():
        image, shape = features[key].image, features[key].shape
        modalities[name] = Modality("pixels", image) if image else Modality("vector", (int(np.prod(shape)),))
    actions = {feature.key: int(np.prod(feature.shape)) for feature in roles.action}
    labels = {label_name(f.key): (f.dtype, () if f.shape == (1,) else f.shape) for f in roles.label}
    chosen = Layout(
        Spec(modalities, _range(root, info, actions), float(info["fps"])),
        {name: key for key, name in names.items()},
        labels,
        {label_name(feature.key): feature.key for feature in roles.label},
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


def _range(root: Path, info: Mapping[str, Any], actions: Mapping[str, int]) -> Box:
    """Return the range of the recorded actions as a box."""
    if not actions:
        return Box((), ())
    path = root / layouts.STATS
    statistics = v2.read_stats if v2.is_v2(info) else layouts.read_stats
    low: list[float] = []
    high: list[float] = []
    for key, width in actions.items():
        try:
            stats = statistics(root)[key]
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
