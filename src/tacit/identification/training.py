"""Training of a small encoder in a synthetic world, with SIGReg or whitening, and its scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tacit._progress import track
from tacit._seeds import derive_seed
from tacit.errors import ConfigError, TrainingError
from tacit.identification.metrics import Floats, WorldScores, score_world
from tacit.identification.worlds import SyntheticWorld
from tacit.nn.mlp import MLP
from tacit.objectives import Invariance, SIGReg
from tacit.objectives._objective import Objective, Term
from tacit.training.optimizer import adamw, optimizer_step
from tacit.types import ViewEmbeddings

__all__ = ["WorldResult", "WorldTraining", "identify_world", "train_encoder"]

WEIGHTS = {"sigreg": 5e-3, "whitening": 0.5}
WEIGHT_DECAY = 0.01


@dataclass(frozen=True)
class WorldTraining:
    """Options of the training in a synthetic world.

    The paper takes 20,000 steps, 4 hidden layers of 256, 256 slices, and a constant weight of 1e-3, which shrinks the
    latents to two thirds of the variance of the states.

    Attributes:
        regulariser: ``sigreg``, or ``whitening`` as the baseline, which matches the covariance alone.
        weight: Weight of the regulariser, and 1 minus that of the alignment; None: 5e-3 of SIGReg, 0.5 of whitening.
        steps: Updates.
        batch: States in a batch, drawn anew for each update.
        views: Views of each state.
        hidden: Width of each hidden layer of the encoder.
        lr: Learning rate; constant over the first half, then a half cosine to 0.
        slices: Random directions of SIGReg.
        warmup: Share of the steps over which the weight of the regulariser rises linearly from 0; the paper has none.
            States are found more easily under a small weight, and are linear under a large one.

    Raises:
        ConfigError: if an option is out of range.
    """

    regulariser: Literal["sigreg", "whitening"] = "sigreg"
    weight: float | None = None
    steps: int = 3000
    batch: int = 256
    views: int = 2
    hidden: tuple[int, ...] = (128, 128, 128, 128)
    lr: float = 3e-3
    slices: int = 32
    warmup: float = 0.8

    def __post_init__(self) -> None:
        if self.regulariser not in WEIGHTS:
            raise ConfigError(f"regulariser is one of {', '.join(WEIGHTS)}; got {self.regulariser!r}.")
        if self.weight is not None and not 0 < self.weight < 1:
            raise ConfigError(f"the weight of the regulariser is between 0 and 1; got {self.weight}.")
        if not 0 <= self.warmup <= 1:
            raise ConfigError(f"warmup is a share of the steps from 0 to 1; got {self.warmup}.")
        if min(self.steps, self.batch, self.slices, *self.hidden) < 1 or self.views < 2 or not self.lr > 0:
            raise ConfigError(
                "a training needs steps, batch, slices and hidden widths of at least 1, 2 views and lr above 0; got "
                f"{self.steps}, {self.batch}, {self.slices}, {self.hidden}, {self.views} and {self.lr}."
            )

    def objective(self) -> Objective:
        """Return the objective: regulariser and alignment of views with their mean, with their weights."""
        weight = WEIGHTS[self.regulariser] if self.weight is None else self.weight
        spread = SIGReg(self.slices, over="pooled") if self.regulariser == "sigreg" else Whitening()
        spread.warmup = self.warmup
        return weight * spread + (1 - weight) * Invariance(around="all")


class Whitening(Term):
    """Mean squared difference of the covariance of all views from ``I``.

    Args:
        name: Name in logs.
    """

    reads = (ViewEmbeddings,)
    prevents_collapse = True
    spread = "unit"

    def __init__(self, name: str = "whitening") -> None:
        super().__init__(name)

    def loss(self, views: ViewEmbeddings, _seed: int, /) -> Tensor:
        """Return a scalar, of the ``B V`` samples of views ``[B, V, D]``."""
        samples = views.latents.flatten(0, 1)
        centred = samples - samples.mean(dim=0)
        covariance = centred.T @ centred / len(samples)
        return (covariance - torch.eye(len(covariance))).square().mean()


@dataclass(frozen=True, eq=False)
class WorldResult:
    """Result of :func:`identify_world`.

    Attributes:
        world: The world.
        training: The options of the training.
        seed: The seed of the training.
        scores: The scores of the trained encoder.
        states: ``[rows, n]`` states of the scores.
        latents: ``[rows, n]``, their latents.
    """

    world: SyntheticWorld
    training: WorldTraining
    seed: int
    scores: WorldScores
    states: Floats
    latents: Floats

    def __str__(self) -> str:
        one, limit = self.scores, self.scores.bound
        return (
            f"linear R2: states from latents {one.r2_states:.4f}, latents from states {one.r2_latents:.4f}\n"
            f"orthogonality {one.orthogonality:.4f} (0 is a rotation)\n"
            f"E|h - Qz|^2 {limit.error:.4f}, bound {limit.limit:.4f} (D {limit.nonlinear:.4f}, "
            f"epsilon {limit.epsilon:.4f})"
        )


def train_encoder(
    world: SyntheticWorld, training: WorldTraining | None = None, seed: int = 0, *, progress: bool | None = None
) -> MLP:
    """Train an MLP from observations to latents ``[N, n]`` on views of fresh states.

    Args:
        world: The world.
        training: The options; None: the default ones.
        seed: Seed of weights, states and directions.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        TrainingError: if the loss stops being finite.
    """
    chosen = WorldTraining() if training is None else training
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, 0))
        encoder = MLP(world.size, chosen.hidden, world.size)
    rng, objective = np.random.default_rng(derive_seed(seed, 1)), chosen.objective()
    parameters = list(encoder.parameters())
    optimizer = adamw(parameters, chosen.lr, WEIGHT_DECAY)
    for step in track(range(chosen.steps), chosen.steps, "updates", show=progress):
        states = world.views(chosen.batch, chosen.views, rng)
        observations = world.map.mix(states.reshape(-1, world.size)).reshape(states.shape)
        latents = encoder(torch.from_numpy(np.asarray(observations, np.float32)))
        done = (step + 1) / chosen.steps
        loss = objective(ViewEmbeddings(latents, chosen.views), derive_seed(seed, 2, step), done).total
        late = max(2 * step / chosen.steps - 1, 0.0)
        lr = chosen.lr * (1 + math.cos(math.pi * late)) / 2
        _, stepped = optimizer_step(optimizer, parameters, loss, lr, WEIGHT_DECAY, None)
        if not stepped:
            raise TrainingError(
                f"the loss or its gradient is not finite at step {step}. Take a smaller lr than {chosen.lr}, or a "
                f"larger alpha than {world.alpha}: a law with heavy tails has extreme observations."
            )
    return encoder


def encode_states(encoder: MLP, world: SyntheticWorld, states: Floats) -> Floats:
    """Encode the observations of states ``[N, n]`` as latents ``[N, n]``."""
    observations = torch.from_numpy(np.asarray(world.map.mix(states), np.float32))
    with torch.inference_mode():
        found: Floats = encoder(observations).numpy()
    return found


def identify_world(
    world: SyntheticWorld,
    training: WorldTraining | None = None,
    seed: int = 0,
    *,
    rows: int = 10_000,
    progress: bool | None = None,
) -> WorldResult:
    """Train an encoder in a synthetic world and compare its latents with the states.

    Args:
        world: The world.
        training: The options; None: the default ones.
        seed: Seed of the training.
        rows: States of the scores; they depend on the world and on this number alone, not on the seed.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if there are too few rows.
        DataError: if the latents do not vary.
        TrainingError: if the loss stops being finite.
    """
    chosen = WorldTraining() if training is None else training
    states, after = world.pairs(rows, np.random.default_rng(derive_seed(world.seed, rows)))
    encoder = train_encoder(world, chosen, seed, progress=progress)
    latents, next_latents = (encode_states(encoder, world, one) for one in (states, after))
    return WorldResult(world, chosen, seed, score_world(states, latents, next_latents, world.rho), states, latents)
