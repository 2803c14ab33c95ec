"""Embeddings on disk as the feature sources of a comparison."""

from __future__ import annotations

from pathlib import Path

from tacit.embeddings.embedding import Split, open_embedding
from tacit.errors import DataError
from tacit.probing.features import Features

__all__ = ["embedding_sources"]


def embedding_sources(path: str | Path, *others: str | Path) -> dict[str, tuple[Features, Features]]:
    """Open embeddings of one dataset as the feature sources of :func:`tacit.probing.compare`.

    The split is the one in the header, else 0.9 with seed 0. Held-out copies of fitted episodes are left out.

    Args:
        path: An embedding.
        others: Further embeddings of the same dataset.

    Returns:
        Features to fit on and held-out features, by the role of the embedding (``model``, ``untrained``, ``raw``), or
        by the name of the directory where the role occurs twice.

    Raises:
        DataError: if one is damaged or of another dataset.
    """
    first = open_embedding(path)
    split = first.header.split or Split(0.9, 0)
    found: dict[str, tuple[Features, Features]] = {}
    for place in (path, *others):
        embedding = open_embedding(place)
        if embedding.header.dataset != first.header.dataset:
            raise DataError(f"{place} is of another dataset than {path}; only the same rows can be compared.")
        name = embedding.header.source if embedding.header.source not in found else Path(place).name
        fit, test = embedding.features.split(split.fraction, split.seed)
        found[name] = fit, test.without(fit)
    return found
