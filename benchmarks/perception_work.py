"""Work of `perception_speed.py` in the environment of either library: each function prepares one piece of work."""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VIDEOS, FRAMES, SIDE, PATCH, TUBELET = 4, 16, 64, 8, 2
IMAGES, IMAGE_SIDE, IMAGE_PATCH = 16, 112, 8
WIDTH, DEPTH, HEADS = 192, 12, 3
PREDICTOR_WIDTH, PREDICTOR_DEPTH, PREDICTOR_HEADS = 96, 6, 3
TOKENS = FRAMES // TUBELET * (SIDE // PATCH) ** 2
VISIBLE = TOKENS // 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def videos() -> tuple[Tensor, Tensor, Tensor]:
    """Return uint8 videos ``[B, T, C, H, W]``, visible and hidden places."""
    draw = torch.Generator().manual_seed(0)
    values = torch.randint(0, 256, (VIDEOS, FRAMES, 3, SIDE, SIDE), dtype=torch.uint8, generator=draw)
    order = torch.stack([torch.randperm(TOKENS, generator=draw) for _ in range(VIDEOS)])
    return values, order[:, :VISIBLE].sort(1).values, order[:, VISIBLE:].sort(1).values


def images() -> tuple[Tensor, Tensor]:
    """Return uint8 images ``[B, C, H, W]``, and target latents."""
    draw = torch.Generator().manual_seed(1)
    shape, tokens = (IMAGES, 3, IMAGE_SIDE, IMAGE_SIDE), (IMAGE_SIDE // IMAGE_PATCH) ** 2
    values = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw)
    return values, torch.randn(IMAGES, tokens, WIDTH, generator=draw)


def gathered(tokens: Tensor, index: Tensor) -> Tensor:
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))


Work = dict[str, tuple[Any, Callable[[], Tensor]]]


def ours(work: str) -> Work:
    """Return model and loss of each piece of work, in Tacit."""
    import tacit as tc

    model: Any = tc.published.convert(Path(work) / "vjepa2").train()
    encoder: Any = tc.published.convert(Path(work) / "ijepa", part="encoder").train()
    values, visible, hidden = videos()
    none = torch.zeros(VIDEOS)
    clip = tc.Clip({"pixels": values}, none, none, none, masks=(tc.types.Mask(visible, (hidden,)),))
    objective = tc.objectives.MaskedPrediction(distance="l1")
    seen, wanted = images()
    scale = 255 * torch.tensor(MEAN), 255 * torch.tensor(STD)

    def dense() -> Tensor:
        raw, known = values.transpose(1, 2), model.statistics_of("pixels")
        with torch.no_grad():
            latents = model.target_encoder(raw, *known)
            targets = gathered(F.layer_norm(latents, latents.shape[-1:]), hidden)
        context = gathered(model.encoder(raw, *known), visible)
        return F.l1_loss(model.predictor(context, visible, hidden), targets)

    return {
        "step": (model, lambda: objective(model.forecast(clip), 0).total),
        "dense": (model, dense),
        "ijepa": (encoder, lambda: F.l1_loss(encoder(seen, *scale), wanted)),
    }


