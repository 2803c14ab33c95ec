"""Values of a record as JSON; arrays keep every bit."""

from __future__ import annotations

import json
import math
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
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
    return ",".join(f"{json.dumps(name)}:{encoded(value)}" for name, value in values.items())


def encoded(value: Any) -> str:
    """Return a value as JSON.

    Args:
        value: None, a boolean, a number, a text, an array, a tensor, a dataclass, or a mapping or sequence of these.

    Raises:
        ConfigError: for anything else.
    """
    if is_torch_array(value):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, float) and not math.isfinite(value):
        return _array(np.asarray(value, np.float64))
    if value is None or isinstance(value, (bool, int, float, str)):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return f"{{{members(value)}}}"
    if isinstance(value, (tuple, list)):
        return f"[{','.join(map(encoded, value))}]"
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
    if array.dtype.kind not in KINDS:
        raise ConfigError(f"an audit log holds arrays of numbers and texts; got {array.dtype}.")
    dtype = array.dtype.newbyteorder("<")
    data = b2a_base64(np.ascontiguousarray(array, dtype).tobytes(), newline=False).decode()
    return f'{{"dtype":"{dtype.str}","shape":[{shape}],"data":"{data}"}}'


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
