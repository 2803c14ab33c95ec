"""Probes: what a small readout finds in frozen latents, and whether the latents collapsed.

Skill and collapse belong together: a readout of a collapsed encoder can still look good on one quantity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tacit._registry import suggest
from tacit.errors import ConfigError, DataError
from tacit.evaluation._latents import clip_latents, drawn
from tacit.training import effective_rank

if TYPE_CHECKING:
    from tacit.data import Episodes
    from tacit.models import WorldModel

__all__ = ["ProbeReport", "probe", "straightness"]

Floats = npt.NDArray[np.float64]
ALPHAS = np.logspace(-8, 2, 21)


@dataclass(frozen=True)
class ProbeReport:
    """How well a physical quantity can be read from frozen latents of held-out episodes.

    Attributes:
        target: The label that was read.
        r2: Share of the target's variance that the linear probe explains, all components pooled.
        r2_components: The same for each component; NaN where a component does not vary.
        pearson: Mean correlation of prediction and truth over the components that vary.
        pearson_components: Each of them.
        mlp_r2: As ``r2``, of a two-layer MLP: what is there, but not laid out linearly.
        mlp_pearson: As ``pearson``, of the MLP.
        effective_rank: Of the held-out latents; see :func:`tacit.training.effective_rank`.
        latent_size: ``D``, the most that the effective rank can be.
        min_std: Standard deviation of the latent component that varies least.
        straightness: Of held-out latents; see :func:`straightness`.
        alpha: Ridge penalty in use, chosen on fit episodes that were set aside.
        frames_fit: Frames that the probes were fitted on.
        frames_test: Held-out frames that they were scored on.
        seed: Of the frames and of the MLP.
        actual: ``[N, P]`` true values of the held-out frames.
        predicted: ``[N, P]`` what the linear probe reads.
    """

    target: str
    r2: float
    r2_components: tuple[float, ...]
    pearson: float
    pearson_components: tuple[float, ...]
    mlp_r2: float
    mlp_pearson: float
    effective_rank: float
    latent_size: int
    min_std: float
    straightness: float
    alpha: float
    frames_fit: int
    frames_test: int
    seed: int
    actual: Floats = field(repr=False)
    predicted: Floats = field(repr=False)


def probe(
    model: WorldModel,
    *,
    fit_on: Episodes,
    test_on: Episodes,
    target: str = "position",
    frames: int = 8192,
    seed: int = 0,
) -> ProbeReport:
    """Read the label ``target`` from frozen latents with a linear and an MLP probe.

    Both are fitted on frames of ``fit_on``, a fifth of whose episodes choose the ridge penalty and stop the
    MLP, and scored on frames of ``test_on``.

    Args:
        model: The world model; its weights do not change.
        fit_on: Episodes to fit the probes on, best those that the model was trained on.
        test_on: Held-out episodes.
        target: The name of a label.
        frames: The most frames to encode of each of the two.
        seed: Of the drawn frames and of the MLP.

    Raises:
        ConfigError: if there is no such label.
        DataError: if an episode is in both, ``fit_on`` has fewer than two, or the label does not vary.
    """
    _check(fit_on, test_on, target)
    x, y, episode = _readings(model, fit_on, target, frames, seed)
    x_test, actual, _ = _readings(model, test_on, target, frames, seed)
    if not (y.std(axis=0) > 0).any() or not (actual.std(axis=0) > 0).any():
        raise DataError(f"the label {target!r} does not vary over the drawn frames, so nothing can be learnt about it.")
    chosen = np.unique(episode)
    aside = np.isin(episode, np.random.default_rng(seed).permutation(chosen)[: max(1, len(chosen) // 5)])
    shift, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-8)
    x, x_test = (x - shift) / scale, (x_test - shift) / scale
    predicted, alpha = _ridge(x, y, aside, x_test)
    by_mlp = _mlp(x, y, aside, x_test, seed)
    spread = (x_test * scale).std(axis=0)
    steps = next(drawn(test_on.clips(3, model.config.frameskip, model.config.seen), 256, seed))
    r2, pearson = _scores(actual, predicted)
    return ProbeReport(
        target=target,
        r2=_pooled(actual, predicted),
        r2_components=r2,
        pearson=float(np.nanmean(pearson)),
        pearson_components=pearson,
        mlp_r2=_pooled(actual, by_mlp),
        mlp_pearson=float(np.nanmean(_scores(actual, by_mlp)[1])),
        effective_rank=effective_rank(torch.from_numpy(x_test * scale)),
        latent_size=x.shape[1],
        min_std=float(spread.min()),
        straightness=straightness(clip_latents(model, steps)),
        alpha=alpha,
        frames_fit=len(x),
        frames_test=len(x_test),
        seed=seed,
        actual=actual,
        predicted=predicted,
    )


def straightness(latents: Tensor) -> float:
    """Mean cosine of successive velocities of latents ``[B, T, D]``, ``T >= 3`` (LeWorldModel, eq. 9): 1 is a line."""
    velocity = latents[:, 1:] - latents[:, :-1]
    return float(torch.cosine_similarity(velocity[:, 1:], velocity[:, :-1], dim=-1).mean())


def _check(fit_on: Episodes, test_on: Episodes, target: str) -> None:
    for name, episodes in (("fit_on", fit_on), ("test_on", test_on)):
        if target not in episodes.labels:
            there = f"It has: {', '.join(episodes.labels)}." if episodes.labels else "It has none."
            raise ConfigError(f"{name} has no label {target!r}.{suggest(target, episodes.labels)} {there}")
    if len(fit_on) < 2:
        raise DataError(f"a probe needs two episodes to fit on, one to set aside; got {len(fit_on)}.")
    fitted = {fit_on.select([index]).hash() for index in range(len(fit_on))}
    shared = [index for index in range(len(test_on)) if test_on.select([index]).hash() in fitted]
    if shared:
        raise DataError(
            f"{len(shared)} of {len(test_on)} test episodes are also fitted on (the first is number {shared[0]} of "
            "test_on), so the score would not be of held-out data. Split by episode: episodes.split(0.9, seed=0)."
        )


def _readings(
    model: WorldModel, episodes: Episodes, target: str, frames: int, seed: int
) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Latents ``[N, D]``, labels ``[N, P]`` and the episode of each of some frames drawn from ``episodes``."""
    latents, places = [], []
    for clip in drawn(episodes.clips(1, model.config.frameskip, model.config.seen), frames, seed):
        latents.append(clip_latents(model, clip)[:, 0])
        places.append(torch.stack([clip.episode, clip.start], dim=1))
    x, place = torch.cat(latents).double().numpy(), torch.cat(places).numpy()
    # Labels cannot be read alone; the lightest modality comes with them.
    sizes = {name: np.prod(modality.shape) for name, modality in episodes.spec.modalities.items()}
    light = min(sizes, key=lambda name: sizes[name])
    labels = {int(index): episodes.read(int(index), (light,)).labels[target] for index in np.unique(place[:, 0])}
    y = np.stack([np.asarray(labels[index][start], np.float64).ravel() for index, start in place])
    return x, y, place[:, 0]