def theirs(work: str) -> Work:
    """Return the same in transformers, which takes normalised images."""
    import transformers

    model = transformers.VJEPA2Model.from_pretrained(Path(work) / "vjepa2").train()
    encoder = transformers.IJepaModel.from_pretrained(Path(work) / "ijepa").train()
    encoder.embeddings.position_embeddings.requires_grad_(False)  # as published: a fixed table
    assert model.config._attn_implementation == encoder.config._attn_implementation == "sdpa"
    target = copy.deepcopy(model).requires_grad_(False)
    values, visible, hidden = videos()
    mean, std = (torch.tensor(part).view(3, 1, 1) for part in (MEAN, STD))
    normal = (values / 255 - mean) / std
    seen, wanted = images()
    normal_images = (seen / 255 - mean) / std

    def targets() -> Tensor:
        with torch.no_grad():
            latents = target(normal, skip_predictor=True).last_hidden_state
            return gathered(F.layer_norm(latents, latents.shape[-1:]), hidden)

    def step() -> Tensor:
        wanted = targets()
        out = model(normal, context_mask=[visible], target_mask=[hidden]).predictor_output
        return F.l1_loss(out.last_hidden_state, wanted)

    def dropped() -> Tensor:
        wanted = targets()
        tokens = gathered(model.encoder.embeddings(normal), visible)
        for layer in model.encoder.layer:
            tokens = layer(tokens, visible)[0]
        places = visible[..., None].expand(-1, -1, WIDTH)  # the predictor takes a whole grid, and gathers from it
        grid = torch.zeros(VIDEOS, TOKENS, WIDTH).scatter(1, places, model.encoder.layernorm(tokens))
        return F.l1_loss(model.predictor(grid, [visible], [hidden]).last_hidden_state, wanted)

    return {
        "step": (model, step),
        "visible": (model, dropped),
        "ijepa": (encoder, lambda: F.l1_loss(encoder(normal_images).last_hidden_state, wanted)),
    }


SIDES = {"ours": ours, "theirs": theirs}


def draw(work: str) -> None:
    """Write weights of both models by transformers, large enough to show differences."""
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": HEADS}
    predictor = {"hidden_size": PREDICTOR_WIDTH, "num_hidden_layers": PREDICTOR_DEPTH, "num_mask_tokens": 1}
    predictor |= {"num_attention_heads": PREDICTOR_HEADS}
    video = transformers.VJEPA2Config(
        **sizes, mlp_ratio=4.0, crop_size=SIDE, patch_size=PATCH, frames_per_clip=FRAMES, tubelet_size=TUBELET,
        **{f"pred_{name}": size for name, size in predictor.items()},
    )  # fmt: skip
    image = transformers.IJepaConfig(
        **sizes, intermediate_size=4 * WIDTH, image_size=IMAGE_SIDE, patch_size=IMAGE_PATCH
    )
    for name, model in (("vjepa2", transformers.VJEPA2Model(video)), ("ijepa", transformers.IJepaModel(image))):
        for parameter in model.parameters():
            parameter.data.add_(torch.randn_like(parameter), alpha=0.1)
        model.save_pretrained(Path(work) / name)


def once(model: nn.Module, loss: Callable[[], Tensor]) -> float:
    """Compute one step from no gradients, and return its loss."""
    model.zero_grad(set_to_none=True)
    value = loss()
    value.backward()  # type: ignore[no-untyped-call]
    return value.item()


def step_of(work: str, side: str, name: str) -> Callable[[], float]:
    """Return a training step of a library."""
    return partial(once, *SIDES[side](work)[name])


def result(work: str, side: str, name: str) -> dict[str, Any]:
    """Return the loss of a step, the norm of its gradients, and the calls of operators of attention."""
    model, loss = SIDES[side](work)[name]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        value = once(model, loss)
    norms = [parameter.grad.norm() for parameter in model.parameters() if parameter.grad is not None]
    attention = {
        event.key: event.count
        for event in profiler.key_averages()
        if event.key.startswith("aten::_scaled_dot_product") and "backward" not in event.key
    }
    return {"loss": value, "gradient": torch.stack(norms).norm().item(), "attention": attention}


def limit(work: str, name: str) -> dict[str, float]:
    """Return the operations of a step, the best rate of the machine, and the time with torch's own linear layers."""
    from tacit.diagnostics import operations, peak_rate
    from tacit.nn.linear import plain_layers
    from tacit.studies.speed import cpu_seconds

    step = step_of(work, "ours", name)
    with plain_layers():
        plain = cpu_seconds(step, 1)[0]
    return {"operations": operations(step), "rate": peak_rate(), "plain": plain}
