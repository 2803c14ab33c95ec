"""Latents on disk, encoded once and read back without the model by probes or training.

::

    latents/rooms/
        embedding.json            model and dataset by their digests, shape and dtype, size and digest of every file
        rows.safetensors          episode and step of each row, its targets, and a hash of each episode
        values-00000.safetensors  latents, mapped into memory when they are read
        values-00001.safetensors

The directory is there whole or not at all. Until then the finished shards are in ``.<name>.unfinished`` next to it,
from where the same call continues.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError

from tacit._config import from_json, to_json
from tacit._files import add_checksum, check_file, parse_json, read_bytes, resolve, sync, verified, write_atomically
from tacit.checkpoint import provenance
from tacit.data import Episodes
from tacit.embeddings._files import PLAN, StoredFile, described, read, save, shard_name, staged, unfinished
from tacit.embeddings.model_digest import model_digest
from tacit.errors import ConfigError, DataError
from tacit.probing.encoder import Encoder, covered_share, encode_windows, token_grid_of, window_ends, windows
from tacit.probing.features import Features, targets_at
from tacit.probing.lazy_rows import Shards

__all__ = ["Embedding", "EmbeddingHeader", "Split", "embed", "open_embedding"]

FORMAT = 1
HEADER, ROWS = "embedding.json", "rows.safetensors"
SHARD, SHARD_ROWS = 2**28, 2**13
"""Bytes and rows of a shard at the most, about: what an interruption loses is less than one."""
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Split:
    """Split of the episodes, as made by ``episodes.split(fraction, seed)``."""

    fraction: float
    seed: int


@dataclass(frozen=True)
class EmbeddingHeader:
    """Header of an embedding.

    Attributes:
        format: Of the files.
        model: The class of the model.
        digest: A hash of its configuration and weights; see :func:`model_digest`.
        source: Role in a comparison: ``model``, ``untrained``, ``raw``.
        dataset: ``episodes.hash()`` of what was encoded.
        rows: ``N``.
        shape: Of a row, ``[D]`` or ``[n, D]``.
        dtype: Of the values.
        length: Number of observations in one input of the model.
        grid: Extents of the grid of tokens, where known.
        split: The split of the run that trained the model, where the dataset is the same.
        files: Size and SHA-256 of each file, the shards in order and last the rows.
        provenance: The versions and the git revision that wrote it.
        covered: Share of an image's height and width that the grid covers.
    """

    format: int
    model: str
    digest: str
    source: str
    dataset: str
    rows: int
    shape: tuple[int, ...]
    dtype: Literal["float32", "float16", "bfloat16"]
    length: int
    grid: tuple[int, ...] | None
    split: Split | None
    files: Mapping[str, StoredFile]
    provenance: Mapping[str, Any]
    covered: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Embedding:
    """Latents that were written by :func:`embed`.

    Attributes:
        path: Where they are.
        header: Their description.
        features: The latents, read from disk when they are needed, with their targets.
    """

    path: Path
    header: EmbeddingHeader
    features: Features

    def split(self, fraction: float = 0.9, seed: int = 0) -> tuple[Features, Features]:
        """Return features to fit on and held-out ones. The split in the header is used where there is one."""
        chosen = self.header.split or Split(fraction, seed)
        return self.features.split(chosen.fraction, chosen.seed)

    def verify(self) -> None:
        """Read every file through.

        Raises:
            DataError: if one is not what was written.
        """
        for name, file in self.header.files.items():
            if described(self.path / name) != file:
                raise DataError(f"{self.path / name} is damaged: its digest is not the one recorded. Embed again.")


def embed(
    model: Encoder,
    episodes: Episodes,
    to: str | Path,
    *,
    tokens: bool = False,
    dtype: Literal["float32", "float16", "bfloat16"] = "float32",
    split: Split | None = None,
    source: str = "model",
    progress: bool | None = None,
) -> Embedding:
    """Encode every observation and write the latents. Repeat an interrupted call to continue where it stopped.

    Args:
        model: The encoder; its weights and its mode do not change.
        episodes: Episodes to encode, with their labels.
        to: The directory to make.
        tokens: Keep every token.
        dtype: How the values are stored.
        split: To note in the header, for probes to hold out what training did.
        source: To note in the header.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: for an unknown dtype.
        DataError: if something is at ``to``, an unfinished embedding of something else is next to it, or a latent is
            not finite, in the stored dtype.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"latents are stored as {', '.join(DTYPES)}; got {dtype!r}.")
    to = resolve(to)
    if to.exists():
        raise DataError(f"{to} exists already. Choose another path, or delete it first.")
    clips = windows(model, episodes)
    index = np.arange(len(clips))
    shape = next(encode_windows(model, clips, index[:1], tokens, progress=False)).shape[1:]
    grid = token_grid_of(model, shape[0]) if tokens else None
    plan = {
        "format": FORMAT,
        "model": type(model).__name__,
        "digest": model_digest(model),
        "source": source,
        "dataset": episodes.hash(),
        "rows": len(clips),
        "shape": list(shape),
        "dtype": dtype,
        "length": clips.length,
        "grid": to_json(grid),
        "covered": to_json(covered_share(model, episodes.spec, grid)),
        "split": to_json(split),
    }
    staging = staged(to, plan)
    size = max(1, min(SHARD // (shape.numel() * DTYPES[dtype].itemsize), SHARD_ROWS))
    shards = np.split(index, range(size, len(index), size))
    for number, rows in enumerate(shards):
        file = staging / shard_name(number)
        if not file.exists():
            label = f"batches of file {number + 1} of {len(shards)}"
            latents = encode_windows(model, clips, rows, tokens, progress=progress, label=label)
            values = torch.cat([part.to(DTYPES[dtype]) for part in latents])
            if not torch.isfinite(values).all():
                raise DataError(f"latents as large as these do not fit {dtype}; store them as float32 or bfloat16.")
            save(file, {"values": values})
    table = _table(episodes, *window_ends(clips, index))
    save(staging / ROWS, {name: torch.from_numpy(np.array(value)) for name, value in table.items()})
    files = {name: described(staging / name) for name in (*map(shard_name, range(len(shards))), ROWS)}
    header = {**plan, "files": to_json(files), "provenance": provenance()}
    write_atomically(staging / HEADER, add_checksum(header))
    sync(staging)
    staging.rename(to)
    (to / PLAN).unlink()  # only now: without it nothing of what is unfinished is trusted
    sync(to.parent)
    return open_embedding(to)


def _table(
    episodes: Episodes, episode: npt.NDArray[np.int64], step: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of the rows: their episode, step and targets, and the hash of each episode."""
    found, classes = targets_at(episodes, episode, step)
    hashes = np.frombuffer(bytes.fromhex("".join(episodes.digests())), np.uint8).reshape(len(episodes), -1)
    targets = {f"target.{name}": np.asarray(value) for name, value in found.items()}
    table: dict[str, npt.NDArray[Any]] = {"episode": episode, "step": step, "hashes": hashes, **targets}
    if any(episodes.groups) or classes:
        groups = episodes.groups if any(episodes.groups) else ()
        table["about"] = np.frombuffer(json.dumps({"groups": groups, "classes": classes}).encode(), np.uint8)
    return table


def open_embedding(path: str | Path) -> Embedding:
    """Open latents on disk; they are mapped into memory and read when they are needed.

    Raises:
        DataError: if there are none, or a file is missing, damaged or of another format.
    """
    path = resolve(path)
    if not (path / HEADER).is_file():
        hint = f" {unfinished(path)} was never finished; embed again to go on." if unfinished(path).exists() else ""
        raise DataError(f"{path} is no embedding: it has no {HEADER}.{hint}")
    try:
        value = verified(read_bytes(path / HEADER))
        if value.get("format") != FORMAT:
            raise DataError(f"{path} has format {value.get('format')!r}; this version of Tacit reads format {FORMAT}.")
        header = from_json(EmbeddingHeader, value, str(path / HEADER))
        names = [shard_name(number) for number in range(len(header.files) - 1)]
        for name in (*names, ROWS):
            if check_file(path / name) != header.files[name].bytes:
                raise DataError(f"{path / name} is damaged: its size differs from the header. Embed again.")
        parts = [read(path / name)["values"] for name in names]
        table = {name: value.numpy() for name, value in read(path / ROWS).items()}
        _check_table(table, header.rows)
        about = parse_json(table["about"].tobytes()) if "about" in table else {"groups": (), "classes": {}}
        groups = tuple(map(str, about["groups"]))
        classes = {name: {int(n): str(word) for n, word in of.items()} for name, of in about["classes"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError, SafetensorError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"the embedding {path} is damaged ({error}). Embed again.") from error
    dtypes, shapes = {part.dtype for part in parts}, {tuple(part.shape[1:]) for part in parts}
    rows = sum(len(part) for part in parts if part.ndim)
    if (dtypes, shapes, rows) != ({DTYPES[header.dtype]}, {header.shape}, header.rows):
        raise DataError(f"the shards of {path} differ from the shape or dtype of its header. Embed again.")
    targets = {name.removeprefix("target."): value for name, value in table.items() if name.startswith("target.")}
    hashes = tuple(bytes(row).hex() for row in table["hashes"])
    features = Features(Shards(parts), targets, table["episode"], hashes, header.grid, header.covered, groups, classes)
    return Embedding(path, header, features)


def _check_table(table: Mapping[str, npt.NDArray[Any]], rows: int) -> None:
    """Refuse a table of rows that does not fit the values.

    Raises:
        ValueError: saying what was expected.
    """
    hashes = table["hashes"]
    if hashes.dtype != np.uint8 or hashes.ndim != 2:
        raise ValueError(f"expected hashes [episodes, bytes] as uint8; got {hashes.dtype} {list(hashes.shape)}")
    for name in ("episode", "step"):
        if table[name].shape != (rows,) or table[name].dtype != np.int64:
            raise ValueError(f"expected {name} [{rows}] as int64; got {table[name].dtype} {list(table[name].shape)}")
    number = table["episode"]
    if rows and not (number.min() >= 0 and number.max() < len(hashes)):
        raise ValueError(f"expected episodes below {len(hashes)}; got {number.min()} to {number.max()}")
    for name, value in table.items():
        if name.startswith("target.") and value.shape[:1] != (rows,):
            raise ValueError(f"expected {rows} rows of {name}; got shape {list(value.shape)}")
