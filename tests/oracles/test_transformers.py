"""Encoders and predictors against the library transformers: `uv run --group oracles pytest tests/oracles`."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tacit.models import MaskedModel
from tacit.nn.vit import VisionTransformer
from tacit.published import convert

if importlib.util.find_spec("transformers") is None:
    pytest.skip("needs transformers, of the dependency group 'oracles'", allow_module_level=True)

transformers = importlib.import_module("transformers")

STATISTICS = torch.zeros(3), torch.ones(3)
LIMIT = 1e-5


def drawn(module: nn.Module) -> nn.Module:
    """Weights of a size that makes differences show."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=0.1)
    return module.eval()


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max().item() < LIMIT


@torch.no_grad()
@pytest.mark.parametrize("eps", [1e-12, 1e-3])
def test_ijepa(tmp_path: Path, eps: float) -> None:
    config = transformers.IJepaConfig(
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=96,
        image_size=32,
        patch_size=8,
        layer_norm_eps=eps,
    )
    theirs = drawn(transformers.IJepaModel(config))
    theirs.save_pretrained(tmp_path)
    ours = convert(tmp_path, part="encoder")
    assert isinstance(ours, VisionTransformer)
    images = torch.randn(2, 3, 32, 32)
    assert_same(ours(images, *STATISTICS), theirs(images).last_hidden_state)
    larger = torch.randn(2, 3, 48, 48)
    expected = theirs(larger, interpolate_pos_encoding=True).last_hidden_state
    assert_same(ours(larger, *STATISTICS), expected)


@torch.no_grad()
def test_vjepa2(tmp_path: Path) -> None:
    config = transformers.VJEPA2Config(
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=2,  # heads of 24: equal shares; of 14 in the predictor: two components are left over
        crop_size=32,
        patch_size=8,
        frames_per_clip=6,
        mlp_ratio=3.0,
        pred_hidden_size=28,
        pred_num_attention_heads=2,
        pred_num_hidden_layers=2,
        pred_num_mask_tokens=3,
    )
    theirs = drawn(transformers.VJEPA2Model(config))
    theirs.save_pretrained(tmp_path)
    ours = convert(tmp_path)
    assert isinstance(ours, MaskedModel)
    videos = torch.randn(2, 6, 3, 32, 32)
    order = torch.stack([torch.randperm(48) for _ in range(2)])
    visible, hidden = order[:, :30], order[:, 30:41]
    found = theirs(videos, context_mask=[visible], target_mask=[hidden])
    latents = ours.encoder(videos.transpose(1, 2), *STATISTICS)
    assert_same(latents, found.last_hidden_state)
    context = latents.gather(1, visible[..., None].expand(-1, -1, 48))
    assert_same(ours.predictor(context, visible, hidden, 1), found.predictor_output.last_hidden_state)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["IJepaForImageClassification", "VJEPA2ForVideoClassification"])
def test_the_encoder_of_a_classifier(tmp_path: Path, kind: str) -> None:
    shared = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 8}
    if kind.startswith("IJepa"):
        config = transformers.IJepaConfig(**shared, image_size=32, intermediate_size=96)
        seen, options = torch.randn(2, 3, 32, 32), {}
    else:
        config = transformers.VJEPA2Config(**shared, crop_size=32, frames_per_clip=4, pred_hidden_size=24)
        seen, options = torch.randn(2, 3, 4, 32, 32), {"skip_predictor": True}
    theirs = drawn(getattr(transformers, kind)(config))
    theirs.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="also has classifier"):
        ours = convert(tmp_path, part="encoder")
    given = seen.transpose(1, 2) if seen.ndim == 5 else seen
    assert_same(ours(seen, *STATISTICS), theirs.base_model(given, **options).last_hidden_state)


def test_sincos_of_mae() -> None:
    config = transformers.ViTMAEConfig(
        hidden_size=48, num_hidden_layers=1, num_attention_heads=4, intermediate_size=96, image_size=40, patch_size=8
    )
    embeddings = transformers.ViTMAEModel(config).embeddings
    for drawn_already in (embeddings.patch_embeddings.projection, *embeddings.parameters()):
        drawn_already._is_hf_initialized = False  # or version 5 leaves the table at zero
    embeddings.initialize_weights()
    ours = VisionTransformer(3, (40, 40), (8, 8), width=48, depth=1, heads=4, positions="sincos", cls=True).position
    assert ours is not None
    assert_same(ours, embeddings.position_embeddings)
