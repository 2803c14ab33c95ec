"""Store of entries on disk: one writer, many readers."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from threading import RLock, Thread
from typing import Self

import numpy as np
import numpy.typing as npt

from tacit._check import require
from tacit._files import locked, resolve
from tacit.errors import CheckpointError, ConfigError
from tacit.memory._content import Content
from tacit.memory._index import new_graph
from tacit.memory._manifest import LARGEST_SEGMENT, Manifest, Snapshot, read_manifest, segment_name, write_manifest
from tacit.memory._records import Header
from tacit.memory._tail import Tail
from tacit.memory._view import View
from tacit.memory._writer import Writer
from tacit.types import Entries, Neighbors, Store

__all__ = ["DiskStore"]


class DiskStore:
    """A memory on disk, to which entries are appended; see :class:`tacit.types.Store`.

    ::

        store = tc.memory.DiskStore.create("memory", latent_size=192, blocks=4, block_size=10, model=digest)
        numbers = store.append(tc.memory.entries(latents, blocks, outcomes=returns))
        found = store.entries(store.nearest(latents, 5).numbers[0])

    A folder holds segments of records of a fixed size, each with a checksum, and a manifest that a rename replaces. An
    entry that :meth:`append` acknowledged survives a kill of the process and a loss of power. One process writes, and
    others read at the same time.

    Attributes:
        path: The folder.
        writes: Whether this is the writer.
    """

    def __init__(self, path: Path, write: bool) -> None:
        self.path, self.writes = path, write
        self._lock, self._held = RLock(), ExitStack()
        self._writer: Writer | None = None
        self._indexing: Thread | None = None
        if write:
            try:
                self._held.enter_context(locked(path / ".lock", wait=False))
            except BlockingIOError:
                message = f"another writer has the memory store {path}. Read it with DiskStore.open(path)."
                raise ConfigError(message) from None
        try:
            self._content = Content(path, read_manifest(path))
            if write:
                self._writer = Writer(path, self._content, self._lock)
            else:
                self._content.scan()
        except BaseException:
            self._held.close()
            raise

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        latent_size: int,
        blocks: int,
        block_size: int,
        model: str = "",
        segment_entries: int = 16_384,
    ) -> DiskStore:
        """Make an empty store, and return its writer.

        Args:
            path: A folder that does not exist or is empty.
            latent_size: The size ``D`` of a latent.
            blocks: The number ``H`` of blocks of an entry.
            block_size: The number ``A'`` of raw actions of a block.
            model: The digest of the model that makes the latents; see :func:`tacit.agent.model_digest`.
            segment_entries: The number of entries of a segment: what is forgotten at once.

        Raises:
            ConfigError: if a size is out of range, or something is in the folder.
        """
        valid = 1 <= segment_entries <= LARGEST_SEGMENT
        require(valid, "DiskStore", f"segment_entries of 1 to {LARGEST_SEGMENT}; got {segment_entries}")
        header = Header(secrets.token_hex(8), model, latent_size, blocks, block_size)
        place = resolve(path)
        place.mkdir(parents=True, exist_ok=True)
        require(not any(place.iterdir()), "DiskStore.create", f"an empty folder; {place} holds files")
        manifest = Manifest(header, segment_entries, segment_name(0, 0), 0)
        Tail.make(place / manifest.tail, header)
        write_manifest(place, manifest)
        return cls(place, write=True)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, write: bool = False, model: str | None = None) -> DiskStore:
        """Open a store.

        A writer drops entries at the end that were being written when the last one was killed, with a warning.

        Args:
            path: The folder.
            write: Open it to append; there is one writer at a time.
            model: The digest of the model whose latents are expected; None: any.

        Raises:
            DataError: if there is no store, or it is damaged or of another version.
            CheckpointError: if it belongs to another model.
            ConfigError: if another process writes it.
        """
        store = cls(resolve(path), write)
        if model is not None and store.model != model:
            store.close()
            raise CheckpointError(
                f"the memory store {store.path} holds latents of the model {store.model[:12] or 'without a digest'}; "
                f"this one is {model[:12]}. Make a new store for it: latents of two models cannot be compared."
            )
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.newest)

    @property
    def newest(self) -> View:
        """Return the newest entries, as a view that does not change; a writer first flushes them to the disk."""
        with self._lock:
            return self._latest().newest(self.at)

    @property
    def model(self) -> str:
        """Return the digest of the model."""
        return self._content.header.model

    @property
    def latent_size(self) -> int:
        """Return the size of a latent."""
        return self._content.header.latent_size

    @property
    def block_shape(self) -> tuple[int, int]:
        """Return the number of blocks of an entry, and the raw actions of one."""
        return self._content.header.blocks, self._content.header.block_size

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the names of the sources of episodes."""
        return self._content.manifest.sources

    @property
    def snapshot(self) -> str:
        """Return the id of the newest snapshot."""
        return self.newest.snapshot

    @property
    def size(self) -> int:
        """Return the number of bytes of the segments and indexes on the disk."""
        with self._lock:
            return self._latest().size()

    def at(self, snapshot: str, /) -> Store:
        """Return a view of exactly the entries of a snapshot; see :class:`tacit.types.Store`."""
        wanted = Snapshot.parse(snapshot)
        with self._lock:
            if self._latest().behind(wanted) and self._writer is None:
                self.refresh()
            return self._content.view(wanted, self.at)

    def numbers(self) -> npt.NDArray[np.int64]:
        """Return the numbers of all entries."""
        return self.newest.numbers()

    def entries(self, numbers: npt.NDArray[np.int64] | None = None, /) -> Entries:
        """Return entries by their numbers; see :class:`tacit.types.Store`."""
        return self.newest.entries(numbers)

    def nearest(
        self, latents: npt.NDArray[np.float32], count: int, *, part: slice | None = None, exact: bool = False
    ) -> Neighbors:
        """Return the nearest of the newest entries; see :class:`tacit.types.Store`."""
        return self.newest.nearest(latents, count, part=part, exact=exact)

    def refresh(self) -> None:
        """Find what the writer appended, forgot or indexed since a reader looked last."""
        with self._lock:
            self._content.refresh()

    def source(self, name: str) -> int:
        """Return the index of a source of episodes; a new one is added.

        Raises:
            ConfigError: if this is no writer, as every method that changes the store.
        """
        return self._writing().source(name)

    def append(self, entries: Entries, *, sync: bool = True) -> npt.NDArray[np.int64]:
        """Append entries, and return their numbers ``[N]``.

        Args:
            entries: The entries; see :func:`tacit.memory.entries`.
            sync: Return when they are on the disk; threads that append at the same time share one flush. Without it
                they survive a kill of the process at once, and a loss of power when 64 of them wait or an append comes
                5 ms after the first of these; :meth:`flush` waits for all.

        Raises:
            SpecError: if they do not fit the store or are not finite.
            DataError: if the disk is full or fails; the first of many entries may be there then.
        """
        return self._writing().append(entries, sync)

    def flush(self) -> None:
        """Return when all entries are on the disk."""
        self._writing().tail.flush()

    def index(self, *, background: bool = False, threads: int = 1) -> None:
        """Make an approximate index of all whole segments without one; a search in over 100,000 entries uses it.

        The newest entries, up to a segment, are searched exactly. A new index takes the place of older ones that are
        not larger. An index is native data of usearch: use only stores from people you trust, or search exactly.

        Args:
            background: Make it in another thread, and return at once; :meth:`close` waits for it.
            threads: The number of threads to compute with.

        Raises:
            MissingExtra: if usearch is not installed.
        """
        writer = self._writing()
        new_graph(self.latent_size)
        if self._indexing is not None:
            self._indexing.join()
        if background:
            self._indexing = Thread(target=writer.index, args=(threads,), name="tacit-memory-index")
            self._indexing.start()
        else:
            writer.index(threads)

    def consolidate(self, max_bytes: int) -> int:
        """Forget entries until the store has at most so many bytes, and return how many were forgotten.

        The two oldest segments become one with half of their entries, as often as needed: those with rare outcomes or
        surprises, and those whose latents cover the others. Kept entries keep their numbers and their provenance. Older
        snapshots have no view any more, and indexes have to be made again with :meth:`index`.

        Args:
            max_bytes: The largest size; see :attr:`size`.

        Raises:
            ConfigError: if it is smaller than a whole segment.
        """
        return self._writing().consolidate(max_bytes)

    def check(self) -> None:
        """Verify the checksum of every entry.

        Raises:
            DataError: if one is damaged.
        """
        view = self.newest
        for numbers in np.array_split(view.numbers(), max(len(view) // 2**14, 1)):
            view.entries(numbers)

    def close(self) -> None:
        """Flush all entries and release the store; it can still be read."""
        if self._indexing is not None:
            self._indexing.join()
        with self._lock:
            writer, self._writer = self._writer, None
            try:
                if writer is not None:
                    writer.close()
            finally:
                self._held.close()

    def _latest(self) -> Content:
        if self._writer is not None:
            self._writer.flushed()
        return self._content

    def _writing(self) -> Writer:
        if self._writer is None:
            raise ConfigError(f"{self.path} was opened to read, or closed. Open it with write=True to change it.")
        return self._writer
