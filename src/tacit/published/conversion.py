"""PublishedFile weights as models of Tacit."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from tacit._registry import suggest
from tacit.errors import CheckpointError, ConfigError
from tacit.models.masked import MaskedModel, MaskedModelConfig
from tacit.nn.block_causal import BlockCausalPredictor
from tacit.nn.masked_predictor import MaskedPredictor
from tacit.nn.vit import VisionTransformer
from tacit.published._file import read
from tacit.published._lewm import world_model
from tacit.published._networks import LAYOUTS, Networks, detected
from tacit.published._vjepa2_ac import action_conditioned
from tacit.published._weights import image_statistics, with_weights
from tacit.types import Modality, Spec, Statistics

__all__ = ["convert"]

_PARTS = ("model", "encoder", "target_encoder", "predictor")


def convert(
    path: str | Path,
    *,
    layout: Literal["ijepa", "vjepa", "vjepa2", "vjepa2_ac", "lewm"] | None = None,
    part: Literal["model", "encoder", "target_encoder", "predictor"] = "model",
    spec: Spec | None = None,
    size: tuple[int, ...] | None = None,
    heads: int | None = None,
    predictor_heads: int | None = None,
    statistics: Statistics | None = None,
) -> nn.Module:
    """Read published weights: I-JEPA, V-JEPA, V-JEPA 2, V-JEPA 2-AC, LeWorldModel.

    Sizes come from the shapes of the tensors. On the CPU those in single precision stay mapped from the file, from
    which each is read when it is first needed: leave the file as it is while the model is in use. Others become single
    one by one, so that memory holds little more than what is kept; a file of PyTorch before 1.6 cannot be mapped, and
    is read whole. Images are normalised with the statistics of ImageNet, as all of these were trained.

    A file of an encoder alone, such as the library transformers has of I-JEPA, becomes a model whose predictor is
    drawn at random, with a warning: its latents are as published, its predictions have to be learned first.

    Args:
        path: A ``.pt``, ``.pth`` or ``.tar`` file of the authors, a ``.safetensors`` file of the library transformers,
            or a directory with one of them and its ``config.json``.
        layout: The publication whose names the file has; found out where not given and where the file shows it.
        part: ``model``: a :class:`tacit.models.MaskedModel`; for V-JEPA 2-AC a
            :class:`tacit.models.ActionConditioned`; for LeWorldModel a :class:`tacit.models.WorldModel`. Or one
            network of the file alone, a :class:`tacit.nn.VisionTransformer`,
            :class:`tacit.nn.MaskedPredictor` or :class:`tacit.nn.BlockCausalPredictor`; no other is read then.
        spec: Observations and actions of the world; where not given, images as the encoder takes them. LeWorldModel
            and V-JEPA 2-AC need it, for the bounds of actions; the latter with one camera and the robot's pose, the
            former with one camera, or one vector of features where its file has no encoder.
        size: Extent of the images, ``(H, W)``, or videos, ``(T, H, W)``, that the model is made for, where the
            file leaves it open.
        heads: Attention heads of the encoder; those published for its width where not given.
        predictor_heads: Attention heads of the predictor.
        statistics: Of the episodes that LeWorldModel's weights were trained on, such as ``episodes.statistics()``:
            the weights expect actions standardised with them. Only those of the action are taken.

    Returns:
        The model or network, in evaluation mode.

    Warns:
        UserWarning: naming what else in the file has tensors, such as a classifier, and is not read; where the
            predictor is freshly drawn; and where LeWorldModel's weights come without ``statistics``.

    Raises:
        CheckpointError: if the file is missing, damaged or holds pickled objects; if names are missing or unknown, or
            a tensor has another shape, naming it; if the file leaves something open that an option has to say; or if
            its config asks for what is not computed here.
        ConfigError: for an unknown layout or part, or ``statistics`` for weights that have no use for them.
    """
    for name, value, known in (("layout", layout, (*LAYOUTS, "lewm")), ("part", part, _PARTS)):
        if value is not None and value not in known:
            raise ConfigError(f"no {name} {value!r}.{suggest(value, known)} There are: {', '.join(known)}.")
    published = read(path)
    if published.left:
        warnings.warn(f"{published.where} also has {', '.join(published.left)}, which is not read.", stacklevel=2)
    chosen = layout or detected(published)
    if chosen == "lewm":
        if part != "model":
            raise ConfigError(f"LeWorldModel is read whole, with part='model'; got {part!r}.")
        return world_model(published, spec, heads, predictor_heads, statistics)
    if statistics is not None:
        raise ConfigError(
            f"only LeWorldModel takes statistics=, for its actions; {published.where} has the layout {chosen!r}. "
            "Leave statistics out."
        )
    networks = Networks(published, chosen, size, heads, predictor_heads)
    if part == "predictor":
        return _predictor(networks)
    if part != "model":
        return _encoder(networks, part)
    if chosen == "vjepa2_ac":
        return action_conditioned(networks, spec)
    alone = "predictor" not in published.parts
    if alone:
        warnings.warn(
            f"{published.where} has no predictor: that of the model is freshly drawn. What the model encodes is as "
            f"published; for the network alone: convert(path, part={next(iter(published.parts))!r}).",
            stacklevel=2,
        )
    return _masked(networks, spec, alone)


def _encoder(networks: Networks, part: str) -> VisionTransformer:
    weights = networks.weights(part)
    options = networks.encoder(weights)
    return with_weights(lambda: VisionTransformer(**options), weights, f"the {part} of {networks.published.where}")


def _predictor(networks: Networks) -> MaskedPredictor | BlockCausalPredictor:
    weights = networks.weights("predictor")
    options, where = networks.predictor(weights), f"the predictor of {networks.published.where}"
    if networks.layout == "vjepa2_ac":
        options |= {name: weights[f"from_{name}.weight"].shape[1] for name in ("action", "state", "extrinsics")}
        rows, columns = networks.grid[1:]
        return with_weights(lambda: BlockCausalPredictor((rows, columns), **options), weights, where)
    options |= {"positions": networks.positions, "mask_tokens": len(weights["mask"]), "out": len(weights["out.bias"])}
    return with_weights(lambda: MaskedPredictor(networks.grid, **options), weights, where)


def _drawn_predictor(networks: Networks, encoder: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return weights and options of a predictor for an encoder that was published without one."""
    sizes, options = networks.encoder(encoder), networks.drawn(encoder)
    module = MaskedPredictor(
        networks.grid, sizes["width"], **options, positions=networks.positions, norm_eps=networks.norm_eps
    )
    return module.state_dict(), options


def _masked(networks: Networks, spec: Spec | None, alone: bool) -> MaskedModel:
    target = networks.weights("target_encoder")
    both = {"encoder", "target_encoder"} <= networks.published.parts.keys()
    # One encoder in the file starts as both, of which one will be trained: what fills the model parts them.
    encoder = networks.weights("encoder") if both else target
    sizes = networks.encoder(encoder)
    if alone:
        _encoder(networks, "target_encoder")  # its sizes fit its tensors, before memory is taken for a predictor
        predictor, narrow = _drawn_predictor(networks, encoder)
    else:
        predictor = networks.weights("predictor")
        narrow = networks.predictor(predictor)
    *frames, height, width = sizes["size"]
    *tubelet, side, across = sizes["patch"]
    if height != width or side != across:
        raise CheckpointError(f"a masked model has square images and patches; got {(height, width)}, {(side, across)}.")
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
    weights |= image_statistics(config.modality, sizes["channels"])
    return with_weights(lambda: MaskedModel(config), weights, networks.published.where)
