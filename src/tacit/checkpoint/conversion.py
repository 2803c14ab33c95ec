"""Published weights as models of Tacit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tacit._registry import suggest
from tacit.checkpoint._networks import LAYOUTS, Networks, detected, filled
from tacit.checkpoint._published import Published, read
from tacit.checkpoint.layouts import lewm
from tacit.errors import CheckpointError, ConfigError
from tacit.models.masked import MaskedModel, MaskedModelConfig
from tacit.models.world_model import WorldModel, WorldModelConfig
from tacit.nn.block_causal import BlockCausalPredictor
from tacit.nn.masked_predictor import MaskedPredictor
from tacit.nn.vit import VisionTransformer
from tacit.types import Modality, Spec

__all__ = ["convert"]

_PARTS = ("model", "encoder", "target_encoder", "predictor")
_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def convert(
    path: str | Path,
    *,
    layout: Literal["ijepa", "vjepa", "vjepa2", "vjepa2_ac", "lewm"] | None = None,
    part: Literal["model", "encoder", "target_encoder", "predictor"] = "model",
    spec: Spec | None = None,
    size: tuple[int, ...] | None = None,
    heads: int | None = None,
    predictor_heads: int | None = None,
) -> nn.Module:
    """Read published weights: I-JEPA, V-JEPA, V-JEPA 2, V-JEPA 2-AC, LeWorldModel.

    Sizes come from the shapes of the tensors. On the CPU these stay mapped from the file, from which each is read when
    it is first needed: leave the file as it is while the model is in use. Pictures are normalised with the statistics
    of ImageNet, as all of these were trained.

    Args:
        path: A ``.pt``, ``.pth`` or ``.tar`` file of the authors, a ``.safetensors`` file of the library transformers,
            or a directory with one of them and its ``config.json``.
        layout: Whose names the file has; found out where not given and where the file tells.
        part: ``model``: a :class:`tacit.models.MaskedModel`; for LeWorldModel a :class:`tacit.models.WorldModel`; for
            V-JEPA 2-AC an ``nn.ModuleDict`` of ``encoder`` and ``predictor``. Or one network of the file alone, a
            :class:`tacit.nn.VisionTransformer`, :class:`tacit.nn.MaskedPredictor` or
            :class:`tacit.nn.BlockCausalPredictor`; no other is read then.
        spec: What the world shows and accepts; where not given, pictures as the encoder takes them. LeWorldModel
            needs it, for the bounds of its actions.
        size: Extent of the pictures, ``(H, W)``, or films, ``(T, H, W)``, that the model is made for, where the
            file leaves it open.
        heads: Attention heads of the encoder; those published for its width where not given.
        predictor_heads: Those of the predictor.

    Returns:
        The model or network, in evaluation mode.

    Raises:
        CheckpointError: if the file is missing, damaged or holds pickled objects; if names are missing or unknown, or
            a tensor has another shape, naming it; or if the file leaves something open that an option has to say.
        ConfigError: for an unknown layout or part.
    """
    for name, value, known in (("layout", layout, (*LAYOUTS, "lewm")), ("part", part, _PARTS)):
        if value is not None and value not in known:
            raise ConfigError(f"no {name} {value!r}.{suggest(value, known)} There are: {', '.join(known)}.")
    published = read(path)
    chosen = layout or detected(published)
    if chosen == "lewm":
        if part != "model":
            raise ConfigError(f"LeWorldModel is read whole, with part='model'; got {part!r}.")
        return _world_model(published, spec, heads, predictor_heads)
    networks = Networks(published, chosen, size, heads, predictor_heads)
    if part == "predictor":
        return _predictor(networks)
    if part != "model":
        return _encoder(networks, part)
    if chosen == "vjepa2_ac":
        return nn.ModuleDict(
            {"encoder": _encoder(networks, "target_encoder"), "predictor": _predictor(networks)}
        ).eval()
    return _masked(networks, spec)


def _encoder(networks: Networks, part: str) -> VisionTransformer:
    weights = networks.weights(part)
    options = networks.encoder(weights)
    return filled(lambda: VisionTransformer(**options), weights, f"the {part} of {networks.published.where}")


def _predictor(networks: Networks) -> MaskedPredictor | BlockCausalPredictor:
    weights = networks.weights("predictor")
    options, where = networks.predictor(weights), f"the predictor of {networks.published.where}"
    if networks.layout == "vjepa2_ac":
        options |= {name: weights[f"from_{name}.weight"].shape[1] for name in ("action", "state", "extrinsics")}
        rows, columns = networks.grid[1:]
        return filled(lambda: BlockCausalPredictor((rows, columns), **options), weights, where)
    options |= {"positions": networks.positions, "mask_tokens": len(weights["mask"]), "out": len(weights["out.bias"])}
    return filled(lambda: MaskedPredictor(networks.grid, **options), weights, where)


def _masked(networks: Networks, spec: Spec | None) -> MaskedModel:
    predictor, target = networks.weights("predictor"), networks.weights("target_encoder")
    both = {"encoder", "target_encoder"} <= networks.published.parts.keys()
    # One encoder in the file starts as both, of which one will be trained.
    encoder = networks.weights("encoder") if both else {name: value.clone() for name, value in target.items()}
    sizes, narrow = networks.encoder(encoder), networks.predictor(predictor)
    *frames, height, width = sizes["size"]
    *tubelet, side, across = sizes["patch"]
    if height != width or side != across:
        raise CheckpointError(
            f"a masked model has square pictures and patches; got {(height, width)}, {(side, across)}."
        )
    made_for = {"frames": frames[0], "tubelet": tubelet[0]} if frames else {}
    config = MaskedModelConfig(
        spec or Spec({"pixels": Modality("pixels", (sizes["channels"], height, width))}),
        side=height,
        patch=side,
        mask_tokens=len(predictor["mask"]),
        **{f"predictor_{name}": narrow[name] for name in ("width", "depth", "heads")},
        **{name: sizes[name] for name in ("width", "depth", "heads", "mlp_ratio", "positions", "norm_eps")},
        **made_for,
    )
    weights = {
        f"{part}.{name}": value
        for part, tensors in (("encoder", encoder), ("target_encoder", target), ("predictor", predictor))
        for name, value in tensors.items()
    }
    weights |= _statistics(config.modality, sizes["channels"])
    return filled(lambda: MaskedModel(config), weights, networks.published.where)


def _world_model(published: Published, spec: Spec | None, heads: int | None, predictor_heads: int | None) -> WorldModel:
    where = published.where
    if spec is None:
        raise CheckpointError(
            f"{where} does not say what its world accepts: give the Spec, with the bounds of actions."
        )
    weights = lewm.world_model(published.parts["world_model"])
    config = _world_model_config(weights, published, spec, heads, predictor_heads)
    name = config.seen[0]
    weights = {key.replace("vit.", f"encoder.encoders.{name}."): value for key, value in weights.items()}
    weights |= _statistics(name, spec.modalities[name].shape[0])
    weights |= {
        "action_normalizer.mean": torch.zeros(spec.action.size),
        "action_normalizer.std": torch.ones(spec.action.size),
    }
    return filled(lambda: WorldModel(config), weights, where)


def _world_model_config(
    weights: dict[str, Tensor], published: Published, spec: Spec, heads: int | None, predictor_heads: int | None
) -> WorldModelConfig:
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    cameras = [name for name, modality in spec.modalities.items() if modality.kind == "pixels"]
    block = shapes["action_encoder.layers.0.weight"][1]
    if len(cameras) != 1 or not spec.action.size or block % spec.action.size:
        raise CheckpointError(
            f"{published.where} sees one camera and takes blocks of {block} action components in all; got a Spec of "
            f"the cameras {cameras} and actions of {spec.action.size}."
        )
    encoder_width, _, patch, _ = shapes["vit.patches.weight"]
    width = shapes["predictor.norm.weight"][0]
    said = published.config.get("predictor", {})
    predictor_heads = predictor_heads or said.get("heads", 16)
    options: dict[str, Any] = {
        "modalities": (cameras[0],),
        "encoders": {cameras[0]: "vit"},
        "frameskip": block // spec.action.size,
        "history": shapes["predictor.position"][0],
        "latent": shapes["predictor.position"][1],
        "patch": patch,
        "encoder_width": encoder_width,
        "encoder_depth": len([name for name in shapes if name.startswith("vit.") and name.endswith("qkv.weight")]),
        "encoder_heads": heads or encoder_width // 64,
        "projector_width": shapes["encoder.projector.layers.0.weight"][0],
        "action_width": shapes["action_encoder.layers.0.weight"][0],
        "predictor": "transformer",
        "predictor_width": width,
        "predictor_depth": len([name for name in shapes if "predictor.blocks" in name and name.endswith("qkv.weight")]),
        "predictor_heads": predictor_heads,
        "predictor_head_width": shapes["predictor.blocks.0.qkv.weight"][0] // (3 * predictor_heads),
        "predictor_mlp": shapes["predictor.blocks.0.up.weight"][0],
        "predictor_out": shapes["predictor.out.layers.0.weight"][0],
        "dropout": said.get("dropout", 0.1),
        "inner_norm": True,
    }
    return WorldModelConfig(spec, **options)


def _statistics(name: str, channels: int) -> dict[str, Tensor]:
    """The statistics of pictures in colour, under the names of a model's buffers."""
    values = _IMAGENET if channels == 3 else {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    return {f"normalizers.{name}.{kind}": torch.tensor(value) for kind, value in values.items()}
