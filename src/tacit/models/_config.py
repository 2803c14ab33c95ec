"""Configuration of a world model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tacit._registry import suggest
from tacit.errors import ConfigError
from tacit.models._check import check_sizes
from tacit.models._eye import Perception, Pool, Tune, check_tune
from tacit.types import Spec

__all__ = ["SIZES", "TRANSFORMER", "WorldModelConfig"]

TRANSFORMER = {
    "history": 1,
    "predictor_heads": 4,
    "predictor_head_width": 32,
    "predictor_mlp": 256,
    "predictor_out": 0,
    "dropout": 0.0,
    "inner_norm": False,
}
"""Options that only a transformer predictor has, and their defaults."""


@dataclass(frozen=True)
class WorldModelConfig:
    """Configuration of a :class:`WorldModel`; plain values that convert to JSON and back.

    Args:
        spec: Observations and actions of the world.
        modalities: The modalities that the model reads; all of them where empty.
        frameskip: Steps of the world, and so raw actions, in one step of the model.
        history: Latents, the current one included, that the predictor reads; 1 except for a transformer.
        latent: Size ``D`` of a latent.
        encoders: Per modality ``conv`` or ``vit`` (pixels), ``conv`` (series), ``mlp`` or ``identity``
            (vector); the first of these where not named.
        perception: The configuration of a perception model, whose encoder then encodes every camera.
        pool: Reduction of that encoder's tokens: all of them concatenated (``flat``), or their ``mean``, which has less
            information about positions.
        tune: Trained part of that encoder: ``frozen`` (none), its ``last`` blocks, low-rank additions (``lora``) or
            ``all``.
        tune_last: Number of blocks, with ``last``.
        tune_rank: Rank of the additions, with ``lora``.
        encoder_width: Channels after the first convolution, or the token size of the ViT.
        encoder_depth: Blocks of the ViT.
        encoder_heads: Attention heads of the ViT.
        patch: Side of the patches that pixels are first cut into.
        features: Output size of a ``conv`` or ``mlp`` encoder for each modality.
        projector_width: Hidden width, with BatchNorm, of the map from features to the latent; 0: one linear layer.
        latent_norm: End the encoder and the GRU predictor in a LayerNorm (eb_jepa).
        action_width: Hidden width of the action encoder; 0 gives the predictor the normalised action block.
        predictor: ``mlp`` (residual), ``gru`` (hidden state = latent) or ``transformer`` (AdaLN-zero, causal).
        predictor_width: Hidden width, or the token size of the transformer.
        predictor_depth: Hidden layers or blocks.
        predictor_heads: Attention heads of the transformer; a GRU has neither width nor depth of its own.
        predictor_head_width: Size of an attention head.
        predictor_mlp: Hidden width of the transformer's MLPs.
        predictor_out: Hidden width, with BatchNorm, of the map from the transformer's tokens to latents; 0: one
            linear layer.
        dropout: Dropout probability of the transformer, while training.
        inner_norm: Add the further LayerNorms of LeWorldModel's blocks to the transformer.
        target: Encoder of the targets: the same one (``shared``) or its ``ema`` copy.

    Raises:
        ConfigError: if a modality is unknown, a size is below 1, or an option has no effect: an option of the
            transformer with another predictor, or an option of a perception model's encoder without one.
    """

    spec: Spec
    modalities: tuple[str, ...] = ()
    frameskip: int = 1
    history: int = 1
    latent: int = 32
    encoders: Mapping[str, Literal["conv", "vit", "mlp", "identity"]] = field(default_factory=dict)
    perception: Perception | None = None
    pool: Pool = "flat"
    tune: Tune = "frozen"
    tune_last: int = 1
    tune_rank: int = 8
    encoder_width: int = 16
    encoder_depth: int = 6
    encoder_heads: int = 3
    patch: int = 4
    features: int = 256
    projector_width: int = 0
    latent_norm: bool = False
    action_width: int = 0
    predictor: Literal["mlp", "gru", "transformer"] = "mlp"
    predictor_width: int = 128
    predictor_depth: int = 2
    predictor_heads: int = 4
    predictor_head_width: int = 32
    predictor_mlp: int = 256
    predictor_out: int = 0
    dropout: float = 0.0
    inner_norm: bool = False
    target: Literal["shared", "ema"] = "shared"

    def __post_init__(self) -> None:
        check_sizes(self)
        known = self.spec.modalities
        for name in (*self.modalities, *self.encoders):
            if name not in known:
                hint = suggest(name, known)
                raise ConfigError(f"the Spec has no modality {name!r}.{hint} It has {', '.join(known)}.")
        check_tune(self.tune, self.tune_last, self.tune_rank)
        if self.pool not in ("mean", "flat"):
            raise ConfigError(f"pool is 'flat' or 'mean'; got {self.pool!r}.")
        self._check_eye()
        if self.frameskip < 1 or self.history < 1 or self.latent < 1:
            raise ConfigError(
                f"frameskip, history and latent are at least 1; got {self.frameskip}, {self.history}, {self.latent}."
            )
        if self.history > 1 and self.predictor != "transformer":
            raise ConfigError(
                f"predictor {self.predictor!r} looks at the current latent alone; got history={self.history}. "
                "Use history=1 or predictor='transformer'."
            )
        for name, default in TRANSFORMER.items():
            if self.predictor != "transformer" and vars(self)[name] != default:
                raise ConfigError(
                    f"{name} is an option of the transformer; predictor {self.predictor!r} has no use for "
                    f"{name}={vars(self)[name]!r}. Leave it at {default!r} or take predictor='transformer'."
                )

    def _check_eye(self) -> None:
        """Check that options of a pretrained encoder are set only with one, and the reverse."""
        if self.perception is None:
            for name, default in (("tune", "frozen"), ("pool", "flat")):
                if vars(self)[name] != default:
                    raise ConfigError(
                        f"{name}={vars(self)[name]!r} is an option of a pretrained encoder, and there is none. Name "
                        f"its run, encoder='RUN' in a recipe, or leave {name} out."
                    )
            return
        cameras = [name for name in self.encoders if name in self.spec.cameras]
        if cameras:
            raise ConfigError(
                f"encoders names {self.encoders[cameras[0]]!r} for {cameras[0]!r}, at which the pretrained encoder "
                "looks. Leave one of them out."
            )

    @property
    def seen(self) -> tuple[str, ...]:
        """Return the modalities that the model reads, in order."""
        return self.modalities or tuple(self.spec.modalities)

    @property
    def action_size(self) -> int:
        """Return ``A'``, the size of an action block."""
        return self.frameskip * self.spec.action.size


SIZES: dict[str, dict[str, Any]] = {
    "tiny": {},
    "small": {"latent": 64, "encoder_width": 32, "features": 512, "predictor_width": 512, "predictor_depth": 3},
    "base": {
        "latent": 192,
        "encoder_width": 192,
        "encoder_depth": 12,
        "projector_width": 2048,
        "action_width": 768,
        "history": 3,
        "predictor": "transformer",
        "predictor_width": 192,
        "predictor_depth": 6,
        "predictor_heads": 16,
        "predictor_head_width": 64,
        "predictor_mlp": 2048,
        "predictor_out": 2048,
        "dropout": 0.1,
    },
}
