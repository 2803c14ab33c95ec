"""Monitor of the latents for collapse during training."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from tacit.diagnostics import LatentStatistics, latent_statistics
from tacit.errors import see
from tacit.nn.collectives import world_size
from tacit.objectives import Spread
from tacit.objectives.sigreg import collapsed, directions, epps_pulley, floor

__all__ = ["CollapseWarning", "Health", "Monitor", "measure"]

SLICES = 64
# Latents of a world with few degrees of freedom may fill few directions, but a line is a collapse.
RANK = 1.1
DEAD = 1e-2
STILL = 0.1
REGULARISE = (
    "Give the regulariser a larger weight (SIGReg, VICReg), make the batch larger, or add inverse dynamics if what "
    "moves is lost."
)
FOLLOW = (
    "No regulariser keeps these latents apart, only the copy of the encoder that gives the targets: let it follow more "
    "slowly (ema nearer to 1), take a smaller learning rate or a longer warm-up, hide less of what is seen, or add the "
    "objective visible_prediction with a weight of 0.5."
)
SLOW = "Take a smaller learning rate or a longer warm-up, and look at the input: is there anything to tell apart?"

LASTING, SHARE = 200, 5
"""Complaints count as a collapse once they last for ``LASTING`` steps and a ``1 / SHARE`` of the run.

Chosen from small runs of one seed, ``OMP_NUM_THREADS=1 uv run benchmarks/collapse.py``: no healthy run of 10 recipes
had complaints after its warm-up and step 100, and collapsed runs had them from step 100 to 130 on without a break.
Not measured: ``vjepa``, ``mc_jepa``, and full-size runs. A frozen encoder, as in ``vjepa2_ac``, is not judged.
"""


class CollapseWarning(UserWarning):
    """The latents of a model in training hold little or no information about its observations."""


@dataclass(frozen=True)
class Health(LatentStatistics):
    """The statistics of the latents of one batch, with a normality score.

    Attributes:
        sigreg: The Epps-Pulley statistic of the pooled latents divided by that of Gaussian ones: 1 is
            Gaussian, ``0.382 N`` collapsed, for N latents.
        samples: N, over all processes.
    """

    sigreg: float
    samples: int

    def complaint(self, expected_spread: Spread) -> str:
        """Return a description of the problem; empty if there is none.

        Args:
            expected_spread: The required spread of the latents.
        """
        if not self.std > 0 or self.effective_rank < RANK:
            return f"the latents lie on a line (effective rank {self.effective_rank:.2f})"
        if self.std < DEAD * self.size:
            return f"the latents vary by {self.std / self.size:.2%} of their size"
        if self.min_std < DEAD * self.std:
            return f"a channel has standard deviation {self.min_std:.2g}, the others about {self.std:.2g}"
        if expected_spread and self.std < STILL:
            return f"the latents have standard deviation {self.std:.2g} where 1 is healthy"
        point = collapsed(self.samples) / floor(self.samples)
        # Over-dispersed latents score badly too but are not collapsed: only parts of them may have to be Gaussian.
        if expected_spread == "gaussian" and self.std < 1 and self.sigreg > point / 2:
            return f"the latents score {self.sigreg:.0f} times the SIGReg floor; a single point scores {point:.0f}"
        return ""


class Monitor:
    """A monitor that logs the health of latents and warns of lasting problems with :class:`CollapseWarning`.

    The latents of a healthy run may have complaints for some hundred steps at the start. So a warning waits until the
    complaints have lasted without a break for ``max(200, steps / 5)`` steps, or for the last two measurements.

    Args:
        expected_spread: The required spread of the latents: ``unit`` variance, ``gaussian``, or unknown.
        patience: Steps at the start without judgement.
        steps: Steps of the run.
        advice: The advice on a collapse: ``REGULARISE``, ``FOLLOW`` or ``SLOW``.
    """

    def __init__(self, expected_spread: Spread, patience: int, steps: int, advice: str = REGULARISE) -> None:
        self._expected, self._patience = expected_spread, patience
        self._steps, self._advice = steps, advice
        self._since: int | None = None
        self._warned = False

    def check(self, step: int, latents: Tensor) -> dict[str, float | str]:
        """Return entries for the log line of ``step``: the health of latents ``[B, T, D]``.

        ``warning`` describes the problem, ``recovered`` holds the number of steps that it lasted.
        """
        health = measure(latents)
        entries: dict[str, float | str] = {
            "effective_rank": health.effective_rank,
            "min_std": health.min_std,
            "motion": health.motion,
            "sigreg_floor_ratio": health.sigreg,
        }
        complaint = health.complaint(self._expected) if step >= self._patience else ""
        if complaint:
            entries["warning"] = complaint
            self._judge(step, complaint)
        elif self._since is not None:
            entries["recovered"] = f"the latents are healthy again, after {step - self._since} steps"
            self._since, self._warned = None, False
        return entries

    def _judge(self, step: int, complaint: str) -> None:
        """Warn once of a lasting complaint."""
        first = self._since is None
        self._since = step if self._since is None else self._since
        lasted = step - self._since >= max(LASTING, self._steps // SHARE)
        ended = step + 1 >= self._steps and not first
        if (lasted or ended) and not self._warned:
            self._warned = True
            warnings.warn(
                f"the representation has collapsed since step {self._since}, seen at step {step}: {complaint}. "
                f"{self._advice}{see('T07')}",
                CollapseWarning,
                stacklevel=5,
            )


@torch.no_grad()
def measure(latents: Tensor) -> Health:
    """Compute the health of latents ``[B, T, D]``."""
    latents = latents.detach().float()
    pooled = latents.flatten(0, 1)
    samples = len(pooled) * world_size()
    statistic = epps_pulley(pooled, directions(pooled.shape[-1], SLICES, seed=0).to(pooled))
    return Health(**vars(latent_statistics(latents)), sigreg=statistic.item() / floor(samples), samples=samples)
