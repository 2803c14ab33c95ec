"""Calibration of a guard from episodes without faults."""

from __future__ import annotations

from collections.abc import Sequence

from tacit._conformal import Guarantee
from tacit.errors import ConfigError, SpecError
from tacit.guard._calibration import Calibration, rank_of, threshold_of
from tacit.guard._guard import Guard
from tacit.guard._recording import Recording, ScoreSeries, record, score_series
from tacit.guard._standardization import standardization_of
from tacit.guard.nearest_neighbors import NearestNeighbors
from tacit.guard.prediction_energy import PredictionEnergy
from tacit.types import Episode, GuardScore, WorldModel

__all__ = ["calibrate", "default_scores", "fit"]

CONSTANTS = 0.25
"""The share of the episodes from which the scores take their constants, where no training episodes are given."""


def default_scores(model: WorldModel, training: Recording) -> tuple[GuardScore, ...]:
    """Return prediction energies of one and four blocks and the distance to recorded latents.

    Args:
        model: The model of the agent.
        training: A recording of training episodes, for the constants.
    """
    return (
        PredictionEnergy(1),
        PredictionEnergy(4),
        NearestNeighbors.fit(training.known, model.latent_parts),
    )


def fit(
    scores: Sequence[GuardScore],
    evidence: ScoreSeries,
    *,
    false_alarm_rate: float = 0.01,
    slow_rate: float = 0.05,
    guarantee: Guarantee = "mean",
    confidence: float = 0.95,
    standardizing: float = 0.25,
) -> Guard:
    """Calibrate a guard from scores along episodes without faults.

    The exchangeable unit is the episode: steps of one depend on each other. A first part of the episodes standardises
    the scores; the threshold is a conformal quantile of the largest standardised score in the others (functional
    conformal prediction, arXiv 2503.08558). All scores and their cumulative sums share one threshold, so the rate is
    that of a false alarm by any of them.

    The rate holds for episodes like these. Record them with the agent that the guard is for, in the order in which they
    came or a random one.

    Args:
        scores: The scores. Fit their constants on training episodes, not on these.
        evidence: The scores along the episodes; see :func:`score_series`.
        false_alarm_rate: The largest rate of episodes without a fault in which the agent stops.
        slow_rate: The largest rate of those in which it slows down or stops.
        guarantee: ``mean``: the rates hold on average over calibrations; ``pac``: with the confidence.
        confidence: The confidence of ``pac``.
        standardizing: The share of the episodes, the first ones, that standardise the scores.

    Raises:
        ConfigError: if there are too few episodes for a rate, or an option is out of range.
        SpecError: if the evidence is of other scores.
    """
    if not (0 < false_alarm_rate <= slow_rate < 1 and 0 < standardizing < 1):
        raise ConfigError(
            "fit needs 0 < false_alarm_rate <= slow_rate < 1 and 0 < standardizing < 1; got "
            f"{false_alarm_rate}, {slow_rate} and {standardizing}."
        )
    known = [score.name for score in scores if score.limits is None]
    named = [next((one for one in known if f"{name} of ".startswith(f"{one} of ")), None) for name in evidence.names]
    if list(dict.fromkeys(named)) != known:
        raise SpecError(f"the evidence is of {', '.join(evidence.names)}; the scores are {', '.join(known)}.")
    first, rates = max(round(standardizing * len(evidence)), 1), (slow_rate, false_alarm_rate)
    rest = evidence.values[first:]
    for rate in rates:
        rank_of(len(rest), rate, guarantee, confidence, 1 - standardizing)
    standard = standardization_of(evidence.names, evidence.values[:first], false_alarm_rate)
    largest = standard.joint(rest)
    slow, stop = (threshold_of(largest, rate, guarantee, confidence) for rate in rates)
    return Guard(tuple(scores), Calibration(evidence.names, standard, slow, stop))


def calibrate(
    model: WorldModel,
    episodes: Sequence[Episode],
    *,
    scores: Sequence[GuardScore] | None = None,
    training: Sequence[Episode] | None = None,
    false_alarm_rate: float = 0.01,
    slow_rate: float = 0.05,
    guarantee: Guarantee = "mean",
    confidence: float = 0.95,
) -> Guard:
    """Calibrate a guard from recorded episodes without faults.

    The rates hold for episodes like the recorded ones. An agent visits other states than a random policy: record it
    with :func:`tacit.collect`, or its latents alone with :func:`tacit.embeddings.record_latents` for :func:`fit`.

    Args:
        model: The model of the agent.
        episodes: Held-out episodes, in the order in which they came or a random one.
        scores: The scores, fitted on training episodes; None: :func:`default_scores`.
        training: Episodes for the constants of the default scores; None: the first quarter of ``episodes``, which then
            calibrate nothing.
        false_alarm_rate: See :func:`fit`.
        slow_rate: See :func:`fit`.
        guarantee: See :func:`fit`.
        confidence: See :func:`fit`.

    Raises:
        ConfigError: if there are too few episodes for a rate, or an option is out of range.
        DataError: if an episode is shorter than one block.
    """
    recorded = record(model, episodes)
    if scores is None:
        first = round(CONSTANTS * len(recorded)) if training is None else 0
        constants = recorded.select(slice(0, first)) if training is None else record(model, training)
        scores, recorded = default_scores(model, constants), recorded.select(slice(first, None))
    return fit(
        scores,
        score_series(scores, model, recorded),
        false_alarm_rate=false_alarm_rate,
        slow_rate=slow_rate,
        guarantee=guarantee,
        confidence=confidence,
    )
