"""Classifier of single images that trains an encoder with its head: a baseline with labels for frozen encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit._registry import suggest
from tacit.errors import ConfigError
from tacit.models import MaskedModel
from tacit.probing.features import CLASS, targets_at
from tacit.statistics import Rate, wilson
from tacit.training.optimizer import adamw, lr_factor, optimizer_step
from tacit.types import Transform

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["Classifier"]


class Classifier:
    """Encoder with a linear head on its mean token, trained together on labels.

    Args:
        model: A new model; its encoder is trained, and its target encoder removed, so that probes read the trained one.
        episodes: Episodes of single images with the class of each.
        target: The name of the label with the class.
        seed: Seed of the head and of the batches.
        transforms: Transforms of a batch, such as the crops of a recipe.
        batch: Images of an update.
        lr: Largest learning rate, after a warm-up of a twentieth of the updates and before a cosine decay.
        weight_decay: Weight decay of AdamW.

    Raises:
        ConfigError: if an episode has more than one image, or no such label.
    """

    def __init__(
        self,
        model: MaskedModel,
        episodes: Episodes,
        target: str = CLASS,
        *,
        seed: int = 0,
        transforms: tuple[Transform, ...] = (),
        batch: int = 128,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
    ) -> None:
        if (episodes.lengths != 1).any():
            raise ConfigError(f"a classifier needs episodes of one image; got up to {episodes.lengths.max()}.")
        self.model, self.seed, self.transforms, self.batch = model, seed, transforms, batch
        self.lr, self.weight_decay = lr, weight_decay
        self._input = model.config.inputs[0]
        self._encoder: nn.Module = model.encoder
        model.target_encoder = None
        model.set_statistics(episodes.statistics())
        self._target = target
        self._classes = torch.from_numpy(_classes(episodes, target)).long()
        torch.manual_seed(seed)
        self.head = nn.Linear(model.config.width, int(self._classes.max()) + 1)
        self._clips = episodes.clips(1)
        self._parameters = [*self._encoder.parameters(), *self.head.parameters()]
        self._optimizer = adamw(self._parameters, lr, weight_decay)

    def logits(self, images: Tensor) -> Tensor:
        """Return the score of each class ``[B, classes]`` for uint8 images ``[B, C, H, W]``."""
        tokens: Tensor = self._encoder(images, *self.model.statistics_of(self._input))
        out: Tensor = self.head(tokens.mean(1))
        return out

    def loss(self, index: int) -> Tensor:
        """Return the cross entropy of a batch by its number."""
        clip = self._clips.batch(self.seed, index, self.batch)
        for transform in self.transforms:
            clip = transform(clip, seed=index, rank=0)
        return F.cross_entropy(self.logits(clip.observation[self._input][:, 0]), self._classes[clip.episode])

    def learn(self, updates: range, steps: int) -> None:
        """Make some of the ``steps`` updates of a training."""
        for index in updates:
            lr = self.lr * lr_factor(index, steps, warmup=0.05, end=0.0)
            optimizer_step(self._optimizer, self._parameters, self.loss(index), lr, self.weight_decay, 1.0)

    @torch.no_grad()
    def score(self, held_out: Episodes) -> Rate:
        """Return the share of images whose class has the highest score."""
        count = len(held_out)
        clips = held_out.clips(1).cut(np.arange(count), np.zeros(count, int))
        images = clips.observation[self._input][:, 0]
        predicted = torch.cat([self.logits(part).argmax(1) for part in torch.split(images, 500)])
        return wilson(int((predicted.numpy() == _classes(held_out, self._target)).sum()), count)


def _classes(episodes: Episodes, target: str) -> npt.NDArray[Any]:
    found, _ = targets_at(episodes, np.arange(len(episodes)), np.zeros(len(episodes), int))
    if target not in found:
        known = f"They have: {', '.join(found)}." if found else "They have none."
        raise ConfigError(f"the episodes have no label {target!r}.{suggest(target, found)} {known}")
    return np.asarray(found[target]).reshape(-1)
