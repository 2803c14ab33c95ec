"""Predictor of latents at hidden places from those at visible ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError, SpecError
from tacit.nn._block import initialise, run, stack
from tacit.nn.linear import Linear
from tacit.nn.positions import Positions, coordinates, rotations, sincos

__all__ = ["MaskedPredictor"]


class MaskedPredictor(nn.Module):
    """Narrow transformer over visible latents and a learned mask token for each place to predict.

    With ``sincos`` positions it is the predictor of I-JEPA (arXiv 2301.08243) and V-JEPA (arXiv 2404.08471), with
    ``rope`` that of V-JEPA 2 (arXiv 2506.09985). Places predicted together attend to each other: predict blocks of one
    mask in one call where they belong together, and stack them along the batch where they do not.

    Args:
        grid: Tokens along each axis.
        latent: Size ``D`` of an input latent.
        width: Size of a token.
        depth: Blocks.
        heads: Attention heads.
        positions: ``learned``, ``sincos`` (fixed sines and cosines) or ``rope`` (rotated queries and keys).
        out: Size of a prediction; ``latent`` where not given.
        mask_tokens: Number of mask tokens to choose from, one for each kind of mask.
        mlp_ratio: Hidden width of the MLPs, in widths.
        norm_eps: Epsilon that the LayerNorms add to a variance.
        checkpointing: Keep only the input of each block, and recompute the block in backward.

    Raises:
        ConfigError: if the heads or the positions do not fit the width.
    """

    position: Tensor | None

    def __init__(
        self,
        grid: Sequence[int],
        latent: int,
        width: int,
        *,
        depth: int,
        heads: int,
        positions: Positions = "sincos",
        out: int | None = None,
        mask_tokens: int = 1,
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-6,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if mask_tokens < 1:
            raise ConfigError(f"the predictor needs at least one mask token; got mask_tokens={mask_tokens}.")
        self.grid, self.head_width, self.checkpointing = tuple(grid), width // heads, checkpointing
        self.from_latent = Linear(latent, width)
        self.mask = nn.Parameter(nn.init.trunc_normal_(torch.empty(mask_tokens, width), std=0.02))
        count = math.prod(self.grid)
        if positions == "learned":
            self.position = nn.Parameter(nn.init.normal_(torch.empty(1, count, width), std=0.02))
        elif positions == "sincos":
            self.register_buffer("position", sincos(self.grid, width)[None])
        else:
            self.position = None
            rotations(coordinates(torch.zeros(1, dtype=torch.int64), self.grid), self.head_width)  # refuses small heads
        self.blocks = stack(width, depth, heads, mlp_ratio, norm_eps)
        self.norm = nn.LayerNorm(width, eps=norm_eps)
        self.out = Linear(width, latent if out is None else out)
        initialise(self, self.blocks)

    def forward(self, context: Tensor, visible: Tensor, hidden: Tensor, token: int = 0) -> Tensor:
        """Predict the hidden places.

        Args:
            context: ``[B, K, D]`` latents of visible tokens.
            visible: ``[B, K]`` int64, their places on the grid, in C order.
            hidden: ``[B, M]`` int64, the places to predict.
            token: Index of the mask token.

        Returns:
            ``[B, M, out]``.

        Raises:
            SpecError: if the shapes do not fit each other.
        """
        tokens = self._tokens(context, visible, hidden, token)
        out: Tensor = self.out(self.norm(tokens[:, visible.shape[1] :]))
        return out

    def complete(self, context: Tensor, visible: Tensor, hidden: Tensor, token: int = 0) -> tuple[Tensor, Tensor]:
        """Predict the visible places too; otherwise the same as :meth:`forward`.

        Returns:
            ``[B, K, out]`` for the visible and ``[B, M, out]`` for the hidden places.
        """
        out = self.out(self.norm(self._tokens(context, visible, hidden, token)))
        return out[:, : visible.shape[1]], out[:, visible.shape[1] :]

    def _tokens(self, context: Tensor, visible: Tensor, hidden: Tensor, token: int) -> Tensor:
        """Return tokens ``[B, K + M, width]`` after the last block, the visible ones first.

        Attention is invariant to the order of tokens, so that they need not be sorted by place.
        """
        if context.shape[:2] != visible.shape or hidden.ndim != 2 or len(hidden) != len(context):
            raise SpecError(
                "the predictor takes latents [B, K, D], their places [B, K] and the places to predict [B, M]; got "
                f"{list(context.shape)}, {list(visible.shape)} and {list(hidden.shape)}."
            )
        seen = self.from_latent(context).to(self.mask.dtype)
        mask = self.mask[token].expand(*hidden.shape, -1)
        index = torch.cat([visible, hidden], dim=1)
        tokens = torch.cat([seen, mask], dim=1)
        if self.position is not None:
            return run(self.blocks, tokens + self.position[0, index], None, self.checkpointing)
        rotation = rotations(coordinates(index, self.grid), self.head_width)
        return run(self.blocks, tokens, rotation, self.checkpointing)
