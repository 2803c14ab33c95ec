"""Checks of the options of the reader of signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tacit._limits import is_positive
from tacit.data.readers._actions import bound
from tacit.data.readers._roles import check_periods, check_roles
from tacit.data.readers._text import check_encoding
from tacit.data.readers._zones import check_zone
from tacit.errors import ConfigError

if TYPE_CHECKING:
    from tacit.data.readers.signals import Signals

__all__ = ["check_options"]

GAPS = ("refuse", "split", "previous", "interpolate")


def check_options(options: Signals) -> None:
    """Raise ConfigError for an option that is out of range or contradicts another."""
    for name, value in (
        ("rate", options.rate),
        ("fps", options.fps),
        ("max_gap", options.max_gap),
        ("longest", options.longest),
    ):
        if value is not None and not is_positive(value):
            per = "in seconds" if name in ("max_gap", "longest") else "a second"
            raise ConfigError(f"{name} is a positive number {per}; got {value!r}.")
    check_roles(options)
    check_periods(options)
    if options.time_zone is not None:
        check_zone(options.time_zone)
    if options.gaps not in GAPS:
        raise ConfigError(f"gaps is {', '.join(map(repr, GAPS))}; got {options.gaps!r}.")
    if options.max_gap is not None and options.gaps not in ("previous", "interpolate"):
        raise ConfigError(f"max_gap needs gaps='previous' or 'interpolate'; got gaps={options.gaps!r}.")
    if wrong := [name for name, value in options.fill.items() if not np.isfinite(np.float32(value))]:
        raise ConfigError(f"fill needs finite numbers; got {options.fill[wrong[0]]} for {wrong[0]!r}.")
    if options.between not in ("refuse", "mean", "last"):
        raise ConfigError(f"between is 'refuse', 'mean' or 'last'; got {options.between!r}.")
    if options.decimal not in (None, ".", ","):
        raise ConfigError(f"decimal is '.' or ','; got {options.decimal!r}.")
    if options.encoding is not None:
        check_encoding(options.encoding)
    if not options.actions and (options.low is not None or options.high is not None):
        raise ConfigError("low and high are bounds of actions; name the columns of actions: actions=('a', 'b').")
    bound("low", options.low, options.actions)
    bound("high", options.high, options.actions)
