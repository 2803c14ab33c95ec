"""Plotting helpers: one style, no global changes, the same bytes from the same numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

__all__ = [
    "BLUE",
    "COLORS",
    "GREEN",
    "GREY",
    "INK",
    "ORANGE",
    "PAPER",
    "canvas",
    "encoded",
    "enlarged",
    "gif",
    "image",
    "png",
    "svg",
    "thinned",
]

BLUE, ORANGE, GREEN, GREY, INK, PAPER = "#2f5fd0", "#c96a12", "#1f7a5c", "#8a93a3", "#1f2430", "#ffffff"
STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": "#e4e7ec",
    "legend.frameon": False,
    "svg.hashsalt": "tacit",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
TIGHT: dict[str, Any] = {"w_pad": 0.02, "h_pad": 0.02, "wspace": 0.02, "hspace": 0.02}
COLORS = (BLUE, ORANGE, GREEN, GREY, "#7a4fb5", "#b03a5b", "#3a8fa3", INK)
DRAWN = 400
"""Points of a line, at the most."""


@contextmanager
def canvas(
    width: float, height: float, rows: int, columns: int, tight: bool = False
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a figure of ``rows * columns`` panels in the report's style. Nothing global is left changed."""
    layout = ConstrainedLayoutEngine(**(TIGHT if tight else {}))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), facecolor=PAPER, layout=layout)
        yield figure, list(np.ravel(figure.subplots(rows, columns, squeeze=False)))


def thinned(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Reduce a curve to at most 400 points, each the mean of its neighbours. Noise then does not hide the trend."""
    if len(points) <= DRAWN:
        return points
    return np.stack([part.mean(axis=0) for part in np.array_split(points, DRAWN)])


def image(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Convert ``[C, H, W]`` to ``[H, W, 3]``. A grey image becomes three equal channels."""
    three = np.broadcast_to(frame, (3, *frame.shape[1:])) if len(frame) == 1 else frame[:3]
    return np.moveaxis(three, 0, -1)


def enlarged(frame: npt.NDArray[np.uint8], size: int) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image(frame))).resize((size, size), Image.Resampling.NEAREST)


def svg(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="svg", dpi=160, metadata={"Date": None})
    return out.getvalue()


def png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=150, metadata={"Software": None})
    return out.getvalue()


def encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()


def gif(images: list[Image.Image]) -> bytes:
    """Encode an endlessly looping GIF at 12 frames a second. The last frame is held for two seconds."""
    out = io.BytesIO()
    durations = [80] * (len(images) - 1) + [2000]
    images[0].save(out, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return out.getvalue()
