"""Every encoder and predictor keeps its promises, and the suites notice those that do not."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tacit.models import MaskedModelConfig, encoders, predictors
from tacit.models.encoders import Conv, EncoderConfig, Pretrained, ViT
from tacit.models.predictors import MLP, Parallel, PredictorConfig, Transformer
from tacit.models.predictors.parallel import ParallelPredictor
from tacit.nn import Encoder, Predictor
from tacit.nn.kernels import PLAIN, Kernels
from tacit.testing.encoders import check_encoder
from tacit.testing.predictors import check_predictor
from tacit.types import Modality, Spec

IMAGES = Spec({"pixels": Modality("pixels", (3, 32, 24))})
SMALL = {
    "conv": Conv(8, 16),
    "vit": ViT(8, 12, 1, 2),
    "pretrained": Pretrained(MaskedModelConfig(IMAGES, patch=8, width=12, depth=1, heads=1, predictor_depth=1)),
    "transformer": Transformer(history=3, width=8, depth=1, heads=2, head_width=4, mlp_width=12),
}


@pytest.mark.parametrize("name", [name for name in encoders.names() if name != "custom"])
def test_every_encoder_conforms(name: str) -> None:
    check_encoder(SMALL[name] if name in SMALL else encoders.load(name)())


@pytest.mark.parametrize("name", [name for name in predictors.names() if name != "custom"])
def test_every_predictor_conforms(name: str) -> None:
    check_predictor(SMALL[name] if name in SMALL else predictors.load(name)())


@dataclass(frozen=True)
class BrokenEncoder(EncoderConfig):
    kinds = ("vector",)
    change: Callable[[Tensor], Tensor] = torch.clone
    features: int = 5

    def build(self, shape: tuple[int, ...]) -> Encoder:
        return _Encoder(self)


class _Encoder(Encoder):
    def __init__(self, config: BrokenEncoder) -> None:
        super().__init__()
        self.change, self.features = config.change, config.features

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        return self.change((x - mean) / std)


@pytest.mark.parametrize(
    ("config", "promise"),
    [
        (BrokenEncoder(features=4), "features"),
        (BrokenEncoder(lambda x: x - x.mean(0)), "rest of its batch"),
        (BrokenEncoder(torch.zeros_like), "different values"),
        (BrokenEncoder(lambda x: x.double()), "float32"),
        (BrokenEncoder(lambda x: x / 0.0), "finite"),
    ],
)
def test_the_suite_of_encoders_notices(config: BrokenEncoder, promise: str) -> None:
    check_encoder(BrokenEncoder())
    with pytest.raises(AssertionError, match=promise):
        check_encoder(config)


@dataclass(frozen=True)
class BrokenPredictor(PredictorConfig):
    broken: str = ""

    def build(self, latent: int, action: int) -> Predictor:
        return _Predictor(self, MLP(width=8).build(latent, action))


class _Predictor(Predictor):
    def __init__(self, config: BrokenPredictor, inner: Predictor) -> None:
        super().__init__()
        self.broken, self.inner = config.broken, inner

    def forward(self, latents: Tensor, actions: Tensor) -> Tensor:
        found = super().forward(latents, actions)
        if self.broken == "future":
            return found + latents.flip(1)
        return found + latents.mean(dim=0) if self.broken == "batch" else found

    def step(self, latents: Tensor, actions: Tensor, kernels: Kernels) -> Tensor:
        return self.inner.step(latents, 0 * actions if self.broken == "action" else actions, kernels)

    def rollout(self, latents: Tensor, past: Tensor, actions: Tensor, *rest: Kernels) -> Tensor:
        found = super().rollout(latents, past, actions, *rest)
        return found.flip(2) if self.broken == "order" else found

    def unroll(self, latents: Tensor, actions: Tensor, steps: int) -> tuple[Tensor, ...]:
        found = super().unroll(latents, actions, steps)
        return tuple(one + k for k, one in enumerate(found)) if self.broken == "unroll" else found


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        ("future", "what comes after"),
        ("batch", "its batch"),
        ("action", "its latent and its action"),
        ("order", "feed forecasts back"),
        ("unroll", "what rollout imagines"),
    ],
)
def test_the_suite_of_predictors_notices(broken: str, promise: str) -> None:
    check_predictor(BrokenPredictor())
    with pytest.raises(AssertionError, match=promise):
        check_predictor(BrokenPredictor(broken))


class _Peeking(ParallelPredictor):
    """Pass whose forecasts see the actions after them."""

    def rollout(self, latents: Tensor, past: Tensor, actions: Tensor, kernels: Kernels = PLAIN) -> Tensor:
        later = actions[:, :, 1:] + actions.mean(dim=2, keepdim=True)
        return super().rollout(latents, past, torch.cat([actions[:, :, :1], later], dim=2), kernels)


class _Forgetful(ParallelPredictor):
    """Passes that all begin at the current latent."""

    def rollout(self, latents: Tensor, past: Tensor, actions: Tensor, kernels: Kernels = PLAIN) -> Tensor:
        parts = torch.split(actions, self.span, dim=2)
        return torch.cat([super(_Forgetful, self).rollout(latents, past, part, kernels) for part in parts], dim=2)


@dataclass(frozen=True)
class BrokenParallel(Parallel):
    network: type[ParallelPredictor] = ParallelPredictor

    def build(self, latent: int, action: int) -> ParallelPredictor:
        return self.network(self, latent, action)


@pytest.mark.parametrize(("network", "promise"), [(_Peeking, "actions before it"), (_Forgetful, "feed forecasts back")])
def test_the_suite_of_predictors_notices_in_a_pass(network: type[ParallelPredictor], promise: str) -> None:
    check_predictor(BrokenParallel())
    with pytest.raises(AssertionError, match=promise):
        check_predictor(BrokenParallel(network=network))
