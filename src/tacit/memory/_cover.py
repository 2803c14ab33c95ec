"""Cover of recorded states by nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.memory._distance import Distance

__all__ = ["Cover", "covered"]

CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Cover:
    """Nodes near all recorded states.

    Attributes:
        latents: ``[N, D]`` the latents of the nodes.
        embeddings: ``[N, E]`` their embeddings.
        node: ``[n]`` the nearest node of each state.
    """

    latents: Tensor
    embeddings: Tensor
    node: npt.NDArray[np.int64]


def covered(distance: Distance, known: Tensor, latents: Tensor, radius: float) -> Cover:
    """Return nodes within a radius of all states: the known ones and some of the states.

    In their order, each state that no node is near to becomes one. Then each new node moves to the state nearest to
    the mean of those that are nearest to it, which may leave some states a little further than the radius (as in
    GAS, arXiv 2506.07744).

    Args:
        distance: The learned distance.
        known: ``[K, D]`` the latents of the known nodes, which keep their place.
        latents: ``[n, D]`` the latents of the states.
        radius: The radius.
    """
    embeddings = torch.cat([distance.embed(part) for part in torch.split(latents, CHUNK)])
    known_embeddings = distance.embed(known) if len(known) else embeddings[:0]
    nearest, node = _nearest(distance, embeddings, known_embeddings)
    chosen: list[int] = []
    while bool((far := nearest > radius).any()):
        state = int(far.int().argmax())
        from_state = distance.between(embeddings[state], embeddings)
        closer = from_state < nearest
        closer[state] = True
        node = torch.where(closer, len(known) + len(chosen), node)
        nearest = torch.where(closer, from_state, nearest)
        nearest[state] = 0.0
        chosen.append(state)
    if chosen:
        medoids = _medoids(embeddings, node - len(known), len(chosen))
        known = torch.cat([known.reshape(-1, latents.shape[1]).to(latents), latents[medoids]])
        known_embeddings = torch.cat([known_embeddings, embeddings[medoids]])
        _, node = _nearest(distance, embeddings, known_embeddings)
    return Cover(known, known_embeddings, node.cpu().numpy())


def _nearest(distance: Distance, embeddings: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distance ``[n]`` to the nearest node, and its number; infinite without nodes."""
    if not len(nodes):
        return embeddings.new_full((len(embeddings),), torch.inf), embeddings.new_zeros(
            len(embeddings), dtype=torch.long
        )
    size = max(CHUNK * 64 // len(nodes), 1)
    found = [distance.between(nodes[None], part[:, None]).min(dim=1) for part in torch.split(embeddings, size)]
    return torch.cat([one.values for one in found]), torch.cat([one.indices for one in found])


def _medoids(embeddings: Tensor, group: Tensor, count: int) -> Tensor:
    """Return the member nearest to the mean of each group ``[count]``; members of group below 0 belong to none."""
    members = torch.nonzero(group >= 0)[:, 0]
    group, inside = group[members], embeddings[members]
    sums = inside.new_zeros(count, inside.shape[1]).index_add_(0, group, inside)
    means = sums / torch.bincount(group, minlength=count)[:, None].clamp(min=1)
    apart = (inside - means[group]).norm(dim=1)
    order = np.lexsort((apart.cpu().numpy(), group.cpu().numpy()))
    _, first = np.unique(group.cpu().numpy()[order], return_index=True)
    return members[torch.from_numpy(order[first])]
