"""LeRobot v3.0 dataset layout: parquet for numbers, PNG in parquet or mp4 for pixels; v2.1 and v2.0 are read.

Datasets written here open in lerobot and the other way round; lerobot itself is not needed. A modality
``front`` of pixels is the feature ``observation.images.front``, a vector ``state`` is
``observation.state``, a label ``position`` is ``label.position``, a series is a row of fixed width for
each step, padded with zeros. The spec and the rates, which have no place in lerobot, are in
``meta/tacit.json``; seeds, ends and checksums are columns ``tacit/...`` of ``meta/episodes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tacit.data.formats import _lerobot_layout as layouts
from tacit.data.formats._lerobot_layout import Layout
from tacit.data.formats._lerobot_options import Options
from tacit.data.formats._lerobot_read import LeRobotStorage
from tacit.data.formats._lerobot_write import Limits, build, stage
from tacit.data.storage import Reader, Storage
from tacit.data.validation import Labels
from tacit.errors import ConfigError, DataError
from tacit.types import Episode, Spec

__all__ = ["LeRobot", "LeRobotReader"]

SMALL = 128 * 128
MARKS = (layouts.INFO, layouts.TACIT, layouts.TASKS, layouts.STATS, "meta/tasks.jsonl", "meta/episodes.jsonl")
"""Files of which such a dataset, even damaged or of an older version, has at least one."""


@dataclass(frozen=True)
class LeRobotReader(Options):
    """Reader of a folder in LeRobot's layout v3.0, v2.1 or v2.0, with its options.

    Each feature of a dataset is the action or a part of it, an observation, a label, or skipped. Conventional names
    decide the role: ``action`` or ``actions`` is the action, and else ``action.*`` or ``actions.*`` are
    its parts; cameras and ``observation.*``, ``observations.*``, ``obs.*`` or else ``state`` are observations; other
    numbers are labels. One warning names the features whose role has no such name and the features that are not read.
    A depth camera is refused unless it is skipped, or read with ``depth``: images have 8 bits.

    Args:
        action: The feature that is the action, or several that are its parts in this order. An empty tuple: no
            actions. None: by name.
        observation: Exactly these features are observations. None: by name.
        label: These features are labels.
        skip: These features are not read. Like the options above it takes names, patterns such as
            ``observation.images.*``, or several of them. In a dataset that Tacit wrote it takes names of modalities
            too, and ``label.NAME``.
        strip: Prefixes that are cut off the names of features to make the names of modalities; every ``.`` that is
            left becomes ``_``. None: ``observation.images.``, ``observation.`` and their like, and less where two
            features would have the same name.
        size: Height and width of all images, or one number for both: each frame is cropped to the largest centred
            area of that shape and resized (bicubic, antialiased) when it is decoded. The spec keeps the recorded
            size, and a model resizes the frames of that size on which it acts in the same way.
        kind: The quantity that the action components command, one of :data:`tacit.types.ActionKind` for all or one
            for each, so that an agent knows which action does nothing. None: as in the dataset; lerobot's have none.
        position: The modality that holds the current position of the ``position`` components; see
            :class:`tacit.types.Spec`.
        position_index: The indices of these components in it.
        depth: Near and far in metres of depth cameras, such as ``(0.3, 3)``: near and what is nearer becomes the grey
            level 1, far and what is farther 255, and 0 is no measurement. Image files of 16 bits and whole numbers
            are in millimetres, arrays of floats in metres. None: depth cameras are refused.
        tolerance: The largest distance in seconds of a recorded time from the uniform clock of the steps. None: a
            tenth of a step.
    """

    def recognises(self, path: Path) -> bool:
        """Return whether ``path`` holds such a dataset, complete or damaged."""
        return any((path / name).is_file() for name in MARKS) or (path / "meta/episodes").is_dir()

    def open(self, path: Path) -> Storage:
        """Open the dataset. Raises DataError naming the file that is missing or damaged."""
        return LeRobotStorage(path, self)


@dataclass(frozen=True)
class LeRobot:
    """Format of a folder in LeRobot's layout v3.0; :class:`LeRobotReader` reads it.

    Args:
        lossless: Store pixels exactly, as PNG. By default images of up to 128 x 128 are stored exactly
            and larger ones as H.264, which changes them by a few grey levels.
        crf: Quality of H.264, 0 to 51, lower is better and larger.
        files_per_chunk: Files in one folder.
        data_mb: Size at which a parquet file is full.
        video_mb: Size at which a video file is full.
    """

    reader: ClassVar[type[Reader]] = LeRobotReader
    lossless: bool | None = None
    crf: int = 20
    files_per_chunk: int = 1000
    data_mb: float = 100.0
    video_mb: float = 200.0

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= 51 or self.files_per_chunk < 1 or self.data_mb <= 0 or self.video_mb <= 0:
            raise ConfigError(f"LeRobot needs crf in 0 to 51 and positive sizes; got {self}.")

    def prepare(self, spec: Spec, labels: Labels, base: Path | None) -> None:
        """Raise SpecError if the format cannot hold ``spec``, DataError if ``base`` cannot be extended."""
        layout = self._layout(spec, labels)
        if base is not None and layouts.saved(base) != layout:
            raise DataError(
                f"{base} was written with other options or by lerobot; it can be read but not added to. "
                "Convert it to a new dataset with tacit.data.convert."
            )

    def stage(self, folder: Path, episodes: Sequence[Episode], spec: Spec, labels: Labels) -> None:
        """Write episodes into an empty folder of their own."""
        stage(folder, episodes, self._layout(spec, labels), self.crf)

    def build(self, target: Path, spec: Spec, labels: Labels, staged: Sequence[Path], base: Path | None) -> None:
        """Write at ``target`` the dataset of the episodes of ``base`` followed by those staged."""
        limits = Limits(self.files_per_chunk, self.data_mb * 2**20, self.video_mb * 2**20)
        build(target, self._layout(spec, labels), staged, base, limits)

    def _layout(self, spec: Spec, labels: Labels) -> Layout:
        videos = tuple(
            name
            for name, modality in spec.modalities.items()
            if modality.kind == "pixels" and not self._exact(modality.shape)
        )
        return layouts.plan(spec, labels, videos)

    def _exact(self, shape: tuple[int, ...]) -> bool:
        return shape[1] * shape[2] <= SMALL if self.lossless is None else self.lossless
