"""Modules of the user inside a world model."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import nn

from tacit._registry import suggest
from tacit.errors import ConfigError
from tacit.models._config import WorldModelConfig
from tacit.nn.encoders import Encoder
from tacit.nn.predictors import Predictor

__all__ = ["CustomModules", "redrawn"]


class CustomModules:
    """Modules that stand in the place of a predictor or an encoder of a configuration.

    Args:
        config: Configuration of the world model.
        modules: The modules by place: ``predictor`` and ``encoders.NAME``.

    Raises:
        ConfigError: if a module is missing, has no place, or is of another class than its place needs.
    """

    def __init__(self, config: WorldModelConfig, modules: Mapping[str, nn.Module]) -> None:
        places = {place: Predictor if place == "predictor" else Encoder for place in config.custom}
        for place in modules:
            if place not in places:
                known = f" It has {', '.join(places)}." if places else " It has none."
                raise ConfigError(f"the model has no module of your own at {place!r}.{suggest(place, places)}{known}")
        missing = [place for place in places if place not in modules]
        if missing:
            example = ", ".join(f'"{place}": MODULE' for place in missing)
            raise ConfigError(
                f"the model has modules of your own, which no file names. Pass them: modules={{{example}}}."
            )
        for place, kind in places.items():
            if not isinstance(modules[place], kind):
                raise ConfigError(
                    f"a module at {place!r} inherits from tc.nn.{kind.__name__}; got {type(modules[place]).__name__}."
                )
        self._modules = dict(modules)

    def predictor(self, config: WorldModelConfig, action: int) -> Predictor:
        """Return the predictor, the user's or a new one, for action latents of size ``action``."""
        own = self._modules.get("predictor")
        return own if isinstance(own, Predictor) else config.predictor.build(config.latent, action)

    def encoder(self, config: WorldModelConfig, name: str) -> Encoder:
        """Return the encoder of a modality, the user's or a new one."""
        own = self._modules.get(f"encoders.{name}")
        return own if isinstance(own, Encoder) else config.encoders[name].build(config.shape(name))


@runtime_checkable
class _Resets(Protocol):
    def reset_parameters(self) -> None:
        """Draw the weights of a layer again."""


def redrawn(module: nn.Module) -> nn.Module:
    """Return a copy of a module with new random weights.

    Raises:
        ConfigError: if a part of it has parameters and no method ``reset_parameters``.
    """
    copied = copy.deepcopy(module)
    for name, part in copied.named_modules():
        if isinstance(part, _Resets):
            part.reset_parameters()
        elif next(part.parameters(recurse=False), None) is not None:
            raise ConfigError(
                f"an untrained copy of {type(module).__name__} needs new weights, and its part {name or 'itself'!r} "
                "has no method reset_parameters(). Add one."
            )
    return copied
