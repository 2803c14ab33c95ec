"""The vision transformer: the published numbers, one result by every way, and a cost that follows what is seen."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from golden.reading import assert_golden, golden
from tacit.errors import ConfigError, SpecError
from tacit.nn.positions import resize_positions
from tacit.nn.vit import VIT_SIZES, VisionTransformer
from tacit.published.layouts import ijepa, vjepa2

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "series": ((23,), (4,)),
    "image": ((20, 28), (8, 8)),
    "video": ((5, 17, 16), (2, 8, 8)),
}
WAYS = [
    (kind, positions, cls) for kind in SHAPES for positions in ("learned", "sincos", "rope") for cls in (False, True)
]


def build(kind: str, positions: str = "learned", cls: bool = False, **options: object) -> VisionTransformer:
    torch.manual_seed(0)
    size, patch = SHAPES[kind]
    vit = VisionTransformer(3, size, patch, width=24, depth=2, heads=2, positions=positions, cls=cls, **options)
    for parameter in vit.parameters():  # weights as drawn are too small for differences to show
        parameter.data.add_(torch.randn_like(parameter), alpha=0.3)
    return vit


def inputs(vit: VisionTransformer, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    size = [count * side + 1 for count, side in zip(vit.grid, vit.patch, strict=True)]
    x = torch.randint(0, 256, (batch, 3, *size), dtype=torch.uint8)
    return x, torch.tensor([120.0, 130.0, 90.0]), torch.tensor([60.0, 50.0, 70.0])


def some(vit: VisionTransformer, batch: int, count: int) -> Tensor:
    """Different patches for each item, in no order."""
    return torch.stack([torch.randperm(math.prod(vit.grid))[:count] for _ in range(batch)])


def test_golden_ijepa() -> None:
    known = golden("ijepa_encoder")
    names = {"width": "embed_dim", "depth": "depth", "heads": "num_heads"}
    sizes = {option: known.config[name] for option, name in names.items()}
    vit = VisionTransformer(3, (64, 64), (16, 16), **sizes, positions="sincos")
    vit.load_state_dict(ijepa.encoder(known.weights))
    statistics = torch.zeros(3), torch.ones(3)
    assert_golden(vit(known.values["image"], *statistics), known.values["output"])
    masked = vit(known.values["image"], *statistics, known.values["context_mask"])
    assert_golden(masked, known.values["output_masked"])


def test_golden_vjepa2() -> None:
    known = golden("vjepa2_encoder")
    names = {"width": "embed_dim", "depth": "depth", "heads": "num_heads"}
    sizes = {option: known.config[name] for option, name in names.items()}
    vit = VisionTransformer(3, (known.config["num_frames"], 64, 64), (2, 16, 16), **sizes, positions="rope")
    vit.load_state_dict(vjepa2.encoder(known.weights))
    statistics = torch.zeros(3), torch.ones(3)
    assert_golden(vit(known.values["video"], *statistics), known.values["output"])
    assert_golden(vit(known.values["video"], *statistics, known.values["mask"]), known.values["output_masked"])


@pytest.mark.parametrize(("kind", "positions", "cls"), WAYS)
def test_keeping_all_patches_is_keeping_none_out(kind: str, positions: str, cls: bool) -> None:
    vit = build(kind, positions, cls)
    x, mean, std = inputs(vit)
    count = math.prod(vit.grid)
    dense = vit(x, mean, std)
    assert dense.shape == (2, count + cls, 24)
    torch.testing.assert_close(vit(x, mean, std, torch.arange(count).expand(2, -1)), dense, rtol=1e-4, atol=1e-4)
    # Attention does not know the order of tokens: another order of patches is the same order of outputs.
    order = some(vit, 2, count)
    moved = torch.cat([torch.zeros(2, cls, dtype=torch.int64), cls + order], dim=1)
    shuffled = vit(x, mean, std, order)
    torch.testing.assert_close(shuffled, dense.gather(1, moved[..., None].expand(-1, -1, 24)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_patch_left_out_has_no_influence(kind: str) -> None:
    vit = build(kind, "rope")
    x, mean, std = inputs(vit)
    keep = some(vit, 2, 2)
    values = x.float().requires_grad_()
    vit(values, mean, std, keep).square().sum().backward()
    assert values.grad is not None
    seen = values.grad[0] != 0
    other = torch.where(seen, x[0], 255 - x[0])[None]
    assert 0 < seen.sum() <= 2 * 3 * math.prod(vit.patch)
    assert torch.equal(vit(other, mean, std, keep[:1]), vit(x[:1], mean, std, keep[:1]))


@pytest.mark.parametrize("kind", SHAPES)
def test_without_positions_the_class_token_does_not_know_the_order(kind: str) -> None:
    vit = build(kind, cls=True)
    assert vit.position is not None
    keep = some(vit, 2, math.prod(vit.grid))
    x, mean, std = inputs(vit)
    known = vit(x, mean, std, keep)[:, 0]
    moved = x.clone()
    side = vit.patch[-1]
    moved[..., :side], moved[..., side : 2 * side] = x[..., side : 2 * side], x[..., :side]
    assert (vit(moved, mean, std)[:, 0] - known).abs().max() > 1e-2
    nn.init.zeros_(vit.position)
    torch.testing.assert_close(vit(moved, mean, std)[:, 0], vit(x, mean, std)[:, 0], rtol=1e-4, atol=1e-4)


def test_normalisation_is_inside() -> None:
    vit = build("video")
    x, mean, std = inputs(vit)
    normal = (x - mean.view(-1, 1, 1, 1)) / std.view(-1, 1, 1, 1)
    keep = some(vit, 2, 3)
    for part in (None, keep):
        expected = vit(normal, torch.zeros(3), torch.ones(3), part)
        torch.testing.assert_close(vit(x, mean, std, part), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("positions", ["learned", "sincos"])
def test_another_size_is_a_table_resized(kind: str, positions: str) -> None:
    vit = build(kind, positions, cls=True)
    x = inputs(vit)[0]
    larger = torch.cat([x, x], dim=-1)
    grid = (*vit.grid[:-1], larger.shape[-1] // vit.patch[-1])
    state = vit.state_dict()
    state["position"] = resize_positions(state["position"], vit.grid, grid)
    size = tuple(larger.shape[2:])
    other = VisionTransformer(3, size, vit.patch, width=24, depth=2, heads=2, positions=positions, cls=True)
    other.load_state_dict(state)
    assert other.grid == grid
    out = vit(larger, torch.zeros(3), torch.ones(3))
    torch.testing.assert_close(out, other(larger, torch.zeros(3), torch.ones(3)), rtol=1e-4, atol=1e-4)


def test_rotations_do_not_change_with_the_size_around() -> None:
    vit = build("video", "rope")
    x, mean, std = inputs(vit)
    longer = torch.cat([x[:, :, :4], x[:, :, :4]], dim=2)
    first = torch.arange(math.prod(vit.grid)).expand(2, -1)
    assert torch.equal(vit(longer, mean, std, first), vit(x, mean, std, first))


@pytest.mark.parametrize("positions", ["learned", "rope"])
def test_checkpointing_changes_no_gradient(positions: str) -> None:
    gradients = []
    for checkpointing in (False, True):
        vit = build("video", positions, checkpointing=checkpointing)
        x, mean, std = inputs(vit)
        vit(x, mean, std, torch.tensor([[0, 3], [5, 2]])).square().sum().backward()
        gradients.append([parameter.grad for parameter in vit.parameters() if parameter is not vit.norm.bias])
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients[0])
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("positions", ["learned", "sincos", "rope"])
def test_half_precision_is_close(positions: str) -> None:
    torch.manual_seed(0)
    vit = VisionTransformer(3, (4, 32, 32), (2, 8, 8), width=48, depth=3, heads=4, positions=positions)
    x, mean, std = inputs(vit)
    keep = some(vit, 2, 12)
    for part in (None, keep):
        full = vit(x, mean, std, part)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = vit(x, mean, std, part)
            half.float().square().mean().backward()
        assert (half.float() - full).norm() / full.norm() < 0.02
        assert all(parameter.grad is None or parameter.grad.dtype == torch.float32 for parameter in vit.parameters())


@pytest.mark.parametrize("keep", [None, torch.tensor([[0, 2], [1, 3]])])
def test_a_signal_far_from_zero_is_told_apart_in_half_precision(keep: torch.Tensor | None) -> None:
    torch.manual_seed(0)
    vit = VisionTransformer(1, (16,), (4,), width=24, depth=1, heads=2)
    wave = torch.randn(2, 1, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain = vit(wave, torch.zeros(1), torch.ones(1), keep)
        lifted = vit(101_325 + 30 * wave, torch.tensor([101_325.0]), torch.tensor([30.0]), keep)
    assert (lifted - plain).float().norm() / plain.float().norm() < 0.02


def saved_bytes(module: nn.Module, compute: Callable[[], Tensor]) -> int:
    """What a forward pass keeps for backward, each piece of memory once, parameters left out."""
    own = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = compute()
    del out
    return sum(tensor.untyped_storage().nbytes() for pointer, tensor in kept.items() if pointer not in own)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_memory_follows_what_is_seen(kind: str) -> None:
    torch.manual_seed(0)
    size, patch = {"image": ((160, 160), (16, 16)), "video": ((8, 80, 80), (2, 16, 16))}[kind]
    vit = VisionTransformer(
        3, size, patch, width=96, depth=6, heads=3, positions="sincos" if kind == "image" else "rope"
    )
    x, statistics = torch.randint(0, 256, (16, 3, *size), dtype=torch.uint8), (torch.zeros(3), torch.ones(3))
    keep = torch.stack([torch.randperm(100)[:10] for _ in range(16)])
    dense = saved_bytes(vit, lambda: vit(x, *statistics))
    masked = saved_bytes(vit, lambda: vit(x, *statistics, keep))
    assert 0 < masked <= 0.15 * dense
    vit.checkpointing = True
    assert saved_bytes(vit, lambda: vit(x, *statistics)) <= 0.25 * dense


def test_rotated_queries_and_keys_are_not_kept_twice() -> None:
    torch.manual_seed(0)
    kept = {}
    for positions in ("sincos", "rope"):
        vit = VisionTransformer(3, (160, 160), (16, 16), width=96, depth=6, heads=3, positions=positions)
        x = torch.randint(0, 256, (8, 3, 160, 160), dtype=torch.uint8)
        kept[positions] = saved_bytes(vit, lambda vit=vit, x=x: vit(x, torch.zeros(3), torch.ones(3)))
    assert kept["rope"] <= 1.05 * kept["sincos"]


@pytest.mark.parametrize(
    ("size", "patch", "count"),
    [
        ("tiny", 16, 5_524_416),
        ("small", 16, 21_665_664),
        ("base", 16, 85_798_656),
        ("large", 16, 303_301_632),
        ("huge", 14, 630_764_800),
    ],
)
def test_sizes_have_the_parameters_of_those_published(size: str, patch: int, count: int) -> None:
    with torch.device("meta"):
        vit = VisionTransformer(3, (224, 224), (patch, patch), **VIT_SIZES[size], cls=True)
    assert sum(parameter.numel() for parameter in vit.parameters()) == count


def test_every_size_can_rotate_videos() -> None:
    for options in VIT_SIZES.values():
        with torch.device("meta"):
            VisionTransformer(3, (2, 16, 16), (2, 16, 16), **{**options, "depth": 1}, positions="rope")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (16,)}, "same one, two or three axes"),
        ({"size": (16, 4)}, "a whole patch in each"),
        ({"patch": (0, 8)}, "a whole patch in each"),
        ({"heads": 5}, "a width of 24 and 5 heads"),
        ({"heads": 12, "positions": "rope"}, "heads of at least 4 components; got 2"),
        ({"width": 22, "heads": 1, "positions": "sincos"}, "multiple of 4; got 22"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, object], message: str) -> None:
    given = {"size": (16, 16), "patch": (8, 8), "width": 24, "depth": 1, "heads": 2, **options}
    with pytest.raises(ConfigError, match=message):
        VisionTransformer(3, **given)


@pytest.mark.parametrize(
    ("shape", "keep", "message"),
    [
        ((2, 1, 20, 28), None, r"takes \[B, 3, H, W\] .* 8 x 8; got shape \[2, 1, 20, 28\]"),
        ((2, 3, 20, 7), None, "at least one patch"),
        ((2, 3, 4, 20, 28), None, "got shape"),
        ((2, 3, 20, 28), (1, 4), r"keep must hold indices of patches, \[2, K\]; got shape \[1, 4\]"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(shape: tuple[int, ...], keep: tuple[int, ...] | None, message: str) -> None:
    index = None if keep is None else torch.zeros(keep, dtype=torch.int64)
    with pytest.raises(SpecError, match=message):
        build("image")(torch.zeros(shape), torch.zeros(3), torch.ones(3), index)


@pytest.mark.parametrize(("channels", "patch"), [(1, (4, 4)), (3, (16, 16)), (1, (2, 8, 8)), (2, (5,))])
def test_what_a_patch_shows_is_seen_beside_where_it_is(channels: int, patch: tuple[int, ...]) -> None:
    """As drawn, in standard deviations of positions that are about one: neither hides the other, whatever the patch."""
    torch.manual_seed(0)
    vit = VisionTransformer(
        channels, tuple(4 * side for side in patch), patch, width=96, depth=1, heads=3, positions="sincos"
    )
    x = torch.randn(64, channels, *(4 * side for side in patch))
    embedded = vit._embed(x, torch.zeros(channels), torch.ones(channels), None, vit.grid)
    assert 0.4 < embedded.std().item() < 2.0
