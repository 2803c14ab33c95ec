"""Conformance suite of carriers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tacit.testing._promises import expect
from tacit.types import Carrier, Carry

__all__ = ["check_carrier"]

WORLDS, STEPS = 4, 7


def check_carrier(carrier: Carrier, block: int = 4) -> None:
    """Check that a carrier of torch tensors keeps the promises of :class:`tacit.types.Carrier`.

    Args:
        carrier: The carrier.
        block: Size ``A'`` of the blocks that it takes.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(WORLDS, STEPS, carrier.latent, generator=draw)
    blocks = torch.rand(WORLDS, STEPS - 1, block, generator=draw) * 2 - 1
    with torch.no_grad():
        expect(_batched(carrier.start(WORLDS), WORLDS), "a state must be tensors [B, ...] by name")
        states = _states(carrier, latents, blocks)
        for state in states:
            expect(_batched(state, WORLDS), "and it must stay so")
            memory = carrier.read(state)
            expect(memory.shape == (WORLDS, carrier.size), f"read must return [B, M], {[WORLDS, carrier.size]}")
            expect(memory.isfinite(), "the memory of finite latents must be finite")
        expect(_same(_states(carrier, latents, blocks)[-1], states[-1]), "equal latents must give equal states")
        rows = torch.tensor([2, 0])
        fewer = _states(carrier, latents[rows], blocks[rows])[-1]
        chosen = {name: part[rows] for name, part in states[-1].items()}
        expect(_same(fewer, chosen), "a world must depend neither on the others nor on its index")
        before = {name: part.clone() for name, part in states[2].items()}
        carrier.step(states[2], latents[:, 2], blocks[:, 1])
        expect(_same(states[2], before, exact=True), "a step must not write to the state that it is given")
        broken = latents[:, 2].clone()
        broken[1] = torch.nan
        after = carrier.step(states[2], broken, blocks[:, 1])
        kept = all(torch.equal(after[name][1], states[2][name][1]) for name in states[2])
        expect(kept, "a world whose latent is not finite must keep its state")
        others = {name: part[2:] for name, part in states[3].items()}
        expect(_same({name: part[2:] for name, part in after.items()}, others), "and the others must not notice")


def _states(carrier: Carrier, latents: Tensor, blocks: Tensor) -> list[Carry]:
    """Return the states before the first latent and after each."""
    states = [carrier.start(len(latents))]
    for step in range(latents.shape[1]):
        states.append(carrier.step(states[-1], latents[:, step], blocks[:, step - 1] if step else None))
    return states


def _batched(state: object, batch: int) -> bool:
    if not isinstance(state, Mapping):
        return False
    return all(isinstance(part, Tensor) and part.ndim and len(part) == batch for part in state.values())


def _same(one: Carry, two: Carry, exact: bool = False) -> bool:
    tolerance = 0.0 if exact else 1e-5
    return one.keys() == two.keys() and all(
        torch.allclose(one[name], two[name], rtol=tolerance, atol=tolerance) for name in one
    )
