"""Encoding of single images as PNG, decoding of PNG and JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

__all__ = ["CODECS", "LAYOUTS", "check_bits", "decode_image", "encode_png"]

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


def decode_image(data: bytes, shape: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Decode the image ``[C, H, W]`` in a PNG or JPEG file.

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
