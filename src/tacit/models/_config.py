"""Configuration of a world model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import ModuleType
from typing import Any, Literal

from torch import nn

from tacit._config import WEIGHTLESS, from_json, registered
from tacit._registry import suggest
from tacit.errors import ConfigError
from tacit.models import encoders, predictors
from tacit.models._check import check_sizes
from tacit.models._model import preset
from tacit.models.encoders._encoder import EncoderConfig
from tacit.models.predictors._predictor import PredictorConfig
from tacit.models.predictors.mlp import MLP
from tacit.types import Spec

__all__ = ["SIZES", "WorldModelConfig", "configured"]

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {},
    "small": {"latent": 64},
    "base": {"latent": 192, "projector_width": 2048, "action_width": 768},
}
"""Options by size, where they differ from the defaults; encoders and predictors have sizes of their own."""
PREDICTORS = {"tiny": "mlp", "small": "mlp", "base": "transformer"}
"""Predictor by size."""
ENCODERS = {"pixels": "conv", "series": "conv", "vector": "mlp"}
"""Encoder by kind of modality; in ``base``, images have a vision transformer."""
SHOWN = 10
"""Largest number of modalities that an error names."""


@dataclass(frozen=True)
class WorldModelConfig:
    """Configuration of a :class:`WorldModel`; plain values that convert to JSON and back.

    Args:
        spec: Observations and actions of the world.
        modalities: The modalities that the model reads; all of them where empty.
        frameskip: Steps of the world, and so raw actions, in one step of the model.
        latent: Size ``D`` of a latent.
        encoders: Configuration of the encoder of each modality; the default of its kind where not named.
        projector_width: Hidden width, with BatchNorm, of the map from features to the latent; 0: one linear layer.
        latent_norm: End the encoder in a LayerNorm (eb_jepa); ``final_norm`` is the same for a predictor.
        action_width: Hidden width of the action encoder; 0 gives the predictor the normalised action block.
        predictor: Configuration of the predictor.
        target: Encoder of the targets: the same one (``shared``) or its ``ema`` copy.

    Raises:
        ConfigError: if a modality is unknown, a size is below 1, or an encoder does not read the kind of a modality.
    """

    spec: Spec = field(metadata=WEIGHTLESS)
    modalities: tuple[str, ...] = field(default=(), metadata=WEIGHTLESS)
    frameskip: int = field(default=1, metadata=WEIGHTLESS)
    latent: int = 32
    encoders: Mapping[str, EncoderConfig] = field(
        default_factory=dict, metadata={**registered("tacit.models.encoders"), **WEIGHTLESS}
    )
    projector_width: int = 0
    latent_norm: bool = False
    action_width: int = 0
    predictor: PredictorConfig = field(default_factory=MLP, metadata=registered("tacit.models.predictors"))
    target: Literal["shared", "ema"] = field(default="shared", metadata=WEIGHTLESS)

    def __post_init__(self) -> None:
        check_sizes(self)
        known = self.spec.modalities
        for name in (*self.modalities, *self.encoders):
            if name not in known:
                raise ConfigError(_unknown(name, known, known))
        if self.frameskip < 1 or self.latent < 1:
            raise ConfigError(f"frameskip and latent are at least 1; got {self.frameskip}, {self.latent}.")
        if not isinstance(self.predictor, PredictorConfig):
            raise ConfigError(
                "predictor is a configuration such as tc.models.predictors.GRU(), or a name in WorldModel.for_spec; "
                f"got {self.predictor!r}."
            )
        complete = {
            name: self.encoders[name] if name in self.encoders else encoders.load(ENCODERS[known[name].kind])()
            for name in self.inputs
        }
        object.__setattr__(self, "encoders", complete)
        for name, encoder in complete.items():
            _check_encoder(encoder, known[name].kind, name)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the modalities that the model reads, in order."""
        return self.modalities or tuple(self.spec.modalities)

    @property
    def action_size(self) -> int:
        """Return ``A'``, the size of an action block."""
        return self.frameskip * self.spec.action.size

    @property
    def custom(self) -> tuple[str, ...]:
        """Return the places of the user's modules: ``predictor`` and ``encoders.NAME``."""
        own = [f"encoders.{name}" for name, one in self.encoders.items() if isinstance(one, encoders.Custom)]
        return (*own, "predictor") if isinstance(self.predictor, predictors.Custom) else tuple(own)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of one value of a modality as its encoder gets it, channels first."""
        modality = self.spec.modalities[name]
        if modality.kind == "series":
            return modality.shape[0], self.spec.samples(name, self.frameskip)
        return modality.shape


def configured(spec: Spec, size: str, options: Mapping[str, Any]) -> tuple[WorldModelConfig, dict[str, nn.Module]]:
    """Return the configuration of a size with some options replaced, and the user's modules by place.

    Args:
        spec: Observations and actions of the world.
        size: One of ``SIZES``.
        options: Any options of :class:`WorldModelConfig`. A predictor or an encoder is a configuration, a name, or a
            mapping of options, with the name under ``name`` where it is not the usual one, or a module. Encoders are
            named by modality, or by kind of modality.

    Raises:
        ConfigError: for an unknown size or option, or values that do not fit together.
    """
    found = preset(WorldModelConfig, SIZES, size, options)
    given = found.get("encoders", {})
    if not isinstance(given, Mapping):
        raise ConfigError(f"encoders is a mapping from modalities to encoders; got {given!r}.")
    for name in given:
        if name not in (*spec.modalities, *ENCODERS):
            raise ConfigError(_unknown(name, spec.modalities, (*spec.modalities, *ENCODERS)))
    chosen: dict[str, EncoderConfig] = {}
    modules: dict[str, nn.Module] = {}
    for name in found.get("modalities", ()) or spec.modalities:
        if name not in spec.modalities:
            continue  # the configuration refuses it
        modality = spec.modalities[name]
        usual = "vit" if size == "base" and modality.kind == "pixels" else ENCODERS[modality.kind]
        one = given.get(name, given.get(modality.kind, {}))
        if isinstance(one, nn.Module):
            if name not in given:
                raise ConfigError(f"a module is the encoder of one modality: encoders={{{name!r}: MODULE}}.")
            modules[f"encoders.{name}"], one = one, encoders.Custom()
        if isinstance(one, EncoderConfig):
            chosen[name] = one
            continue
        kind, own = _named(encoders, one, usual)
        start = kind.usual(size, modality) if modality.kind in kind.kinds else {}
        chosen[name] = from_json(kind, {**start, **own}, f"the encoder of {name!r}")
    predictor = found.get("predictor", {})
    if isinstance(predictor, nn.Module):
        modules["predictor"], predictor = predictor, predictors.Custom()
    if not isinstance(predictor, PredictorConfig):
        kind, own = _named(predictors, predictor, PREDICTORS[size])
        predictor = from_json(kind, {**kind.sizes.get(size, {}), **own}, "the predictor")
    return WorldModelConfig(spec, **{**found, "encoders": chosen, "predictor": predictor}), modules


def _unknown(name: str, modalities: Iterable[str], known: Iterable[str]) -> str:
    """Return the message about an unknown modality."""
    names = ", ".join(islice(modalities, SHOWN))
    return f"the Spec of the model has no modality {name!r}.{suggest(name, known)} It has {names}."


def _named(registry: ModuleType, given: object, usual: str) -> tuple[Any, dict[str, Any]]:
    """Return the class of a component, and its options, from a name or from options with a name among them."""
    if isinstance(given, str):
        return registry.load(given), {}
    if not isinstance(given, Mapping):
        kind = registry.__name__.rpartition(".")[2]
        raise ConfigError(
            f"one of {kind} is a name, a mapping of options or a configuration such as "
            f"tc.models.{kind}.MLP(); got {given!r}."
        )
    options = dict(given)
    return registry.load(str(options.pop("name", usual))), options


def _check_encoder(encoder: EncoderConfig, kind: str, name: str) -> None:
    """Check that an encoder reads a kind of modality.

    Raises:
        ConfigError: if it does not, with the encoders that do.
    """
    if not isinstance(encoder, EncoderConfig):
        raise ConfigError(
            f"encoders holds configurations such as tc.models.encoders.Conv(); got {encoder!r} for {name!r}."
        )
    if kind not in type(encoder).kinds:
        fitting = [one for one in encoders.names() if kind in encoders.load(one).kinds]
        raise ConfigError(
            f"{kind} {name!r} is encoded by {' or '.join(map(repr, fitting))}; got {type(encoder).__name__}."
        )
