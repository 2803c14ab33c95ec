"""Predictor of the next frame's latents from past frames, actions and robot states."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.errors import SpecError
from tacit.nn._block import Block, Memory, initialise, run, stack
from tacit.nn.linear import Linear
from tacit.nn.positions import Rotation, coordinates, rotations

__all__ = ["BlockCausalPredictor", "Memories"]

Memories: TypeAlias = tuple[Memory, ...]
"""Keys and values of the previous frames, one entry for each block."""


class BlockCausalPredictor(nn.Module):
    """Block-causal transformer over actions, states, optional camera extrinsics, and patches of each step.

    Tokens attend to those of their own step and of previous steps.

    The predictor of V-JEPA 2-AC (arXiv 2506.09985, section 3). Features of a frame do not depend on later frames,
    so keys and values can be reused: :meth:`advance` computes only the new frames.

    Args:
        grid: Patches of a frame, ``(H, W)``; ``N`` in all.
        latent: Size ``D`` of the latent of a patch.
        action: Size ``A`` of an action.
        state: Size of a state; 0 for none.
        width: Size of a token.
        depth: Blocks.
        heads: Attention heads.
        extrinsics: Size of the extrinsics; 0 for none.
        latent_norm: End in a LayerNorm without parameters, for latents that are normalised in the same way.
        mlp_ratio: Hidden width of the MLPs, in widths.
        norm_eps: Epsilon that the LayerNorms add to a variance.
        checkpointing: Store only the input of each block, and recompute the block in the backward pass.

    Raises:
        ConfigError: if the heads do not fit the width.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        latent: int,
        action: int,
        *,
        state: int,
        width: int,
        depth: int,
        heads: int,
        extrinsics: int = 0,
        latent_norm: bool = False,
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-6,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.grid, self.head_width = grid, width // heads
        self.latent_norm, self.checkpointing = latent_norm, checkpointing
        self.from_latent = Linear(latent, width)
        self.from_action = Linear(action, width)
        self.from_state = Linear(state, width) if state else None
        self.from_extrinsics = Linear(extrinsics, width) if extrinsics else None
        self.blocks = stack(width, depth, heads, mlp_ratio, norm_eps)
        self.norm = nn.LayerNorm(width, eps=norm_eps)
        self.out = Linear(width, latent)
        initialise(self, self.blocks)
        self._rotation(0, 1, 1, torch.device("cpu"))  # refuses heads that are too small

    @property
    def patches(self) -> int:
        """Return ``N``, the patches of a frame."""
        return math.prod(self.grid)

    def forward(
        self, context: Tensor, actions: Tensor, states: Tensor | None = None, extrinsics: Tensor | None = None
    ) -> Tensor:
        """Forecast each next frame.

        Args:
            context: ``[B, T * N, D]`` latents of the patches of ``T`` frames.
            actions: ``[B, T, A]``; action ``t`` leads from frame ``t`` to the next.
            states: ``[B, T, state]``.
            extrinsics: ``[B, T, extrinsics]``; without them, there are no such tokens.

        Returns:
            ``[B, T * N, D]``: frame ``t`` forecasts frame ``t + 1``.

        Raises:
            SpecError: if the shapes do not fit each other.
        """
        return self._advance(context, actions, states, extrinsics, None)[0]

    def advance(
        self,
        context: Tensor,
        actions: Tensor,
        states: Tensor | None = None,
        extrinsics: Tensor | None = None,
        memories: Memories | None = None,
    ) -> tuple[Tensor, Memories]:
        """Forecast from the frames that follow those in memory; see :meth:`forward`.

        Returns:
            Their forecasts, and the memory extended by them.
        """
        return self._advance(context, actions, states, extrinsics, memories or ())

    def rollout(
        self,
        latest: Tensor,
        actions: Tensor,
        states: Tensor | None = None,
        extrinsics: Tensor | None = None,
        memories: Memories = (),
    ) -> Tensor:
        """Imagine frames: feed each forecast back.

        Args:
            latest: ``[B, N, D]`` latents of the current frame.
            actions: ``[B, S, H, A]`` candidate actions.
            states: ``[B, S, H, state]``, the first of them current.
            extrinsics: ``[B, S, H, extrinsics]``.
            memories: Memory of the previous frames, from :meth:`advance`; all candidates share it.

        Returns:
            ``[B, S, H, N, D]``.
        """
        batch, samples, horizon = actions.shape[:3]
        if len(latest) != batch:
            raise SpecError(f"a rollout needs one frame for each world; got {len(latest)} frames for {batch} worlds.")
        parts = [None if part is None else part.flatten(0, 1) for part in (actions, states, extrinsics)]
        frame = latest.repeat_interleave(samples, dim=0)
        memories = tuple(Memory(*(part.repeat_interleave(samples, dim=0) for part in memory)) for memory in memories)
        frames = []
        for step in range(horizon):
            action, state, camera = (None if part is None else part[:, step : step + 1] for part in parts)
            assert action is not None
            frame, memories = self.advance(frame, action, state, camera, memories)
            frames.append(frame)
        return torch.stack(frames, dim=1).reshape(batch, samples, horizon, *frame.shape[1:])

    def _advance(
        self,
        context: Tensor,
        actions: Tensor,
        states: Tensor | None,
        extrinsics: Tensor | None,
        memories: Memories | None,
    ) -> tuple[Tensor, Memories]:
        """Apply every block to frames; without memories, none are kept."""
        x = self._tokens(context, actions, states, extrinsics)
        steps, size = x.shape[1:3]
        before = memories[0].key.shape[2] // size if memories else 0
        rotation = self._rotation(before, steps, size - self.patches, x.device)
        mask = self._mask(before, steps, size, x.device) if steps > 1 else None
        x, kept = x.flatten(1, 2), []
        if memories is None:
            x = run(self.blocks, x, rotation, self.checkpointing, mask)
        else:
            for block, memory in zip(self._typed_blocks, memories or [None] * len(self.blocks), strict=True):
                x, grown = block.extend(x, rotation, mask, memory)
                kept.append(grown)
        x = x.reshape(len(x), steps, size, -1)[:, :, -self.patches :].flatten(1, 2)
        out: Tensor = self.out(self.norm(x))
        return F.layer_norm(out, out.shape[-1:]) if self.latent_norm else out, tuple(kept)

    def _tokens(self, context: Tensor, actions: Tensor, states: Tensor | None, extrinsics: Tensor | None) -> Tensor:
        """Return tokens ``[B, T, m + N, width]``: the ``m`` conditions of each step, then its patches."""
        batch, steps = actions.shape[:2]
        if context.ndim != 3 or context.shape[:2] != (batch, steps * self.patches):
            raise SpecError(
                f"the predictor takes [B, T * {self.patches}, D] latents with [B, T, A] actions; got "
                f"{list(context.shape)} and {list(actions.shape)}."
            )
        if (states is None) != (self.from_state is None) or (extrinsics is not None and self.from_extrinsics is None):
            raise SpecError(
                "pass states if, and only if, the predictor was built with them; pass extrinsics only if it was."
            )
        layers = (self.from_action, self.from_state, self.from_extrinsics)
        conditions = [
            layer(part)
            for layer, part in zip(layers, (actions, states, extrinsics), strict=True)
            if layer is not None and part is not None
        ]
        patches = self.from_latent(context).reshape(batch, steps, self.patches, -1)
        return torch.cat([torch.stack(conditions, dim=2), patches], dim=2).to(self.norm.weight.dtype)

    def _rotation(self, before: int, steps: int, conditions: int, device: torch.device) -> Rotation:
        """Return rotations ``[1, steps * (conditions + N), head width]``; a condition has a time but no position."""
        rows, columns = coordinates(torch.arange(self.patches, device=device), self.grid)
        rows, columns = (F.pad(part, (conditions, 0)).repeat(steps) for part in (rows, columns))
        time = torch.arange(before, before + steps, device=device, dtype=torch.float32)
        return rotations((time.repeat_interleave(conditions + self.patches), rows, columns), self.head_width)

    def _mask(self, before: int, steps: int, size: int, device: torch.device) -> Tensor:
        """Return the mask ``[n, total]``: a token attends to frames up to its own."""
        frame = torch.arange(before + steps, device=device).repeat_interleave(size)
        return frame[None, :] <= frame[before * size :, None]

    @property
    def _typed_blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]
