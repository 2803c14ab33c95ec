"""Values of a record as JSON; arrays keep every bit."""

from __future__ import annotations

import json
import math
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import is_torch_array

from tacit.errors import ConfigError, DataError

__all__ = ["decoded", "encoded", "members"]

ARRAY = {"dtype", "shape", "data"}
"""The keys of an array; its data are little-endian bytes in base64, or a list of texts."""
TEXT = "text"
KINDS = "biuf"
"""The kinds of numbers that an array may hold: booleans, integers and floating-point numbers."""


def members(values: Mapping[str, Any]) -> str:
    """Return the members of a JSON object, without its braces."""
    return ",".join([f"{_text(name)}:{encoded(value)}" for name, value in values.items()])


@lru_cache(4096)
def _text(value: str) -> str:
    """Return a text that is likely to come again as JSON."""
    return json.dumps(value)


def encoded(value: Any) -> str:
    """Return a value as JSON.

    Args:
        value: None, a boolean, a number, a text, an array, a tensor, a dataclass, or a mapping or sequence of these.

    Raises:
        ConfigError: for anything else.
    """
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return _array(np.asarray(value, np.float64))
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return f"{{{members(value)}}}"
    if isinstance(value, (tuple, list)):
        return f"[{','.join([encoded(item) for item in value])}]"
    if is_torch_array(value):
        return _array(value.detach().cpu().numpy())
    if isinstance(value, np.generic):
        return _array(np.asarray(value))
    if is_dataclass(value) and not isinstance(value, type):
        return f"{{{members({field.name: vars(value)[field.name] for field in fields(value)})}}}"
    raise ConfigError(
        f"an audit log holds numbers, texts, arrays, and mappings, sequences and dataclasses of these; got a "
        f"{type(value).__name__}."
    )


def _array(array: npt.NDArray[Any]) -> str:
    shape = ",".join(map(str, array.shape))
    if array.dtype.kind == "U":
        return f'{{"dtype":"{TEXT}","shape":[{shape}],"data":{json.dumps(array.ravel().tolist())}}}'
    name, dtype = _little_endian(array.dtype)
    data = b2a_base64(np.ascontiguousarray(array, dtype).tobytes(), newline=False).decode()
    return f'{{"dtype":"{name}","shape":[{shape}],"data":"{data}"}}'


@lru_cache
def _little_endian(dtype: np.dtype[Any]) -> tuple[str, np.dtype[Any]]:
    """Return the name of a type of numbers and the type, of little-endian bytes."""
    if dtype.kind not in KINDS:
        raise ConfigError(f"an audit log holds arrays of numbers and texts; got {dtype}.")
    found = dtype.newbyteorder("<")
    return found.str, found


def decoded(value: Any) -> Any:
    """Return the value of parsed JSON; tuples, tensors and dataclasses come back as lists, arrays and mappings.

    Raises:
        DataError: if an array is damaged.
    """
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) != ARRAY:
        return {name: decoded(item) for name, item in value.items()}
    try:
        return _read(value["dtype"], tuple(value["shape"]), value["data"])
    except (TypeError, ValueError, Error) as error:
        raise DataError(f"an array of an audit log is damaged: {error}") from error


def _read(dtype: str, shape: tuple[int, ...], data: Any) -> npt.NDArray[Any]:
    if dtype == TEXT:
        return np.array([str(item) for item in data], np.str_).reshape(shape)
    kind = np.dtype(dtype)
    if kind.kind not in KINDS:
        raise ValueError(f"expected numbers; got {dtype!r}")
    content = a2b_base64(data)
    if any(side < 0 for side in shape) or math.prod(shape) * kind.itemsize != len(content):
        raise ValueError(f"{dtype} of shape {list(shape)} does not have {len(content)} bytes")
    return np.frombuffer(content, kind).reshape(shape).copy()
