"""Conversion of the options of models that version 0.1 wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["current", "partial"]

PREDICTOR = {
    "predictor_width": "width",
    "predictor_depth": "depth",
    "predictor_heads": "heads",
    "predictor_head_width": "head_width",
    "predictor_mlp": "mlp_width",
    "predictor_out": "out_width",
    "history": "history",
    "dropout": "dropout",
    "inner_norm": "inner_norm",
}
"""The predictor's options of version 0.1 and the current ones."""
TAKES = {"mlp": ("width", "depth"), "gru": (), "transformer": tuple(PREDICTOR.values())}
"""Options of each predictor of version 0.1."""
ENCODER = {
    "encoder_width": "width",
    "encoder_depth": "depth",
    "encoder_heads": "heads",
    "patch": "patch",
    "features": "features",
}
"""The encoders' options of version 0.1 and the current ones."""
READS = {
    "conv": ("width", "features", "patch"),
    "vit": ("patch", "width", "depth", "heads"),
    "mlp": ("features",),
    "identity": (),
}
"""Options of each encoder of version 0.1."""
PRETRAINED = {"pool": "pool", "tune": "tune", "tune_last": "last", "tune_rank": "rank"}
USUAL = {"pixels": "conv", "series": "conv", "vector": "mlp"}


def current(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a model in a file in the current format.

    Args:
        model: The name of the model in :mod:`tacit.models`.
        options: Its options as version 0.1 or this version wrote them.
    """
    if model != "world_model":
        return _with_name(options)
    spec = options.get("spec")
    recorded = spec.get("modalities") if isinstance(spec, Mapping) else None
    known = recorded if isinstance(recorded, Mapping) else {}
    chosen = options.get("modalities") or list(known)
    names = chosen if isinstance(chosen, list) else []
    kinds = {name: known[name].get("kind", "") for name in names if isinstance(known.get(name), Mapping)}
    return _nested(options, kinds)


def partial(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return some options of a world model in the current format, from those in a recipe."""
    return _nested(options, {kind: kind for kind in USUAL})


def _nested(options: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return the current options of a world model from those of version 0.1; current ones are not changed.

    Args:
        options: All options, or some of them.
        kinds: Kind of each modality, by its name, or by its kind where the modalities are not known.
    """
    old = {**PREDICTOR, **ENCODER, **PRETRAINED, "perception": "perception"}
    named = options.get("encoders", {})
    flat = isinstance(options.get("predictor"), str) or any(isinstance(one, str) for one in _values(named))
    if not flat and not set(old) & set(options):
        return dict(options)
    kept = {name: value for name, value in options.items() if name not in old}
    predictor = _predictor(options)
    if predictor:
        kept["predictor"] = predictor
    chosen = named if isinstance(named, Mapping) else {}
    own = {ENCODER[name]: value for name, value in options.items() if name in ENCODER}
    encoders = {
        name: one
        for name, kind in {**kinds, **{name: kinds.get(name, "") for name in chosen}}.items()
        if (one := _encoder(options, chosen.get(name), kind, own))
    }
    if encoders or "encoders" in kept:
        kept["encoders"] = encoders
    return kept


def _with_name(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options whose perception model is named by its kind, which version 0.1 did not write."""
    perception = options.get("perception")
    if not isinstance(perception, Mapping) or "name" in perception:
        return dict(options)
    kind = "motion_content" if "widths" in perception else "joint_embedding" if "projector" in perception else "masked"
    return {**options, "perception": {"name": kind, **perception}}


def _values(given: object) -> list[object]:
    return list(given.values()) if isinstance(given, Mapping) else []


def _predictor(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the predictor, with its name where it is given."""
    kind = options.get("predictor")
    takes = TAKES.get(kind, ()) if isinstance(kind, str) else tuple(PREDICTOR.values())
    found = {new: options[old] for old, new in PREDICTOR.items() if old in options and new in takes}
    if kind in ("mlp", "gru") and "latent_norm" in options:
        found["final_norm"] = options["latent_norm"]
    return {"name": kind, **found} if isinstance(kind, str) else found


def _encoder(options: Mapping[str, Any], named: object, kind: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the encoder of a modality, with its name where all options are known."""
    complete = "spec" in options
    if kind == "pixels" and options.get("perception") is not None:
        pretrained = {new: options[old] for old, new in PRETRAINED.items() if old in options}
        return {"name": "pretrained", "perception": _with_name(options)["perception"], **pretrained}
    if named is None and not complete:
        tuned = {new: options[old] for old, new in PRETRAINED.items() if old in options} if kind == "pixels" else {}
        usual = {"pixels": {*READS["conv"], *READS["vit"]}, "vector": {"features"}}.get(kind, set())
        return {**{name: value for name, value in own.items() if name in usual}, **tuned}
    name = USUAL.get(kind) if named is None else named
    found = {option: value for option, value in own.items() if isinstance(name, str) and option in READS.get(name, ())}
    if name == "conv" and kind == "series":
        found.pop("patch", None)  # version 0.1 took the default
    return {"name": name, **found}
