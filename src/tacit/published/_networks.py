"""Networks in a published file: their names in it, and their sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from torch import Tensor

from tacit.errors import CheckpointError
from tacit.published._file import PublishedFile
from tacit.published.layouts import ijepa, vjepa, vjepa2, vjepa2_ac
from tacit.published.layouts._rename import axes_of, checked

__all__ = ["HEADS", "LAYOUTS", "Networks", "detected", "heads_of"]

LAYOUTS: Mapping[str, ModuleType] = {"ijepa": ijepa, "vjepa": vjepa, "vjepa2": vjepa2, "vjepa2_ac": vjepa2_ac}
_PATCHES = (
    "patch_embed.proj.weight",
    "embeddings.patch_embeddings.proj.weight",
    "embeddings.patch_embeddings.projection.weight",
)
_TABLES = ("pos_embed", "embeddings.position_embeddings")
# What tensors do not tell, of the networks that were published.
HEADS: Mapping[int, int] = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16}
_GIANT_HEADS = {"ijepa": 16, "vjepa2": 22, "vjepa2_ac": 22}
_PREDICTOR_HEADS = {("vjepa2", 384): 12, ("vjepa2_ac", 1024): 16}
_DRAWN = {"width": 384, "depth": 12, "heads": 12}
_VIDEO_SIZES = {"vjepa2": (64, 256, 256), "vjepa2_ac": (2, 256, 256)}
_VJEPA_TUBELETS = 8
_SHOWN = 5


def detected(published: PublishedFile) -> str:
    """Return the publication whose names the networks have.

    Raises:
        CheckpointError: if no publication that is read has these names, or two have them.
    """
    where = published.where
    if "world_model" in published.parts:
        return "lewm"
    weights = published.parts.get("encoder") or published.parts.get("target_encoder") or {}
    if any(name.startswith("norms_block.") for name in weights):
        raise CheckpointError(f"{where} is of V-JEPA 2.1, whose encoder ends in several norms; it is not read yet.")
    if "action_encoder.weight" in published.parts.get("predictor", {}):
        return "vjepa2_ac"
    patches = next((weights[name] for name in _PATCHES if name in weights), None)
    if patches is None or patches.ndim not in (4, 5):
        found = {part: sorted(tensors)[:_SHOWN] for part, tensors in published.parts.items()}
        raise CheckpointError(f"{where} is of no layout that is read: {', '.join((*LAYOUTS, 'lewm'))}. It has {found}.")
    if patches.ndim == 4:
        return "ijepa"
    if "pos_embed" not in weights:
        return "vjepa2"
    raise CheckpointError(
        f"{where} has a video encoder with a table of positions: V-JEPA adds it, and V-JEPA 2, whose released "
        "files hold one too, does not. Say whose it is: layout='vjepa' or layout='vjepa2'."
    )


@dataclass(frozen=True)
class Networks:
    """The networks of a file of the JEPAs.

    Attributes:
        published: The file.
        layout: The publication whose names it has.
        size: Extent of the encoder's input, where it was given.
        heads: Attention heads of the encoder, where they were given.
        predictor_heads: Attention heads of the predictor.

    Raises:
        CheckpointError: if the config asks for another activation than is computed here.
    """

    published: PublishedFile
    layout: str
    size: tuple[int, ...] | None
    heads: int | None
    predictor_heads: int | None

    def weights(self, part: str) -> dict[str, Tensor]:
        """Return the tensors of ``encoder``, ``target_encoder`` or ``predictor`` under our names.

        Raises:
            CheckpointError: if the file has none, or other names.
        """
        named: Callable[[MutableMapping[str, Tensor]], dict[str, Tensor]]
        named = vars(LAYOUTS[self.layout])[part.removeprefix("target_")]
        return named(self.published.mapped(self._name(part)))

    def __post_init__(self) -> None:
        act = self.published.setting("hidden_act", str)
        if act not in (None, "gelu"):
            raise CheckpointError(
                f"the config of {self.published.where} has hidden_act {act!r}; the networks here compute 'gelu', and "
                "with another function these weights mean something else."
            )

    def encoder(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the options of the :class:`tacit.nn.vit.VisionTransformer` that has these weights."""
        width, channels, *patch = weights["patches.weight"].shape
        return {
            "channels": channels,
            "size": self.extent,
            "patch": tuple(patch),
            "width": width,
            "depth": _depth(weights),
            "heads": self._encoder_heads(width),
            "positions": self.positions,
            "mlp_ratio": weights["blocks.0.up.weight"].shape[0] / width,
            "norm_eps": self.norm_eps,
        }

    def predictor(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the options of the predictor that has these weights.

        They are those that every kind of predictor has.
        """
        width, latent = weights["from_latent.weight"].shape
        found = self.published.setting("pred_num_mask_tokens", int)
        if "mask" in weights and found not in (None, len(weights["mask"])):
            raise CheckpointError(
                f"the config of {self.published.where} has {found} mask tokens; the predictor has "
                f"{len(weights['mask'])}. Check that the file is whole, and the config its own."
            )
        return {
            "latent": latent,
            "width": width,
            "depth": _depth(weights),
            "heads": self._heads_of_predictor(width),
            "mlp_ratio": weights["blocks.0.up.weight"].shape[0] / width,
            "norm_eps": self.norm_eps,
        }

    def drawn(self, encoder: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return options of a predictor for an encoder that was published without one.

        It is as wide and deep as the authors' own.
        """
        sizes = self.encoder(encoder)
        own = _DRAWN if sizes["width"] > _DRAWN["width"] else {name: sizes[name] for name in _DRAWN}
        return {**own, "heads": self.predictor_heads or own["heads"]}

    @property
    def positions(self) -> Literal["sincos", "rope"]:
        """Return the kind of position encoding of the networks."""
        return "sincos" if self.layout in ("ijepa", "vjepa") else "rope"

    @property
    def norm_eps(self) -> float:
        """Return the constant that LayerNorms add to a variance."""
        found = self.published.setting("layer_norm_eps", float)
        return 1e-6 if found is None else found

    @property
    def patch(self) -> tuple[int, ...]:
        """Return the extent of a patch."""
        found = self._tensor(_PATCHES, (5,) if self.layout == "vjepa2_ac" else axes_of("patches.weight"))
        if found is None:
            raise CheckpointError(f"{self.published.where} has no layer that embeds patches: {_PATCHES[0]!r}.")
        return tuple(found.shape[2:])

    @property
    def extent(self) -> tuple[int, ...]:
        """Return the extent of the encoder's input.

        It is given, in the config, read from the table of positions, or as published.
        """
        patch, size = self.patch, self.size
        crop, frames, image = (
            self.published.setting(name, int) for name in ("crop_size", "frames_per_clip", "image_size")
        )
        if size is None and crop is not None and frames is not None:
            size = (frames, crop, crop)
        elif size is None and image is not None:
            size = (image, image)
        elif size is None and self.layout in _VIDEO_SIZES:
            size = _VIDEO_SIZES[self.layout]
        elif size is None:
            size = self._from_table(patch)
        if len(size) != len(patch):
            raise CheckpointError(
                f"the patches of {self.published.where} have {len(patch)} axes, {patch}; got size={size}."
            )
        return size

    @property
    def grid(self) -> tuple[int, ...]:
        """Return the number of tokens along each axis."""
        return tuple(extent // side for extent, side in zip(self.extent, self.patch, strict=True))

    def _from_table(self, patch: tuple[int, ...]) -> tuple[int, ...]:
        """Return the extent that a table of positions was made for.

        It is that of a square image, or of a video of 16 square frames.
        """
        table = self._tensor(_TABLES, axes_of("position"))
        count = 0 if table is None else table.shape[1]
        frames = _VJEPA_TUBELETS if len(patch) == 3 else 1
        side = math.isqrt(count // frames)
        if not side or frames * side**2 != count:
            raise CheckpointError(
                f"a table of {count} positions in {self.published.where} is of no square image, nor of 16 square "
                "frames. Say what the encoder takes: size=(H, W) or size=(T, H, W)."
            )
        return tuple(cells * extent for cells, extent in zip((frames, side, side)[-len(patch) :], patch, strict=True))

    def _tensor(self, names: tuple[str, ...], axes: tuple[int, ...]) -> Tensor | None:
        """Return a tensor of the encoder as the file has it. Its name is the first of these that is there."""
        weights = self.published.parts[self._name("encoder")]
        name = next((name for name in names if name in weights), None)
        return None if name is None else checked(name, weights[name], axes, f"the encoder of {self.published.where}")

    def _name(self, part: str) -> str:
        parts = self.published.parts
        # A file with a single encoder has the one that its authors found best.
        names = (part,) if part == "predictor" else (part, *({"encoder", "target_encoder"} - {part}))
        for name in names:
            if name in parts:
                return name
        raise CheckpointError(
            f"{self.published.where} has no {part}; it has {', '.join(parts)}. "
            f"To read that alone: convert(path, part={next(iter(parts))!r})."
        )

    def _encoder_heads(self, width: int) -> int:
        known = self.heads or self.published.setting("num_attention_heads", int) or HEADS.get(width)
        if known is None and width == 1408:
            known = _GIANT_HEADS.get(self.layout)
        return heads_of(known, width, "encoder", self.published.where, "heads")

    def _heads_of_predictor(self, width: int) -> int:
        known = self.predictor_heads or self.published.setting("pred_num_attention_heads", int)
        if known is None and self.layout in ("ijepa", "vjepa") and width == 384:
            # The authors gave the predictor as many as the encoder.
            encoder = self._tensor(_PATCHES, axes_of("patches.weight"))
            known = None if encoder is None else self._encoder_heads(encoder.shape[0])
        known = known or _PREDICTOR_HEADS.get((self.layout, width))
        return heads_of(known, width, "predictor", self.published.where, "predictor_heads")


def heads_of(heads: int | None, width: int, which: str, where: str, option: str) -> int:
    """Return a checked number of attention heads, given or known.

    Raises:
        CheckpointError: if it is neither, or cannot share the width.
    """
    if heads is None:
        raise CheckpointError(
            f"the {which} of {where} is {width} wide, which none that is known here is, and nothing in the file tells "
            f"how many attention heads share that. Say it: {option}=..."
        )
    if heads < 1 or width % heads:
        raise CheckpointError(f"the {which} of {where} is {width} wide, which {heads} heads cannot share equally.")
    return heads


def _depth(weights: Mapping[str, Tensor]) -> int:
    return len([name for name in weights if re.fullmatch(r"blocks\.\d{1,6}\.qkv\.weight", name)])
