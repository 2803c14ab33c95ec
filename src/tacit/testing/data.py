"""Conformance suites for storage formats and for readers of files of other programs.

In the tests of an extension::

    from tacit.testing.data import check_format, check_reader

    def test_mine_is_a_format(tmp_path):
        check_format(MyFormat(), tmp_path)

    def test_mine_is_a_reader(tmp_path):
        check_reader(MyReader(), "examples/of/my/files", tmp_path)
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tacit._config import from_json, to_json
from tacit.data import Writer, check, from_episodes, save
from tacit.data import open as open_data
from tacit.data.storage import Format, Reader, Storage, Streamed, checked, files_digest
from tacit.errors import DataError
from tacit.types import Box, Episode, Modality, Spec

__all__ = ["check_format", "check_reader"]

SPEC = Spec(
    {
        "pixels": Modality("pixels", (3, 8, 10)),
        "state": Modality("vector", (3,)),
        "audio": Modality("series", (2,), rate=25.0),
    },
    Box((-1.0, 0.0), (1.0, 2.0)),
    fps=10.0,
)


def check_format(form: Format, folder: str | Path, spec: Spec = SPEC) -> None:
    """Check that ``form`` keeps the promises of :class:`tacit.data.storage.Format`, and its reader those of a reader.

    Args:
        form: A lossless format, with its options.
        folder: An empty folder for the datasets of the checks; made if it does not exist.
        spec: Spec that the format can hold; by default small images, a vector, a series and two action components.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _check_options(form)
    reader = form.reader()
    episodes = [_episode(seed, 5 + seed % 3, spec) for seed in range(4)]
    given, place = from_episodes(episodes, spec), folder / "dataset"
    save(given, place, form, progress=False)
    found = open_data(place, reader)
    _expect(found.spec == given.spec, "a dataset must be read with the spec that it was written with")
    _expect(found.labels == given.labels, "a dataset must be read with the labels that it was written with")
    _expect_same(list(found), episodes)
    _expect(found.hash() == given.hash(), "a dataset must have the hash of the episodes that were written")
    _expect(not check(place, reader), "a dataset must have no defect after it was written")
    check_reader(reader, place, folder)
    with Writer(place, spec, form) as writer:
        _expect(len(writer) == len(episodes), "a writer must count the episodes of the dataset")
        writer.add(_episode(9, 6, spec))
    _expect_same(list(open_data(place, reader)), [*episodes, _episode(9, 6, spec)])
    _check_damage(reader, place, folder)


