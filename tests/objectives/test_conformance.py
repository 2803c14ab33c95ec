"""Every term keeps its promises, and the suite notices those that do not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tacit import objectives
from tacit.objectives import Term
from tacit.testing.objectives import check_term
from tacit.types import Forecast


@pytest.mark.parametrize("name", objectives.names())
def test_every_term_conforms(name: str) -> None:
    for term, _ in objectives.load(name)().terms():
        check_term(term)


class Broken(Term):
    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__("broken")
        self._change = change

    def loss(self, forecast: Forecast, _seed: int, /) -> Tensor:
        return self._change(forecast.latents)


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        (lambda latents: latents.square().mean(0), "scalar"),
        (lambda latents: latents.mean() / 0.0, "finite"),
        (lambda latents: latents.mean() * torch.rand(()), "its seed alone"),
        (lambda latents: latents.detach().mean(), "depend on the forecast"),
        (lambda latents: (0.0 * latents).sum(), "reach the latents"),
    ],
)
def test_the_suite_notices(change: Callable[[Tensor], Tensor], promise: str) -> None:
    check_term(Broken(lambda latents: latents.square().mean()))
    with pytest.raises(AssertionError, match=promise):
        check_term(Broken(change))


def test_the_suite_notices_a_term_of_two_minds() -> None:
    class Counting(Broken):
        calls = 0

        def loss(self, forecast: Forecast, seed: int, /) -> Tensor:
            self.calls += 1
            return self.calls * super().loss(forecast, seed)

    with pytest.raises(AssertionError, match="one seed must give one loss"):
        check_term(Counting(lambda latents: latents.square().mean()))
