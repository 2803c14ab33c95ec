"""Features of a LeRobot dataset that Tacit did not write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats._features import Feature, image_shape
from tacit.data.validation import Defect

__all__ = ["check_unit", "parse"]


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
    return Feature(key, dtype, feature.shape, image_shape(feature.shape, value.get("names")), _is_depth(value))


def _is_depth(feature: Mapping[str, Any]) -> bool:
    """Return whether a camera is marked as depth, or has more than 8 bits of grey."""
    facts = {**feature}
    for name in ("info", "video_info"):
        facts |= feature[name] if isinstance(feature.get(name), Mapping) else {}
    layout = str(facts.get("video.pix_fmt", ""))
    grey = layout.startswith("gray") and layout not in ("gray", "gray8")
    return grey or any(facts.get(name) is True for name in ("is_depth_map", "video.is_depth_map"))


def check_unit(root: Path, feature: Feature, features: Mapping[str, Any]) -> None:
    """Refuse a depth camera whose unit is not millimetres, by its description in ``meta/info.json``."""
    about = features[feature.key].get("info")
    unit = about.get("depth_unit") if isinstance(about, Mapping) else None
    if feature.depth and unit not in (None, "mm"):
        problem = f"expected depths in 'mm'; got {str(unit)[:50]!r}. Leave the feature out: skip={feature.key!r}."
        raise Defect(root / layouts.INFO, None, feature.key, problem)
