"""The predictor of masked models: the published numbers, and what it may and may not know."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from golden.reading import LIMIT, assert_golden, golden
from tacit.errors import ConfigError, SpecError
from tacit.nn.masked_predictor import MaskedPredictor
from tacit.nn.vit import VisionTransformer
from tacit.published.layouts import ijepa, vjepa2

GRID = (2, 3, 4)


def build(positions: str = "sincos", **options: object) -> MaskedPredictor:
    torch.manual_seed(0)
    predictor = MaskedPredictor(GRID, 10, 24, depth=2, heads=2, positions=positions, **options)
    for parameter in predictor.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=0.3)
    return predictor


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    order = torch.stack([torch.randperm(24) for _ in range(3)])
    return torch.randn(3, 8, 10), order[:, :8], order[:, 8:13]


def test_golden_ijepa() -> None:
    known = golden("ijepa_predictor")
    latent, width, depth, heads = (
        known.config[name] for name in ("embed_dim", "predictor_embed_dim", "depth", "num_heads")
    )
    predictor = MaskedPredictor((4, 4), latent, width, depth=depth, heads=heads)
    predictor.load_state_dict(ijepa.predictor(known.weights))
    values = known.values
    hidden = torch.cat([values["target_mask_0"], values["target_mask_1"]])
    context, visible = values["context"].repeat(2, 1, 1), values["context_mask"].repeat(2, 1)
    out = predictor(context, visible, hidden)
    assert_golden(out, values["output"])
    assert abs(F.smooth_l1_loss(out, values["targets"]) - values["loss"]).item() < LIMIT


def test_golden_ijepa_targets() -> None:
    source, known = golden("ijepa_encoder"), golden("ijepa_predictor")
    names = {"width": "embed_dim", "depth": "depth", "heads": "num_heads"}
    sizes = {option: source.config[name] for option, name in names.items()}
    vit = VisionTransformer(3, (64, 64), (16, 16), **sizes, positions="sincos")
    vit.load_state_dict(ijepa.encoder(source.weights))
    latents = vit(source.values["image"], torch.zeros(3), torch.ones(3))
    whole = F.layer_norm(latents, latents.shape[-1:])
    blocks = [known.values[f"target_mask_{number}"][..., None].expand(-1, -1, 96) for number in (0, 1)]
    assert_golden(torch.cat([whole.gather(1, block) for block in blocks]), known.values["targets"])


def test_golden_vjepa2() -> None:
    known = golden("vjepa2_predictor")
    latent, width, depth, heads = (
        known.config[name] for name in ("embed_dim", "predictor_embed_dim", "depth", "num_heads")
    )
    predictor = MaskedPredictor((2, 4, 4), latent, width, depth=depth, heads=heads, positions="rope", mask_tokens=2)
    predictor.load_state_dict(vjepa2.predictor(known.weights))
    inputs = [known.values[name] for name in ("context", "context_mask", "target_mask")]
    assert_golden(predictor(*inputs, token=1), known.values["output"])


@pytest.mark.parametrize("positions", ["learned", "sincos", "rope"])
def test_places_count_and_the_order_of_tokens_does_not(positions: str) -> None:
    predictor = build(positions)
    context, visible, hidden = inputs()
    out = predictor(context, visible, hidden)
    assert out.shape == (3, 5, 10)
    mixed, other = torch.randperm(8), torch.randperm(5)
    again = predictor(context[:, mixed], visible[:, mixed], hidden[:, other])
    torch.testing.assert_close(again, out[:, other], rtol=1e-4, atol=1e-4)
    assert (predictor(context, visible.flip(1), hidden) - out).abs().max() > 1e-2
    assert (predictor(context, visible, hidden.flip(1)) - out).abs().max() > 1e-2


@pytest.mark.parametrize("positions", ["learned", "sincos", "rope"])
def test_items_and_blocks_stacked_along_the_batch_do_not_meet(positions: str) -> None:
    predictor = build(positions)
    context, visible, hidden = inputs()
    blocks = hidden[:, :2], hidden[:, 2:4]
    stacked = predictor(context.repeat(2, 1, 1), visible.repeat(2, 1), torch.cat(blocks))
    alone = torch.cat([predictor(context, visible, block) for block in blocks])
    torch.testing.assert_close(stacked, alone, rtol=1e-4, atol=1e-4)
    together = predictor(context, visible, torch.cat(blocks, dim=1))
    assert (together[:, :2] - stacked[:3]).abs().max() > 1e-3


def test_complete_tells_the_visible_places_too() -> None:
    predictor = build("rope", out=7, mask_tokens=3)
    told, found = predictor.complete(*inputs(), token=2)
    assert told.shape == (3, 8, 7)
    torch.testing.assert_close(found, predictor(*inputs(), token=2), rtol=1e-4, atol=1e-4)


def test_each_mask_token_is_one_of_its_own() -> None:
    predictor = build(mask_tokens=2)
    assert (predictor(*inputs(), token=0) - predictor(*inputs(), token=1)).abs().max() > 1e-2
    predictor(*inputs(), token=1).square().sum().backward()
    assert predictor.mask.grad is not None
    assert predictor.mask.grad[0].abs().sum() == 0 and predictor.mask.grad[1].abs().sum() > 0


def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        predictor = build("rope", checkpointing=checkpointing)
        predictor(*inputs()).square().sum().backward()
        gradients.append([parameter.grad for parameter in predictor.parameters()])
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients[0])
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("positions", ["sincos", "rope"])
def test_half_precision_is_close(positions: str) -> None:
    torch.manual_seed(0)
    predictor = MaskedPredictor(GRID, 10, 24, depth=2, heads=2, positions=positions)
    full = predictor(*inputs())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = predictor(*inputs())
    assert (half.float() - full).norm() / full.norm() < 0.02


def test_what_does_not_fit_is_refused() -> None:
    context, visible, hidden = inputs()
    for wrong in ((context, visible[:, 1:], hidden), (context, visible, hidden[0]), (context, visible, hidden[:2])):
        with pytest.raises(SpecError, match=r"latents \[B, K, D\], their places \[B, K\]"):
            build()(*wrong)
    with pytest.raises(ConfigError, match="at least one mask token"):
        build(mask_tokens=0)
    with pytest.raises(ConfigError, match="heads of at least 6"):
        MaskedPredictor(GRID, 10, 24, depth=1, heads=6, positions="rope")
