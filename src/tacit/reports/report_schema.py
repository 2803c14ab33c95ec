"""Schema and check of ``report.json``: results of an evaluation, their sources and settings.

The schema is documented in ``docs/concepts/evaluation.md``. Every share of successes is a mapping of ``rate``,
``low``, ``high`` and ``n``; every mean with an interval one of ``mean``, ``low``, ``high`` and ``n``. No number is
NaN or infinite, and no string is a path of the machine that wrote it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tacit._registry import suggest
from tacit.checkpoint import provenance
from tacit.errors import DataError
from tacit.evaluation.closed_loop import ClosedLoop
from tacit.evaluation.episode_scores import EpisodeScores
from tacit.evaluation.open_loop import OpenLoop
from tacit.probing.comparison import Comparison
from tacit.probing.probe import ProbeReport
from tacit.probing.probes import ProbeResult
from tacit.statistics.intervals import paired

__all__ = [
    "SCHEMA",
    "episodes_record",
    "new_record",
    "open_loop_record",
    "plain",
    "planning_record",
    "probe_record",
    "validate",
]

SCHEMA = "tacit-report-1"
REQUIRED: dict[str, type | tuple[type, ...]] = {
    "schema": str,
    "kind": str,
    "seeds": Mapping,
    "config": Mapping,
    "git": (str, type(None)),
    "modified": bool,
    "versions": Mapping,
    "dataset": (Mapping, type(None)),
}
OPTIONAL: dict[str, type | tuple[type, ...]] = {
    "planning": Mapping,
    "probe": Mapping,
    "effective_rank": (int, float),
    "health": Mapping,
    "open_loop": Mapping,
    "episode_scores": Mapping,
    "energy_rank_correlation": Mapping,
    "hierarchy": Mapping,
    "stress": Mapping,
    "identification": Mapping,
    "offline": Mapping,
    "seconds": Mapping,
}
INTERVALS = {"rate", "mean"}
PATH = re.compile(r"(/|~/|[A-Za-z]:[\\/]|\\\\|file:)\S")


def new_record(
    kind: str,
    *,
    seeds: Mapping[str, int | Sequence[int]],
    config: Any,
    dataset_hash: str | None = None,
    **sections: Any,
) -> dict[str, Any]:
    """Return the content of a ``report.json``: the origin of the numbers, and the given sections.

    Args:
        kind: Kind of evaluation, for example ``demo`` or ``eval``.
        seeds: Every seed by its use, for example ``{"train": 0, "tasks": 1}``.
        config: The resolved settings: dataclasses, mappings and plain values.
        dataset_hash: ``episodes.hash()`` of the data, if there is any.
        sections: ``planning``, ``probe``, ``effective_rank``, ``health``, ``open_loop``,
            ``episode_scores``, ``energy_rank_correlation``, ``hierarchy``, ``stress``, ``identification``,
            ``offline`` and ``seconds``.

    Raises:
        DataError: if the result breaks the schema.
    """
    record = {
        "schema": SCHEMA,
        "kind": kind,
        **provenance(),
        "seeds": plain(seeds),
        "config": plain(config),
        "dataset": None if dataset_hash is None else {"hash": dataset_hash},
        **{name: plain(section) for name, section in sections.items()},
    }
    validate(record)
    return record


def planning_record(runs: Mapping[str, ClosedLoop]) -> dict[str, Any]:
    """Return the section ``planning`` of actors on the same tasks; ``success`` is the name of the agent.

    Each name becomes a rate by the rules. ``details`` has for each actor both definitions of success, latency and the
    result of every task, and ``against`` the difference of ``success`` from each other actor, paired by task.

    Raises:
        DataError: if there is no ``success`` or the actors have different tasks.
    """
    if "success" not in runs:
        raise DataError(f"planning needs the run called 'success' next to its baselines; got {', '.join(runs)}.")
    agent = runs["success"]
    for name, run in runs.items():
        if run.seed != agent.seed or not np.array_equal(run.distances[:, 0], agent.distances[:, 0]):
            raise DataError(f"{name!r} has other tasks than 'success'; give closed_loop the same episodes and seed.")
    return {
        **{name: plain(run.success) for name, run in runs.items()},
        "rules": plain(agent.rules),
        "seed": agent.seed,
        "replaced": agent.replaced,
        "against": {name: plain(paired(agent.solved, run.solved)) for name, run in runs.items() if run is not agent},
        "details": {name: _details(run) for name, run in runs.items()},
    }


def episodes_record(scores: Mapping[str, EpisodeScores]) -> dict[str, Any]:
    """Return the section ``episode_scores``: return, success and mean length by actor."""
    return {
        name: plain({"return": one.mean_return, "success": one.success, "mean_length": float(one.lengths.mean())})
        for name, one in scores.items()
    }


def probe_record(report: ProbeReport | Comparison | ProbeResult) -> dict[str, Any]:
    """Return one entry of the section ``probe``, without the predictions of single rows.

    A comparison has an entry for each source, and ``few_labels`` if they were measured. A report has its numbers, and
    the comparison as ``compared``.
    """
    if isinstance(report, ProbeResult):
        rows = ("target", "actual", "predicted")
        return {key: plain(value) for key, value in vars(report).items() if key not in rows}
    if isinstance(report, Comparison):
        found = {name: probe_record(result) for name, result in report.results.items()}
        return {**found, "few_labels": plain(report.few_labels)} if report.few_labels else found
    linear, health = report.linear, report.health
    numbers = {
        "r2": linear.r2,
        "r2_components": linear.r2_components,
        "pearson": linear.pearson,
        "pearson_components": linear.pearson_components,
        "mlp_r2": report.mlp_r2,
        "mlp_pearson": report.mlp_pearson,
        "effective_rank": health.effective_rank,
        "latent_size": health.latent_size,
        "min_std": health.min_std,
        "straightness": health.straightness,
        "alpha": linear.settings["l2"],
        "frames_fit": linear.rows_fit,
        "frames_test": linear.rows_test,
        "seed": linear.seed,
        **{f"{name}_r2": value for name, value in report.baselines.items()},
    }
    return {**plain(numbers), "compared": probe_record(report.comparison)}


def open_loop_record(result: OpenLoop) -> dict[str, Any]:
    """Return the section ``open_loop``: a list over the horizon for the model and each reference."""
    return {"horizon": result.horizon, **plain(result)}


def plain(value: Any) -> Any:
    """Convert any result to JSON values. NaN becomes null, an absolute path its last part, rows of numbers lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(vars(value)[field.name]) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path) or (isinstance(value, str) and PATH.match(value)):
        return Path(value).name
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise DataError(f"a report has numbers, strings, sequences and mappings; got {type(value).__name__}.")


