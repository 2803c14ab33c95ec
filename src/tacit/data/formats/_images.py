"""Encoding of single images as PNG, decoding of PNG and JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

from tacit.types import Array

__all__ = ["CODECS", "LAYOUTS", "check_bits", "decode_image", "encode_png", "resolved_depth"]

LAYOUTS = {1: "gray", 3: "rgb24"}
CODECS: dict[bytes, Literal["png", "mjpeg"]] = {b"\x89PNG": "png", b"\xff\xd8\xff": "mjpeg"}


def encode_png(frames: npt.NDArray[np.uint8]) -> list[bytes]:
    """Encode images ``[T, C, H, W]`` with one or three channels as PNG files."""
    codec = av.CodecContext.create("png", "w")
    layout = LAYOUTS[frames.shape[1]]
    codec.height, codec.width, codec.pix_fmt, codec.framerate = *frames.shape[2:], layout, Fraction(1)
    codec.options = {"pred": "up", "compression_level": "1"}
    files = []
    for frame in np.ascontiguousarray(np.moveaxis(frames, 1, -1)):
        image = av.VideoFrame.from_ndarray(frame[..., 0] if layout == "gray" else frame, format=layout)
        files += [bytes(packet) for packet in codec.encode(image)]
    return files


def decode_image(data: bytes, shape: Sequence[int], depth: tuple[float, float] | None = None) -> npt.NDArray[np.uint8]:
    """Decode the image ``[C, H, W]`` in a PNG or JPEG file.

    Args:
        data: The content of the file.
        shape: Its channels, height and width.
        depth: The range in metres that grey of 16 bits shows, in millimetres; see :func:`resolved_depth`. None: such
            an image is refused.

    Raises:
        ValueError: if it is neither, damaged, or of another size; nothing larger than ``shape`` is allocated.
    """
    name = next((codec for magic, codec in CODECS.items() if data.startswith(magic)), None)
    if name is None:
        raise ValueError("expected a PNG or JPEG image; the bytes begin like neither.")
    channels, height, width = shape
    codec = av.CodecContext.create(name, "r")  # a used PNG decoder draws over its last image
    codec.options = {"max_pixels": str((height + 64) * (width + 64)), "err_detect": "explode"}
    try:
        frames = codec.decode(av.Packet(data)) or codec.decode(None)
    except av.FFmpegError as error:
        raise ValueError(
            f"expected an image of {width} x {height}; it cannot be decoded ({error.strerror})."
        ) from error
    if len(frames) != 1 or (frames[0].height, frames[0].width) != (height, width):
        came = f"{frames[0].width} x {frames[0].height}" if frames else "nothing"
        raise ValueError(f"expected an image of {width} x {height}; got {came}.")
    if depth is not None and channels == 1 and frames[0].format.name in ("gray16be", "gray16le"):
        return resolved_depth(frames[0].to_ndarray(), depth)[None]
    check_bits(frames[0], channels)
    image = np.asarray(frames[0].to_ndarray(format=LAYOUTS[channels]), np.uint8)
    return image[None] if channels == 1 else np.ascontiguousarray(np.moveaxis(image, -1, 0))


def check_bits(frame: av.VideoFrame, channels: int) -> None:
    """Refuse depth and other grey images of more than 8 bits, which 8 bits would truncate.

    Raises:
        ValueError: if the frame is one.
    """
    bits = max(component.bits for component in frame.format.components)
    if bits > 8 and (channels == 1 or frame.format.name.startswith("gray")):
        raise ValueError(
            f"expected images of 8 bits; got grey of {bits} bits ({frame.format.name}), such as depths, whose steps "
            "would be lost. Leave this feature out with skip=."
        )


def resolved_depth(images: Array, depth: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Return depths as grey levels: 1 is near and 255 far; 0, and what is not finite, is no measurement.

    Args:
        images: Depths of any shape: whole numbers in millimetres or floats in metres.
        depth: Near and far in metres; what is nearer or farther becomes 1 or 255.
    """
    metres = images.astype(np.float64) * (1e-3 if images.dtype.kind in "iu" else 1.0)
    measured = np.isfinite(metres) & (metres > 0)
    levels = 1 + 254 * (np.where(measured, metres, depth[0]) - depth[0]) / (depth[1] - depth[0])
    return np.where(measured, np.rint(levels.clip(1, 255)), 0).astype(np.uint8)
