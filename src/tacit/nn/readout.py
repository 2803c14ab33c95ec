"""Fitted linear map from latents to a physical quantity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacit._arrays import array_namespace, as_numbers, like
from tacit.errors import ConfigError, SpecError
from tacit.types import Numbers

__all__ = ["LinearReadout"]

NUMBERS = ("error", "r2")
"""The fields with a number for each component."""
ARRAYS = ("weight", "bias")


@dataclass(frozen=True, eq=False)
class LinearReadout:
    """Linear map from latents to a quantity; see :class:`tacit.types.Readout`.

    Attributes:
        target: The quantity.
        weight: ``[D, P]``.
        bias: ``[P]``.
        error: ``[P]`` root mean square error of each component over held-out episodes.
        r2: ``[P]`` share of the variance explained on them; NaN for a constant component.
    """

    target: str
    weight: Numbers
    bias: Numbers
    error: tuple[float, ...]
    r2: tuple[float, ...]

    def __post_init__(self) -> None:
        shape = tuple(self.weight.shape)
        sizes = {shape[-1], *(len(part) for part in (self.bias, self.error, self.r2))}
        if len(shape) != 2 or len(sizes) != 1:
            raise SpecError(
                "a readout needs weight [D, P], bias [P], and an error and an R2 for each component; got weight "
                f"{list(shape)}, bias {list(self.bias.shape)}, {len(self.error)} and {len(self.r2)}."
            )

    @property
    def size(self) -> int:
        """Return ``P``, the components of the quantity."""
        return int(self.weight.shape[1])

    def __call__(self, latents: Numbers, /) -> Numbers:
        """Return the quantity ``[..., P]`` of latents ``[..., D]``, differentiable in torch.

        Raises:
            SpecError: if the latents have another size.
        """
        if latents.shape[-1] != self.weight.shape[0]:
            raise SpecError(
                f"the readout of {self.target!r} reads latents of size {self.weight.shape[0]}; got "
                f"{list(latents.shape)}. It belongs to another model."
            )
        return array_namespace(latents).matmul(latents, like(self.weight, latents)) + like(self.bias, latents)

    def to(self, device: Any) -> LinearReadout:
        """Return the readout with its weights on a torch device."""
        return LinearReadout(self.target, self.weight.to(device), self.bias.to(device), self.error, self.r2)

    def pack(self) -> tuple[dict[str, Any], dict[str, Numbers]]:
        """Return the readout as JSON values and torch tensors."""
        numbers = {name: [None if math.isnan(one) else one for one in vars(self)[name]] for name in NUMBERS}
        return {"target": self.target, **numbers}, {name: as_numbers(vars(self)[name], "cpu") for name in ARRAYS}

    @classmethod
    def unpack(cls, values: Mapping[str, Any], tensors: Mapping[str, Numbers]) -> LinearReadout:
        """Return the readout of :meth:`pack`.

        Raises:
            ConfigError: if something is missing or of another type.
            SpecError: if the shapes do not fit.
        """
        if set(values) != {"target", *NUMBERS} or set(tensors) != set(ARRAYS):
            raise ConfigError("it is incomplete.")
        try:
            error, r2 = (tuple(math.nan if one is None else float(one) for one in values[name]) for name in NUMBERS)
        except (TypeError, ValueError) as cause:
            raise ConfigError(f"error and r2 of a readout are lists of numbers; {cause}.") from cause
        return cls(str(values["target"]), tensors["weight"], tensors["bias"], error, r2)

    def __str__(self) -> str:
        parts = [f"{error:.3g} (R2 {r2:.3f})" for error, r2 in zip(self.error, self.r2, strict=True)]
        return f"readout of {self.target}, held-out error {', '.join(parts[:6])}{', ...' if self.size > 6 else ''}"

    def __repr__(self) -> str:
        return f"LinearReadout({self.target!r}, {list(self.weight.shape)})"
