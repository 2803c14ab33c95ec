"""Every augmentation keeps its promises, and the suite notices those that do not."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Generator, Tensor

from augmentation.test_properties import EXAMPLES
from tacit import augmentation
from tacit.augmentation import Augmentation
from tacit.testing.augmentations import check_augmentation


@pytest.mark.parametrize("name", augmentation.names())
def test_every_augmentation_conforms(name: str) -> None:
    check_augmentation(EXAMPLES[name])


@dataclass(frozen=True)
class Broken(Augmentation):
    change: Callable[[Tensor, Generator], Tensor]

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        return self.change(videos, generator)


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        (lambda videos, _: videos + 300.0, "0 to 255"),
        (lambda videos, _: videos.byte(), "float32"),
        (lambda videos, _: videos * torch.rand(()), "its generator alone"),
        (lambda videos, _: videos[:-1], "keep the batch"),
        (lambda videos, _: videos / 0.0, "finite"),
        (lambda videos, draw: videos * torch.rand(videos.shape[1], generator=draw)[:, None, None, None], "as a whole"),
    ],
)
def test_the_suite_notices(change: Callable[[Tensor, Generator], Tensor], promise: str) -> None:
    check_augmentation(Broken(lambda videos, _: videos))
    with pytest.raises(AssertionError, match=promise):
        check_augmentation(Broken(change))
