"""Numbers and images in messages of ROS."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit._registry import suggest
from tacit.data.formats._images import decode_image
from tacit.types import Array

__all__ = ["IMAGES", "POSES", "STATES", "image", "is_command", "numbers"]

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
STATES = ("sensor_msgs/msg/JointState", "sensor_msgs/msg/Imu")
POSES = tuple(
    f"geometry_msgs/msg/{name}{more}"
    for name in ("Pose", "Transform", "PoseWithCovariance", "Wrench", "Point", "Vector3", "Quaternion")
    for more in ("", "Stamped")
)
POSES = (*POSES, "nav_msgs/msg/Odometry")
COMMANDS = ("cmd", "command", "action", "target", "control")
DEFAULT = {"sensor_msgs/msg/JointState": "position"}
"""Fields that stand for a message."""
ENCODINGS = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "rgba8": (np.uint8, 4),
    "bgra8": (np.uint8, 4),
    "mono8": (np.uint8, 1),
    "8UC1": (np.uint8, 1),
    "8UC3": (np.uint8, 3),
    "16UC1": (np.uint16, 1),
    "mono16": (np.uint16, 1),
    "32FC1": (np.float32, 1),
}
SENSED = ("orientation", "angular_velocity", "linear_acceleration")
LEFT_OUT = ("header", "covariance", *(f"{name}_covariance" for name in SENSED))
"""Fields of numbers that no robot moves by."""


def is_command(topic: str, kind: str) -> bool:
    """Return whether a topic commands a robot, by its name and the type of its messages."""
    words = topic.lower().replace("/", "_").split("_")
    return kind not in IMAGES and any(word.startswith(COMMANDS) for word in words)


def numbers(message: Any, field: str, kind: str) -> list[float]:
    """Return the numbers in a field of a message, of its parts one after the other, without covariances.

    Args:
        message: A message.
        field: The field, such as ``twist.linear``; empty for the whole message.
        kind: The type of the message.

    Raises:
        ValueError: if it has no such field, or no numbers.
    """
    value = message
    for name in (field or DEFAULT.get(kind, "")).split("."):
        if not name:
            continue
        known = [one for one in getattr(value, "__dataclass_fields__", ()) if not one.startswith("__")]
        if name not in known:
            raise ValueError(f"there is no field {name!r}.{suggest(name, known)} There are: {', '.join(known)}")
        value = getattr(value, name)
    found = _flat(value)
    if not found:
        raise ValueError(f"expected numbers in {field or kind}; there are none")
    return found


def _flat(value: Any) -> list[float]:
    if isinstance(value, (bool, int, float, np.number)):
        return [float(value)]
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return [float(one) for one in value.ravel()]
    if isinstance(value, (list, tuple, np.ndarray)):
        return [number for one in value for number in _flat(one)]
    fields = [name for name in getattr(value, "__dataclass_fields__", ()) if not name.startswith("__")]
    return [number for name in fields if name not in LEFT_OUT for number in _flat(getattr(value, name))]


def image(message: Any, kind: str) -> Array:
    """Return the image ``[H, W, C]`` of a message: bytes, or depths as they are.

    Raises:
        ValueError: for an unknown encoding, or fewer bytes than the image needs.
    """
    if kind.endswith("CompressedImage"):
        return _decoded(bytes(message.data))
    dtype, channels = ENCODINGS.get(message.encoding, (None, 0))
    if dtype is None:
        raise ValueError(f"expected one of the encodings {', '.join(ENCODINGS)}; got {message.encoding!r}")
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * channels * np.dtype(dtype).itemsize
    data = np.asarray(message.data, np.uint8)
    if step < row or len(data) < height * step or not height or not width:
        raise ValueError(f"expected {height} rows of {row} bytes; got {len(data)} bytes in rows of {step}")
    rows = np.ascontiguousarray(data[: height * step].reshape(height, step)[:, :row])
    pixels: Array = rows.view(np.dtype(dtype).newbyteorder(">" if message.is_bigendian else "<"))
    pixels = pixels.reshape(height, width, channels).astype(dtype, copy=False)
    if message.encoding.startswith("bgr"):
        pixels = pixels[..., [2, 1, 0, *range(3, channels)]]
    return pixels[..., :3]


def _decoded(data: bytes) -> npt.NDArray[np.uint8]:
    """Return the image in a PNG or JPEG file."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as about:
        shape: Sequence[int] = (1 if about.mode in ("1", "L") else 3), about.height, about.width
    return np.moveaxis(decode_image(data, shape), 0, -1)