def validate(record: Any) -> None:
    """Check the content of a ``report.json``.

    Raises:
        DataError: naming the entry that breaks the schema.
    """
    if not isinstance(record, Mapping):
        raise DataError(f"a report is a mapping; got {type(record).__name__}.")
    known = {**REQUIRED, **OPTIONAL}
    for name in record:
        if name not in known:
            raise DataError(f"a report has no entry {name!r}.{suggest(name, known)}")
    for name, kinds in known.items():
        if name in REQUIRED and name not in record:
            raise DataError(f"a report needs the entry {name!r}.")
        if name in record and not isinstance(record[name], kinds):
            raise DataError(f"entry {name!r} of a report has the wrong type, {type(record[name]).__name__}.")
    if record["schema"] != SCHEMA:
        raise DataError(f"this version reads reports of schema {SCHEMA!r}; got {record['schema']!r}.")
    if "planning" in record and "rate" not in record["planning"].get("success", {}):
        raise DataError("the entry 'planning' of a report needs the rate 'success'.")
    for name, entry in record.items():
        _check(entry, name, results=name in OPTIONAL)


def _details(run: ClosedLoop) -> dict[str, Any]:
    inside = run.distances[:, 1:] <= run.rules.radius
    return {
        "success_last": plain(run.success_last),
        "success_any": plain(run.success_any),
        "latency_p50": run.latency_p50,
        "latency_p99": run.latency_p99,
        "decision_p50": run.decision_p50,
        "decision_p99": run.decision_p99,
        "batch": run.batch,
        "not_ok": run.not_ok,
        "privileged": run.privileged,
        "tasks": [
            {
                "solved": bool(solved),
                "start": round(float(distance[0]), 4),
                "closest": round(float(distance.min()), 4),
                "final": round(float(distance[-1]), 4),
                "first_inside": int(within.argmax()) + 1 if within.any() else None,
            }
            for solved, distance, within in zip(run.solved, run.distances, inside, strict=True)
        ],
    }


def _check(value: Any, where: str, results: bool) -> None:
    if isinstance(value, Mapping):
        for measure in INTERVALS & value.keys() if results else ():
            _check_interval(value, measure, where)
        for key, item in value.items():
            if not isinstance(key, str):
                raise DataError(f"{where} has the key {key!r}; the keys of a report are strings.")
            _check(item, f"{where}.{key}", results)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]", results)
    elif isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{where} is {value}; a missing number is null.")
    elif isinstance(value, str) and PATH.match(value):
        raise DataError(f"{where} is this machine's path {value!r}; make it relative to the report, or leave it out.")
    elif not (value is None or isinstance(value, (bool, int, float, str))):
        raise DataError(f"{where} is a {type(value).__name__}, which JSON does not have.")


def _check_interval(value: Mapping[str, Any], measure: str, where: str) -> None:
    if set(value) != {measure, "low", "high", "n"}:
        raise DataError(f"{where} needs exactly {measure}, low, high and n; got {', '.join(map(str, value))}.")
    low, middle, high, n = value["low"], value[measure], value["high"], value["n"]
    if not all(isinstance(number, (int, float)) and math.isfinite(number) for number in (low, middle, high)):
        raise DataError(f"{where} needs finite numbers; got {dict(value)}.")
    slack = 1e-9 * max(1.0, abs(middle))
    if not low - slack <= middle <= high + slack or (measure == "rate" and not (low >= 0 and high <= 1)):
        raise DataError(f"{where} is out of order: low {low}, {measure} {middle}, high {high}.")
    if not isinstance(n, int) or n < 1:
        raise DataError(f"{where}.n must be the number of independent attempts, at least one; got {n!r}.")
