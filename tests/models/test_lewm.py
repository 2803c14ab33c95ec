"""LeWorldModel's mathematics against numbers computed with its reference implementation."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tacit.errors import CheckpointError
from tacit.models import WorldModel
from tacit.models.encoders import ViT
from tacit.nn.kernels import PLAIN
from tacit.published import convert
from tacit.published._weights import IMAGENET
from tacit.published.layouts.lewm import renamed
from tacit.types import Box, Context, Modality, Spec, Statistics

GOLDEN = Path(__file__).parents[1] / "golden" / "lewm.npz"
LIMIT = 1e-5


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as file:
        return dict(file)


def build(golden: dict[str, np.ndarray], path: Path, **changes: np.ndarray) -> WorldModel:
    config = json.loads(str(golden["config"]))
    weights = {key.removeprefix("weight/"): value for key, value in golden.items() if key.startswith("weight/")}
    torch.save({key: torch.from_numpy(value) for key, value in {**weights, **changes}.items()}, path / "weights.pt")
    spec = Spec({"features": Modality("vector", (config["hidden_dim"],))}, Box((-9.0,) * 2, (9.0,) * 2))
    raw = Statistics({"action": (0.0,) * 2}, {"action": (1.0,) * 2})  # the golden actions are not standardised
    return convert(path / "weights.pt", spec=spec, predictor_heads=config["heads"], statistics=raw)


@pytest.mark.parametrize("gradients", [True, False])
def test_golden(golden: dict[str, np.ndarray], gradients: bool, tmp_path: Path) -> None:
    model = build(golden, tmp_path)
    actions = torch.from_numpy(golden["actions"])
    with torch.set_grad_enabled(gradients):
        latents = model.encode({"features": golden["features"]}).unflatten(0, (4, 5))
        predicted = model.predict(latents[:, :3], actions[:, :3])
        rollout = model.rollout(Context(latents[:, :1]), actions)
    encoded = model._action_latents(actions, PLAIN)
    for ours, name in ((latents, "latents"), (encoded, "action_latents"), (predicted, "predicted")):
        assert np.abs(ours.detach().numpy() - golden[name]).max() < LIMIT, name
    whole = torch.cat([latents[:, :1], rollout], dim=1).detach().numpy()
    assert np.abs(whole - golden["rollout"]).max() < LIMIT


def test_a_wrong_checkpoint_names_the_weight(golden: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a parameter"):
        build(golden, tmp_path, **{"predictor.extra.weight": np.zeros(3)})
    with pytest.raises(CheckpointError, match=r"predictor\.norm\.bias"):
        build(golden, tmp_path, **{"predictor.transformer.norm.bias": np.zeros(9, np.float32)})
    narrow = {**golden, "config": np.array(json.dumps({**json.loads(str(golden["config"])), "hidden_dim": 5}))}
    with pytest.raises(CheckpointError, match="has no encoder and sees one vector of"):
        build(narrow, tmp_path)


def first_names(name: str) -> str:
    """The encoder's names in the library's first versions, which released weights carry."""
    for now, then in (
        ("encoder.layers.", "encoder.encoder.layer."),
        ("q_proj", "attention.query"),
        ("k_proj", "attention.key"),
        ("v_proj", "attention.value"),
        ("o_proj", "output.dense"),
        ("mlp.fc1", "intermediate.dense"),
        ("mlp.fc2", "output.dense"),
    ):
        name = name.replace(now, then)
    return name


@pytest.mark.parametrize("first", [False, True])
def test_golden_encoder(first: bool) -> None:
    with np.load(GOLDEN.with_name("vit.npz")) as file:
        golden = dict(file)
    config = json.loads(str(golden["config"]))
    names = {key: key.replace("weight/", "encoder.") for key in golden if key.startswith("weight/")}
    weights = {first_names(name) if first else name: torch.from_numpy(golden[key]) for key, name in names.items()}
    sizes = (config["patch_size"], config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"])
    vit = ViT(*sizes).build((3, config["image_size"], config["image_size"]))
    vit.load_state_dict({key.removeprefix("vit."): value for key, value in renamed(weights).items()})
    mean, std = (255.0 * torch.tensor(part) for part in IMAGENET.values())
    with torch.no_grad():
        output = vit(torch.from_numpy(golden["image"]), mean, std)
    assert np.abs(output.numpy() - golden["output"]).max() < LIMIT
