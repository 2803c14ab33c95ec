"""The block-causal predictor: the published numbers, no look ahead, and keys and values kept exactly."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from golden.reading import assert_golden, golden
from tacit.errors import ConfigError, SpecError
from tacit.nn.block_causal import BlockCausalPredictor
from tacit.published.layouts import vjepa2_ac

STEPS, PATCHES = 4, 6


def build(**options: object) -> BlockCausalPredictor:
    torch.manual_seed(0)
    sizes = {"grid": (2, 3), "latent": 10, "action": 3, "state": 5, "width": 24, "depth": 2, "heads": 2, **options}
    predictor = BlockCausalPredictor(**sizes)
    for parameter in predictor.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=0.3)
    return predictor


def inputs(steps: int = STEPS) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    parts = torch.randn(2, STEPS, PATCHES, 10), torch.randn(2, STEPS, 3), torch.randn(2, STEPS, 5)
    return parts[0][:, :steps].flatten(1, 2), parts[1][:, :steps], parts[2][:, :steps]


@pytest.mark.parametrize("name", ["vjepa2_ac_predictor", "vjepa2_ac_predictor_extrinsics"])
def test_golden(name: str) -> None:
    known = golden(name)
    sizes = {
        "latent": known.config["embed_dim"],
        "action": known.config["action_embed_dim"],
        "state": known.config["action_embed_dim"],
        "width": known.config["predictor_embed_dim"],
        "depth": known.config["depth"],
        "heads": known.config["num_heads"],
        "extrinsics": 6,
    }
    predictor = BlockCausalPredictor((4, 4), **sizes)
    predictor.load_state_dict(vjepa2_ac.predictor(known.weights))
    values = known.values
    inputs = [values[part] for part in ("context", "actions", "states", "extrinsics") if part in values]
    assert_golden(predictor(*inputs), values["output"])
    first = [part[:, : part.shape[1] // 2] for part in inputs]
    assert_golden(predictor(*first), values["output_first_two_steps"])
    # The same again, frame by frame.
    out, memories = predictor.advance(*first)
    rest, _ = predictor.advance(*(part[:, part.shape[1] // 2 :] for part in inputs), memories=memories)
    assert_golden(torch.cat([out, rest], dim=1), values["output"])


def test_a_frame_sees_itself_and_what_came_before() -> None:
    predictor = build()
    parts = [part.requires_grad_() for part in inputs()]
    out = predictor(*parts).unflatten(1, (STEPS, PATCHES))
    for step in range(STEPS):
        gradients = torch.autograd.grad(out[:, step, -1].square().sum(), parts, retain_graph=True)
        for gradient in gradients:
            reach = gradient.reshape(2, STEPS, -1).abs().sum(-1) > 0
            assert reach[:, : step + 1].all() and not reach[:, step + 1 :].any()


@pytest.mark.parametrize("chunks", [(1, 1, 1, 1), (3, 1), (1, 3), (2, 2), (4,)])
def test_memories_change_nothing(chunks: tuple[int, ...]) -> None:
    predictor = build()
    context, actions, states = inputs()
    whole = predictor(context, actions, states)
    memories, out, start = None, [], 0
    for size in chunks:
        steps = slice(start, start + size)
        frames = context.unflatten(1, (STEPS, PATCHES))[:, steps].flatten(1, 2)
        part, memories = predictor.advance(frames, actions[:, steps], states[:, steps], memories=memories)
        out.append(part)
        start += size
    torch.testing.assert_close(torch.cat(out, dim=1), whole, rtol=1e-4, atol=1e-5)
    assert memories is not None and len(memories) == 2
    assert memories[0].key.shape[2] == STEPS * (PATCHES + 2)


@pytest.mark.parametrize("latent_norm", [False, True])
def test_a_rollout_is_the_forecast_fed_back(latent_norm: bool) -> None:
    predictor = build(latent_norm=latent_norm)
    context, actions, states = inputs(2)
    torch.manual_seed(2)
    plans, held = torch.randn(2, 3, 4, 3), torch.randn(2, 3, 4, 5)
    _, memories = predictor.advance(context[:, :PATCHES], actions[:, :1], states[:, :1])
    out = predictor.rollout(context[:, PATCHES:], plans, held, memories=memories)
    assert out.shape == (2, 3, 4, PATCHES, 10)
    for sample in range(3):
        frames = context
        for step in range(4):
            taken = [
                torch.cat([before[:, :1], new[:, sample, : step + 1]], dim=1)
                for before, new in ((actions, plans), (states, held))
            ]
            last = predictor(frames, *taken)[:, -PATCHES:]
            torch.testing.assert_close(out[:, sample, step], last, rtol=1e-3, atol=1e-4)
            frames = torch.cat([frames, last], dim=1)
    if latent_norm:
        torch.testing.assert_close(out, F.layer_norm(out, (10,)), rtol=1e-3, atol=1e-4)


def test_the_places_of_patches_count_and_the_order_of_conditions_does_not() -> None:
    predictor = build(action=5)
    context, _, states = inputs()
    actions = states.flip(1)
    out = predictor(context, actions, states)
    assert predictor.from_state is not None
    predictor.from_action, predictor.from_state = predictor.from_state, predictor.from_action
    torch.testing.assert_close(predictor(context, states, actions), out, rtol=1e-4, atol=1e-4)
    frames = context.unflatten(1, (STEPS, PATCHES))
    turned = predictor(frames.flip(2).flatten(1, 2), states, actions).unflatten(1, (STEPS, PATCHES)).flip(2)
    assert (turned.flatten(1, 2) - out).abs().max() > 1e-2


def test_without_a_state_or_with_extrinsics() -> None:
    context, actions, states = inputs()
    alone = build(state=0)
    assert alone(context, actions).shape == context.shape
    camera = build(extrinsics=4)
    more = camera(context, actions, states, torch.ones(2, STEPS, 4))
    assert (more - camera(context, actions, states)).abs().max() > 1e-3


def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        predictor = build(checkpointing=checkpointing)
        predictor(*inputs()).square().sum().backward()
        gradients.append([parameter.grad for parameter in predictor.parameters()])
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients[0])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_half_precision_is_close() -> None:
    torch.manual_seed(0)
    predictor = BlockCausalPredictor((2, 3), 10, 3, state=5, width=48, depth=3, heads=4)
    full = predictor(*inputs())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = predictor(*inputs())
    assert (half.float() - full).norm() / full.norm() < 0.02


def test_what_does_not_fit_is_refused() -> None:
    context, actions, states = inputs()
    with pytest.raises(SpecError, match=r"\[B, T \* 6, D\] latents .*; got \[2, 23, 10\] and \[2, 4, 3\]"):
        build()(context[:, 1:], actions, states)
    with pytest.raises(SpecError, match="built with them"):
        build()(context, actions)
    with pytest.raises(SpecError, match="built with them"):
        build(state=0)(context, actions, states)
    with pytest.raises(SpecError, match="built with them"):
        build()(context, actions, states, states)
    with pytest.raises(SpecError, match="one frame for each world; got 1 frames for 2 worlds"):
        build().rollout(context[:1, :PATCHES], actions[:, None], states[:, None])
    with pytest.raises(ConfigError, match="heads of at least 6"):
        build(heads=6)
