"""Conformance suite for encoders of a world model.

In the tests of an extension::

    from tacit.testing.encoders import check_encoder

    def test_mine_is_an_encoder():
        check_encoder(MyEncoderConfig())
"""

from __future__ import annotations

from dataclasses import is_dataclass, replace

import torch
from torch import Generator, Tensor

from tacit.models.encoders import EncoderConfig
from tacit.nn import Encoder
from tacit.testing._promises import expect

__all__ = ["check_encoder"]

SHAPES = {"pixels": (3, 32, 24), "series": (2, 40), "vector": (5,)}


def check_encoder(config: EncoderConfig) -> None:
    """Check that ``config`` and its encoder keep the promises of ``EncoderConfig`` and :class:`tacit.nn.Encoder`.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    expect(is_dataclass(config), "the configuration must be a frozen dataclass of its options")
    expect(config == replace(config), "equal options must make equal configurations")
    expect(bool(config.kinds) and set(config.kinds) <= set(SHAPES), f"kinds must be among {', '.join(SHAPES)}")
    for kind in config.kinds:
        _check_kind(config, kind)


def _check_kind(config: EncoderConfig, kind: str) -> None:
    encoder, again = _built(config, kind), _built(config, kind)
    expect(isinstance(encoder, Encoder), "build must return a tacit.nn.Encoder")
    for name, value in encoder.state_dict().items():
        expect(torch.equal(value, again.state_dict()[name]), "weights must be a function of torch's seed")
    values, mean, std = _values(kind)
    kept = values.clone()
    with torch.no_grad():
        found = encoder.eval()(values, mean, std)
        expect(found.shape == (len(values), encoder.features), "an encoder must return [N, features]")
        expect(found.dtype == torch.float32 and bool(found.isfinite().all()), "features must be finite float32")
        expect(torch.equal(values, kept), "an encoder must not modify its input")
        alone = torch.cat([encoder(value[None], mean, std) for value in values])
        expect(torch.allclose(alone, found, rtol=1e-3, atol=1e-4), "a value must not depend on the rest of its batch")
        expect(not torch.allclose(found[0], found[1]), "different values must have different features")
    learned = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    if learned:
        encoder.train()(values, mean, std).square().sum().backward()
        expect(any(parameter.grad is not None for parameter in learned), "a gradient must reach the weights")


def _built(config: EncoderConfig, kind: str) -> Encoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return config.build(SHAPES[kind])


def _values(kind: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return a batch of values, and the mean and the standard deviation of their channels."""
    draw, shape = Generator().manual_seed(1), SHAPES[kind]
    if kind == "pixels":
        pixels = torch.randint(0, 256, (4, *shape), generator=draw, dtype=torch.uint8)
        return pixels, torch.full((shape[0],), 127.5), torch.full((shape[0],), 64.0)
    return torch.randn(4, *shape, generator=draw), torch.full((shape[0],), 0.1), torch.full((shape[0],), 1.5)
