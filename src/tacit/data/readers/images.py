"""Reader of image folders: each image is an episode of one observation, each subfolder a class."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from tacit._resize import fitted, wanted_size
from tacit.data.readers._files import ADVICE, FileSet, FileStorage, find, listed, option, readable
from tacit.data.readers._frames import check_frames, grey
from tacit.data.storage import Storage
from tacit.data.validation import Defect
from tacit.types import Episode, Modality, Spec

__all__ = ["Images"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
PIXELS, PAGES = 2**27, 1000
"""Largest number of pixels of an image, and of pages of a file, of which all but one are copies."""
KINDS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")  # Pillow reads more, some of which run programs
SEVERAL = ("PNG", "WEBP", "TIFF")  # that may hold several images; in a JPEG, the ones after the first belong to it
ROLE, BITS = 254, 258  # tags of TIFF: the role of an image among the others of the file, and the bits of its numbers
COPY = 0b101  # the bits of ROLE that mark a small copy or a mask


@dataclass(frozen=True)
class Images:
    """Reader of PNG, JPEG, BMP, WebP and TIFF images as ``pixels``, one observation an episode.

    An image in a subfolder has the label ``class``, the number of that subfolder among all, in the order of their
    names, and the name as its ``task``. Images are rotated by their EXIF orientation; transparent areas become white;
    of 12 or 16 bits the upper 8 are kept, and integers of another kind (32 bits, or with a sign) must be 0 to 255; a
    grey image has three equal channels, unless ``channels`` is 1. A file of several images (the pages of a TIFF, an
    animated WebP or PNG) cannot be read, but a TIFF may hold small copies and masks of its image.

    Args:
        size: Height and width, or one number for both: each image is cropped to the largest centred area of that
            shape and resized (bicubic, antialiased). None: all images already have the same size.
        channels: 3 for colour, 1 for grey (ITU-R 601 luma).
        on_error: ``raise`` a DataError at a file that is not an image, or ``skip`` such files with a warning that
            counts and names them; then every file is read once when the folder is opened.
        classes: The names of the classes, by number; a file in another subfolder is refused. None: the subfolders.
    """

    size: int | tuple[int, int] | None = None
    channels: int = 3
    on_error: Literal["raise", "skip"] = "raise"
    classes: tuple[str, ...] | None = None

    added: ClassVar = frozenset(("classes",))
    """Options that enter hashes only where they are given, for compatibility with older datasets."""

    def __post_init__(self) -> None:
        check_frames(self.size, self.channels, self.on_error)

    def recognises(self, path: Path) -> bool:
        """Return whether there are images at or under ``path``."""
        return bool(listed(path, SUFFIXES))

    def open(self, path: Path) -> Storage:
        """Find the images. Raises DataError if there is none, or naming the first one if it cannot be read."""
        found = find(path, listed(path, SUFFIXES), SUFFIXES, "images", self.classes)
        if self.on_error == "skip":
            found = readable(found, "images", lambda file: decode(file, wanted_size(self.size), self.channels))
        size = wanted_size(self.size)
        if size is None:
            try:
                size = decode(found.files[0], None, self.channels).shape[1:]
            except ValueError as error:
                raise Defect(found.files[0], 0, "pixels", f"{error} {ADVICE}") from error
        return _ImageStorage(found, self, Spec({"pixels": Modality("pixels", (self.channels, *size))}))


class _ImageStorage(FileStorage):
    """Storage of images, decoded when they are read."""

    parallel = True

    def __init__(self, found: FileSet, options: Images, spec: Spec) -> None:
        super().__init__(found, options, spec, np.ones(len(found.files), dtype=np.int64))
        self._size, self._channels = wanted_size(options.size), options.channels

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        """Return the image at ``index``."""
        file, shape = self.found.files[index], self.spec.modalities["pixels"].shape
        try:
            image = decode(file, self._size, self._channels)
        except ValueError as error:
            raise Defect(file, index, "pixels", f"{error} {ADVICE}") from error
        if image.shape != shape:
            raise Defect(
                file,
                index,
                "pixels",
                f"expected an image of {shape[2]} x {shape[1]}, like the first one; got {image.shape[2]} x "
                f"{image.shape[1]}. Give one size for all, for example {option('size', 64)}.",
            )
        return self.episode_of(index, modalities, image[None])


def decode(file: Path, size: tuple[int, int] | None, channels: int) -> npt.NDArray[np.uint8]:
    """Return the image ``[channels, H, W]`` in a file, cropped and resized to ``size``.

    Raises:
        ValueError: if it cannot be read.
    """
    try:
        with Image.open(file, formats=KINDS) as opened:
            if opened.width * opened.height > PIXELS:
                raise ValueError(f"it has {opened.width} x {opened.height} pixels; expected at most {PIXELS} in all")
            if size is not None:  # a JPEG is decoded at half its size or less where that is twice the requested size
                opened.draft(opened.mode, (2 * max(size), 2 * max(size)))
            pages = _pages(opened)
            if len(pages) > 1:
                raise ValueError(
                    f"it holds {len(pages)} images; save each as a file of its own, or all of them as a video"
                )
            opened.seek(pages[0])
            image = _plain(ImageOps.exif_transpose(opened), _surplus(opened))
            if size is not None:
                image = fitted(image, size)
            pixels = np.asarray(image)
    except UnidentifiedImageError as error:
        raise ValueError(f"expected a {', '.join(KINDS)} image; the file begins like none of them.") from error
    except Exception as error:  # any error that Pillow raises for a damaged file
        raise ValueError(f"expected an image; it cannot be used: {error}.") from error
    if pixels.ndim == 2:
        return np.repeat(pixels[None], channels, axis=0)
    return grey(pixels) if channels == 1 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _pages(opened: Image.Image) -> list[int]:
    """Return the positions of the images in a file, without copies and masks in a TIFF."""
    if opened.format not in SEVERAL:
        return [0]
    count = getattr(opened, "n_frames", 1)
    if count > PAGES:
        raise ValueError(f"it holds {count} images; expected at most {PAGES} pages")
    pages = list(range(count))
    if isinstance(opened, TiffImageFile):
        for page in pages[:]:
            opened.seek(page)
            if opened.tag_v2.get(ROLE, 0) & COPY:
                pages.remove(page)
    return pages or [0]


def _surplus(opened: Image.Image) -> int:
    """Return the number of bits above 8 of a grey image's integers, as recorded."""
    if isinstance(opened, TiffImageFile):
        return int(opened.tag_v2[BITS][0]) - 8 if opened.mode.startswith("I;16") else 0
    return 8  # in PNG, whose 16 bits some versions of Pillow open as 32


def _plain(image: Image.Image, surplus: int) -> Image.Image:
    """Return the image in 8 bits, colour or grey, on white where it is transparent."""
    if image.mode.startswith("I"):
        values = np.asarray(image) >> surplus
        if values.min() < 0 or values.max() > 255:
            raise ValueError(
                f"it holds whole numbers from {values.min()} to {values.max()}, and does not say how bright they are; "
                "save it with 8 bits, or with 16 bits without a sign"
            )
        return Image.fromarray(values.astype(np.uint8))
    if image.mode == "F":
        raise ValueError("it holds floating-point numbers; scale them to 0..255 and save it with 8 bits")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")
