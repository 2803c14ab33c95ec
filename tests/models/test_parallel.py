"""The parallel predictor: one network for each prefix, and passes that continue each other."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tacit as tc
from tacit.models.predictors import Parallel
from tacit.models.predictors.parallel import ParallelPredictor
from tacit.nn._tuning import tune_cpu
from tacit.nn.kernels import PLAIN, kernels_for

D, E, SPAN = 6, 3, 3
SPEC = tc.Spec({"state": tc.Modality("vector", (2,))}, tc.Box((-1.0,) * 2, (1.0,) * 2))


def build(**options: int) -> ParallelPredictor:
    torch.manual_seed(0)
    predictor = Parallel(**{"span": SPAN, "width": 8, **options}).build(D, E)
    for parameter in predictor.parameters():
        nn.init.normal_(parameter, std=0.4)
    return predictor.eval()


def a_clip() -> tc.types.Clip:
    indices = torch.zeros(2, dtype=torch.int64)
    return tc.types.Clip({"state": torch.randn(2, 5, 2)}, torch.randn(2, 4, 2), indices, indices)


def by_definition(predictor: ParallelPredictor, latent: Tensor, actions: Tensor) -> Tensor:
    """Return the latents ``[K, D]`` after each prefix of ``actions [K, E]``, one network after the other."""
    out = []
    for k in range(len(actions)):
        layer = predictor.prefixes[k]
        weight = torch.cat([layer.weight, predictor.from_latent.weight], dim=1)
        hidden = F.linear(torch.cat([actions[: k + 1].flatten(), latent]), weight, layer.bias)
        for inner in predictor.net.linears:
            hidden = inner(F.gelu(hidden))
        out.append(latent + hidden)
    return torch.stack(out)


@pytest.mark.parametrize("packed", [False, True])
def test_a_rollout_is_one_network_for_each_prefix_and_continues_after_the_longest(packed: bool) -> None:
    predictor = build(depth=3)
    latents, actions = torch.randn(2, 2, D), torch.randn(2, 4, 2 * SPAN + 1, E)
    tune_cpu()
    with torch.no_grad():
        kernels = kernels_for(predictor) if packed else PLAIN
        assert (kernels is not PLAIN) == packed
        found = predictor.rollout(latents, torch.randn(2, 1, E), actions, kernels)
        for world in range(2):
            for candidate in range(4):
                latent, wanted = latents[world, -1], []
                for part in actions[world, candidate].split(SPAN):
                    wanted.append(by_definition(predictor, latent, part))
                    latent = wanted[-1][-1]
                torch.testing.assert_close(found[world, candidate], torch.cat(wanted), rtol=1e-4, atol=1e-5)


def test_the_network_runs_once_for_each_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, calls = build(), []
    plain = predictor.net.forward
    monkeypatch.setattr(predictor.net, "forward", lambda x: calls.append(x.shape) or plain(x))
    predictor.rollout(torch.randn(1, 1, D), torch.zeros(1, 0, E), torch.randn(1, 5, SPAN, E))
    assert calls == [(1, 5, SPAN, 8)]


def test_training_a_part_of_a_pass_is_refused() -> None:
    model = tc.models.WorldModel.for_spec(SPEC, predictor={"name": "parallel", "span": 3}).train()
    clip = a_clip()
    request = tc.types.ForecastRequest(steps=2)
    with pytest.raises(tc.errors.ConfigError, match=re.escape("predicts 3 steps in one pass, and the objective")):
        model.forecast(clip, request)
    assert len(model.eval().forecast(clip, request).predictions) == 2
    assert len(model.train().forecast(clip, tc.types.ForecastRequest(steps=3)).predictions) == 3


def test_every_prefix_is_supervised() -> None:
    model = tc.models.WorldModel.for_spec(SPEC, predictor={"name": "parallel", "span": 3}).train()
    clip = a_clip()
    for starts in ("every", "first", "mixed"):
        model.zero_grad()
        objective = tc.objectives.Prediction(steps=3, starts=starts)
        objective.loss(model.forecast(clip, objective.requires()), 0).backward()
        gradients = [layer.weight.grad for layer in model.predictor.prefixes]
        assert all(gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients)


def test_a_recipe_names_it_and_a_file_keeps_it(tmp_path: Path) -> None:
    recipe = tc.recipes.TwoRooms().with_options({"model.predictor": "parallel", "model.predictor.span": 3})
    model = recipe.build_model(SPEC, seed=0).eval()
    assert model.config.predictor == Parallel(span=3)
    tc.checkpoint.save(tmp_path / "model", model)
    again = tc.checkpoint.load_model(tmp_path / "model")
    context, blocks = tc.types.Context(torch.randn(1, 1, 16)), torch.randn(1, 2, 5, 10)
    assert torch.equal(model.rollout(context, blocks), again.rollout(context, blocks))


def test_a_span_below_one_is_refused() -> None:
    with pytest.raises(tc.errors.ConfigError, match="span >= 1"):
        Parallel(span=0)
