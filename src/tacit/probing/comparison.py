"""Comparison of feature sources by one probe and target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from tacit._html import html_table
from tacit.errors import ConfigError
from tacit.probing.feature_sources import FeaturePair
from tacit.probing.few_labels import FewLabels, fit_few_labels
from tacit.probing.probes._probe import Probe
from tacit.probing.probes._results import ProbeResult
from tacit.probing.probes.constant import Constant
from tacit.probing.probes.dense import Dense
from tacit.probing.probes.linear import Linear
from tacit.statistics.intervals import Estimate

__all__ = ["Comparison", "compare", "constant_baseline"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Results of one probe on one target, for several feature sources.

    Attributes:
        target: The name of the target.
        results: The result of each source, and of the ``constant`` baseline.
        few_labels: Results with a few labels of each class by source, where they were asked for.
    """

    target: str
    results: Mapping[str, ProbeResult]
    few_labels: Mapping[str, tuple[FewLabels, ...]] = field(default_factory=dict)

    def __getitem__(self, source: str) -> ProbeResult:
        """Return the result of a source."""
        return self.results[source]

    def __str__(self) -> str:
        lines = [f"{self.target:<12} {name:<10} {one.probe:<9} {one}" for name, one in self.results.items()]
        few = [(name, one) for name, found in self.few_labels.items() for one in found]
        return "\n".join([*lines, *(f"{self.target:<12} {name:<10} {one}" for name, one in few)])

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        rows = [(name, one.probe, *_cells(one.estimate)) for name, one in self.results.items()]
        for name, found in self.few_labels.items():
            rows += [(name, f"{few.shots} labels", *_cells(few.accuracy)) for few in found]
        return html_table(f"{self.target}, held-out", ("features", "probe", "score", "95 % interval"), rows)


def _cells(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.mean:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}" if estimate.n > 1 else "none"


def compare(
    sources: Mapping[str, FeaturePair],
    target: str,
    probe: Probe | None = None,
    *,
    shots: Sequence[int] = (),
    draws: int = 5,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: bool | None = None,
) -> Comparison:
    """Fit a probe on each feature source and score it on held-out features.

    ::

        sources = tc.probing.feature_sources(model, fit_on=train, test_on=held_out)
        print(tc.probing.compare(sources, "position"))

    The ``constant`` baseline, a prediction that ignores the features, is added.

    Args:
        sources: Features to fit on and held-out features by name, of the same rows.
        target: The name of a target.
        probe: The probe; None: a linear one.
        shots: Numbers of labels of each class; the probe is also fitted on so few, several times.
        draws: Number of draws of these labels.
        seed: Seed of the probe and the draws.
        device: Device of the computation.
        progress: Show a progress bar where heads are trained; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if there is no such target.
        ConstantTarget: if the target does not vary.
        DataError: if an episode is in both parts, or a class has fewer labels than ``shots``.
    """
    if not sources:
        raise ConfigError("compare needs at least one feature source, for example feature_sources(model, ...).")
    probe = Linear() if probe is None else probe
    few = {
        name: fit_few_labels(probe, pair, target, shots=shots, draws=draws, seed=seed, device=device, progress=progress)
        for name, pair in (sources.items() if shots else ())
    }
    results = {
        name: probe(*pair, target, seed=seed, device=device, progress=progress) for name, pair in sources.items()
    }
    results["constant"] = constant_baseline(probe)(*next(iter(sources.values())), target, seed=seed)
    return Comparison(target, results, few)


def constant_baseline(probe: Probe) -> Probe:
    """Return the constant-prediction baseline of a probe, for each token where the probe predicts tokens."""
    return replace(probe, reader=Constant()) if isinstance(probe, Dense) else Constant()