def _ridge(x: Floats, y: Floats, aside: npt.NDArray[np.bool_], x_test: Floats) -> tuple[Floats, float]:
    """Held-out predictions of a ridge regression; its penalty is chosen on the rows set aside."""
    errors = [((predict(x[aside]) - y[aside]) ** 2).sum() for predict in _solved(x[~aside], y[~aside], ALPHAS)]
    alpha = float(ALPHAS[int(np.argmin(errors))])
    return _solved(x, y, np.array([alpha]))[0](x_test), alpha


def _solved(x: Floats, y: Floats, alphas: Floats) -> list[_Linear]:
    """Ridge solutions for each penalty (relative to the number of rows) from one eigendecomposition."""
    middle, offset = x.mean(axis=0), y.mean(axis=0)
    values, vectors = np.linalg.eigh((x - middle).T @ (x - middle) / len(x))
    rotated = vectors.T @ ((x - middle).T @ (y - offset)) / len(x)
    return [_Linear(vectors @ (rotated / (np.maximum(values, 0) + a)[:, None]), middle, offset) for a in alphas]


@dataclass(frozen=True)
class _Linear:
    weight: Floats
    middle: Floats
    offset: Floats

    def __call__(self, x: Floats) -> Floats:
        return (x - self.middle) @ self.weight + self.offset


def _mlp(x: Floats, y: Floats, aside: npt.NDArray[np.bool_], x_test: Floats, seed: int) -> Floats:
    """Held-out predictions of an MLP, stopped where the rows set aside are read best."""
    shift, scale = y[~aside].mean(axis=0), np.maximum(y[~aside].std(axis=0), 1e-8)
    inputs, goals = (torch.from_numpy(v).float() for v in (x, (y - shift) / scale))
    fit, check = torch.from_numpy(np.flatnonzero(~aside)), torch.from_numpy(np.flatnonzero(aside))
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Linear(x.shape[1], 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, y.shape[1])
        )
    steps = 600
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, answer = float("inf"), torch.zeros(len(x_test), y.shape[1])
    for step in range(1, steps + 1):
        rows = fit[torch.randint(len(fit), (256,), generator=generator)]
        loss = nn.functional.mse_loss(net(inputs[rows]), goals[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            with torch.no_grad():
                error = float(nn.functional.mse_loss(net(inputs[check]), goals[check]))
                if error < best:
                    best, answer = error, net(torch.from_numpy(x_test).float())
    return np.asarray(answer.double().numpy() * scale + shift)


def _pooled(actual: Floats, predicted: Floats) -> float:
    return float(1 - ((actual - predicted) ** 2).sum() / ((actual - actual.mean(axis=0)) ** 2).sum())


def _scores(actual: Floats, predicted: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """R2 and Pearson r of each component; NaN where the truth does not vary."""
    r2, pearson = [], []
    for truth, guess in zip(actual.T, predicted.T, strict=True):
        a, b = truth - truth.mean(), guess - guess.mean()
        varies = truth.std() > 0
        r2.append(float(1 - ((truth - guess) ** 2).sum() / (a @ a)) if varies else float("nan"))
        scale = np.sqrt((a @ a) * (b @ b))
        pearson.append(float("nan") if not varies else float(a @ b / scale) if scale > 0 else 0.0)
    return tuple(r2), tuple(pearson)