def check_reader(reader: Reader, path: str | Path, folder: str | Path) -> None:
    """Check that ``reader`` keeps the promises of :class:`tacit.data.storage.Reader`.

    Args:
        reader: A reader, with its options.
        path: Files that it can read, of at least two episodes.
        folder: An existing folder for the files of the checks.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    path, folder = Path(path), Path(folder)
    _check_options(reader)
    _expect(reader.recognises(path), "a reader must recognise files that it can read")
    before = _digest(path)
    storage, again = reader.open(path), reader.open(path)
    _check_index(storage)
    names = tuple(storage.spec.modalities)
    for index in range(len(storage.lengths)):
        try:
            episode = checked(storage, index, names)
        except DataError as error:
            raise AssertionError(f"episodes must fit their spec: {error}") from error
        _expect(len(episode) == storage.lengths[index], f"episode {index} must have the length that lengths names")
        _expect_same([again.read(index, names)], [episode])
        for name in names:
            alone = storage.read(index, (name,))
            _expect(set(alone.observation) == {name}, "read must return the named modalities and no other")
            _expect(
                np.array_equal(alone.observation[name], episode.observation[name]),
                f"{name!r} must not depend on the other modalities that are read",
            )
            if isinstance(storage, Streamed) and storage.spec.modalities[name].kind == "pixels":
                frames = np.stack(list(storage.frames(index, name)))
                _expect(np.array_equal(frames, episode.observation[name]), "frames must yield what read returns")
        _expect(storage.digest(index) == again.digest(index), "digest must be a function of the files and options")
        _expect(Path(storage.file(index, names[0])).exists(), "file must return an existing file")
    _expect(_digest(path) == before, "reading must not change the files")
    _check_nothing(reader, folder)


def _check_options(owner: Any) -> None:
    frozen = is_dataclass(owner) and not isinstance(owner, type) and vars(type(owner))["__dataclass_params__"].frozen
    _expect(frozen, f"{type(owner).__name__} must be a frozen dataclass of options")
    _expect(from_json(type(owner), to_json(owner)) == owner, "options must convert to JSON and back")


def _check_index(storage: Storage) -> None:
    count = len(storage.lengths)
    _expect(count >= 2, "the example files must hold at least two episodes")
    _expect(
        storage.lengths.dtype == np.int64 and bool((storage.lengths >= 1).all()), "lengths must be int64, at least 1"
    )
    _expect(len(storage.groups) == count, "there must be a group for each episode")
    _expect(bool(storage.spec.modalities), "the spec must have a modality")


def _check_nothing(reader: Reader, folder: Path) -> None:
    """Check files that are not for the reader."""
    empty, other = folder / "empty", folder / "other"
    empty.mkdir()
    other.mkdir()
    (other / "notes.unknown").write_text("nothing that a reader reads")
    for place in (empty, other):
        _expect(not reader.recognises(place), f"a reader must not recognise a folder without its files: {place.name}")
        try:
            reader.open(place)
        except DataError:
            continue
        raise AssertionError("open must raise a DataError for a folder without its files")
    shutil.rmtree(empty)
    shutil.rmtree(other)


def _check_damage(reader: Reader, place: Path, folder: Path) -> None:
    """Check that files cut to half their length are noticed, by an error or as a defect."""
    files = [file for file in place.rglob("*") if file.is_file()] if place.is_dir() else [place]
    for file in files:
        copy = folder / "damaged"
        if place.is_dir():
            shutil.copytree(place, copy)
            target = copy / file.relative_to(place)
        else:
            target = Path(shutil.copyfile(place, copy))
        content = target.read_bytes()
        target.write_bytes(content[: len(content) // 2])
        _expect(_notices(reader, copy), f"a damaged file must be noticed: {file.name}")
        shutil.rmtree(copy) if copy.is_dir() else copy.unlink()


def _notices(reader: Reader, place: Path) -> bool:
    """Return whether reading everything raises a DataError, or a check names a defect."""
    try:
        storage = reader.open(place)
        for index in range(len(storage.lengths)):
            checked(storage, index, tuple(storage.spec.modalities))
        return bool(check(place, reader))
    except DataError:
        return True


def _episode(seed: int, length: int, spec: Spec) -> Episode:
    """Return an episode with every kind of fact."""
    rng = np.random.default_rng(seed)
    observation = {}
    for name, modality in spec.modalities.items():
        shape = (spec.samples(name, length), *modality.shape)
        pixels = modality.kind == "pixels"
        observation[name] = (
            rng.integers(0, 256, shape, dtype=np.uint8) if pixels else rng.normal(size=shape).astype(np.float32)
        )
    action = np.stack([spec.action.sample(rng) for _ in range(length)]).astype(np.float32)
    return Episode(
        observation,
        action[:-1],
        terminated=seed % 2 == 0,
        final_action=action[-1] if seed % 3 else None,
        labels={"position": rng.normal(size=(length, 2)).astype(np.float32), "solved": rng.random(length) > 0.5},
        seed=seed or None,
        task=f"task {seed % 2}",
    )


def _expect_same(found: Sequence[Episode], expected: Sequence[Episode]) -> None:
    """Check that all arrays and facts are equal, except for the number of the episode."""
    _expect(len(found) == len(expected), f"expected {len(expected)} episodes; got {len(found)}")
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        arrays = [{**each.observation, **{f"label {k}": v for k, v in each.labels.items()}} for each in (one, other)]
        arrays[0]["action"], arrays[1]["action"] = one.action, other.action
        _expect(set(arrays[0]) == set(arrays[1]), f"episode {index} must keep its modalities and labels")
        for name, value in arrays[1].items():
            same = arrays[0][name].dtype == value.dtype and np.array_equal(arrays[0][name], value)
            _expect(same, f"episode {index} must keep {name!r}")
        final = [each.final_action for each in (one, other)]
        same = final[0] is final[1] or (final[0] is not None and np.array_equal(final[0], final[1]))  # type: ignore[arg-type]
        _expect(same, f"episode {index} must keep its final action")
        for fact in ("terminated", "seed", "task", "group"):
            _expect(vars(one)[fact] == vars(other)[fact], f"episode {index} must keep {fact!r}")


def _digest(path: Path) -> str:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return files_digest(path if path.is_dir() else path.parent, files)


def _expect(holds: bool, promise: str) -> None:
    if not holds:
        raise AssertionError(promise)
