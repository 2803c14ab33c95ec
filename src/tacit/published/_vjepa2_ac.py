"""V-JEPA 2-AC's published weights as a world model that plans."""

from __future__ import annotations

import warnings

import torch

from tacit.errors import CheckpointError
from tacit.models.action_conditioned import ActionConditioned, ActionConditionedConfig
from tacit.models.masked import MaskedModelConfig
from tacit.published._networks import Networks
from tacit.published._weights import image_statistics, with_weights
from tacit.types import Modality, Spec

__all__ = ["action_conditioned"]


def action_conditioned(networks: Networks, spec: Spec | None) -> ActionConditioned:
    """Return the model in a file, for the robot of a Spec.

    Warns:
        UserWarning: if the predictor has weights for camera extrinsics; they are ignored, as in the authors' code.

    Raises:
        CheckpointError: if there is no Spec, or it does not fit the weights.
    """
    where = networks.published.where
    if spec is None:
        raise CheckpointError(
            f"{where} has no Spec of its robot: give the Spec, with one camera, the pose and the bounds of actions. "
            "To load only the networks: convert(path, part='encoder') and convert(path, part='predictor')."
        )
    encoder, predictor = networks.weights("target_encoder"), networks.weights("predictor")
    left = [name for name in predictor if name.startswith("from_extrinsics.")]
    if left:
        warnings.warn(f"{where} also has {', '.join(left)}, which is not read.", stacklevel=3)
    predictor = {name: value for name, value in predictor.items() if name not in left}
    sizes, narrow = networks.encoder(encoder), networks.predictor(predictor)
    block, state = (predictor[f"from_{name}.weight"].shape[1] for name in ("action", "state"))
    cameras = list(spec.cameras)
    poses = [name for name, modality in spec.modalities.items() if modality.shape == (state,)]
    if len(cameras) != 1 or len(poses) != 1 or spec.action.size != state or block % state:
        raise CheckpointError(
            f"{where} needs one camera, one pose of {state} components and actions of {state} components, with {block} "
            f"numbers in a block; got a Spec with the cameras {cameras}, the poses {poses} and actions of "
            f"{spec.action.size}."
        )
    (frames, height, _), (tubelet, patch, _) = sizes["size"], sizes["patch"]
    config = ActionConditionedConfig(
        spec,
        MaskedModelConfig(
            Spec({"pixels": Modality("pixels", (sizes["channels"], height, height))}),
            frames=frames,
            side=height,
            patch=patch,
            tubelet=tubelet,
            **{name: sizes[name] for name in ("width", "depth", "heads", "mlp_ratio", "positions", "norm_eps")},
        ),
        cameras[0],
        poses[0],
        frameskip=block // state,
        **{f"predictor_{name}": narrow[name] for name in ("width", "depth", "heads")},
    )
    statistics = image_statistics("pixels", sizes["channels"])
    weights = {f"encoder.encoder.{name}": value for name, value in encoder.items()}
    weights |= {f"encoder.{kind}": 255.0 * statistics[f"normalizers.pixels.{kind}"] for kind in ("mean", "std")}
    weights |= {f"predictor.{name}": value for name, value in predictor.items()}
    weights |= image_statistics(cameras[0], sizes["channels"])
    for part in (f"normalizers.{poses[0]}", "action_normalizer"):  # raw units, as published
        weights |= {f"{part}.mean": torch.zeros(state), f"{part}.std": torch.ones(state)}
    return with_weights(lambda: ActionConditioned(config), weights, where)
