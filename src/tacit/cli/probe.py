"""Probe a trained model on held-out episodes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from tacit.probing import Features
    from tacit.probing.probes import Probe, Reading

__all__ = ["probe"]


def probe(
    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|EMBEDDING")],
    /,
    *,
    target: tuple[str, ...] = (),
    probe: str = "",
    shots: tuple[int, ...] = (),
    beside: tuple[Path, ...] = (),
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    tokens: bool = False,
    data: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    to: Path | None = None,
) -> None:
    """Read labels from frozen latents, next to baselines without training.

    For example: tacit probe runs/two_rooms --target position
    Or, from latents that tacit embed wrote: tacit probe latents/rooms --target class --probe linear
    Or, with four blocks: tacit probe runs/videos --target class --tokens --probe attentive --set blocks=4

    For a run, the report always states whether its latents collapsed; without a named probe, the linear and the MLP
    probe read quantities and imagination is measured as well.

    Args:
        source: The directory of a run, or of an embedding.
        target: Labels or observed vectors to read; by default all labels that suit the probe.
        probe: linear, knn, mlp, attentive, dense or another installed one.
        set: An option of the probe to replace, NAME=VALUE; repeat it for several options.
        shots: Labels of each class to fit on, drawn several times, in addition to all of them; of an embedding.
        beside: Embeddings of the same dataset to compare with.
        tokens: Read tokens; of a run.
        data: The current path of the dataset of the run.
        seed: Seed of the probe.
        device: cpu, cuda, cuda:1, mps or auto.
        to: The folder of report.json and index.html; SOURCE/probe by default.
    """
    import tacit as tc
    from tacit._config import from_json
    from tacit.cli._run import device as chosen
    from tacit.cli._run import options
    from tacit.errors import ConfigError

    if set and not probe:
        raise ConfigError("--set is of a probe; name it: --probe attentive --set blocks=4")
    named: Probe | None = from_json(tc.probing.probes.load(probe), options(set), probe) if probe else None
    place = chosen(device)
    if (source / "embedding.json").is_file():
        if tokens or data is not None:
            raise ConfigError("an embedding is read as it is; --tokens and --data are of a run.")
        written = _embedding(source, target, named or tc.probing.probes.Linear(), shots, beside, seed, place, to)
    else:
        if shots or beside:
            raise ConfigError("--shots and --beside need an embedding. Make one: tacit embed RUN DATASET --to DIR")
        written = _run(source, target, named, tokens, data, seed, place, to)
    print(written)


def _embedding(
    source: Path,
    target: tuple[str, ...],
    probe: Probe,
    shots: tuple[int, ...],
    beside: tuple[Path, ...],
    seed: int,
    device: str,
    to: Path | None,
) -> Path:
    """Probe latents on disk."""
    import tacit as tc
    from tacit.errors import DataError

    first = tc.embeddings.open_embedding(source)
    found = {first.header.source: _apart(first.split())}
    for path in beside:
        other = tc.embeddings.open_embedding(path)
        if other.header.dataset != first.header.dataset:
            raise DataError(f"{path} embeds another dataset than {source}; only the same rows can be compared.")
        split = first.header.split or tc.embeddings.Split(0.9, 0)
        name = other.header.source if other.header.source not in found else path.name
        found[name] = _apart(other.features.split(split.fraction, split.seed))
    few = _few(found, target, probe, shots, seed, device) if shots else {}  # first: it may refuse
    results = _read(found, target, probe, seed, device)
    entries = {name: {**_entry(readings), **few.get(name, {})} for name, readings in results.items()}
    record = tc.reports.new_record(
        "probe",
        seeds={"probe": seed},
        config={"probe": type(probe).__name__, "settings": vars(probe), "model": first.header.digest},
        dataset_hash=first.header.dataset,
        probe=entries,
    )
    sections = [tc.reports.readings_section(results)] if results else []
    title = f"What {source.resolve().name} holds"
    return tc.reports.write_report(to or source / "probe", record, sections, title=title)


def _apart(parts: tuple[Features, Features]) -> tuple[Features, Features]:
    """Return both parts without held-out copies of the fitted episodes."""
    fit, test = parts
    return fit, test.without(fit)


def _few(
    found: dict[str, tuple[Features, Features]],
    target: tuple[str, ...],
    probe: Probe,
    shots: tuple[int, ...],
    seed: int,
    device: str,
) -> dict[str, dict[str, Any]]:
    """Return the accuracy with a few labels of each class that varies, by target and source."""
    import tacit as tc

    entries: dict[str, dict[str, Any]] = {}
    first, _ = next(iter(found.values()))
    for name in _targets(first, target, probe):
        truth = first.target(name)
        if not tc.probing.probes.is_class(truth) or (truth == truth[:1]).all():
            continue
        entries[name] = {"few_labels": {}}
        for kind, (fit, test) in found.items():
            results = tc.probing.low_shot(probe, fit, test, name, shots=shots, seed=seed, device=device)
            entries[name]["few_labels"][kind] = tc.reports.plain(results)
            for one in results:
                count = f"{one.shots:>4} labels a class"
                print(f"{name:<12} {kind:<10} {count}  {one.accuracy} over {len(one.draws)} draws")
    return entries


def _run(
    run: Path,
    target: tuple[str, ...],
    probe: Probe | None,
    tokens: bool,
    data: Path | None,
    seed: int,
    device: str,
    to: Path | None,
) -> Path:
    """Probe the model of a run on its own held-out episodes."""
    import tacit as tc
    from tacit.errors import ConfigError, DataError
    from tacit.runs import RunRecord

    record = RunRecord.load(run)
    fit_on, held_out = record.split(data, print)
    model = tc.checkpoint.load_model(run, device, kind=tc.models.Model)
    found = tc.probing.sources(model, fit_on=fit_on, test_on=held_out, tokens=tokens, seed=seed)
    results = _read(found, target, probe or tc.probing.probes.Linear(), seed, device, held_out.labels)
    entries, reports = {name: _entry(readings) for name, readings in results.items()}, []
    for name, readings in results.items():
        if probe is None and isinstance(readings["model"], tc.probing.probes.QuantityReading):
            report = tc.probing.probe(model, fit_on=fit_on, test_on=held_out, target=name, seed=seed, baselines=False)
            print(f"{name:<12} linear R2 {report.r2:.4f}  MLP R2 {report.mlp_r2:.4f}  r {report.pearson:.4f}")
            entries[name] = {**tc.reports.probe_record(report), "beside": entries[name]}
            reports.append(report)
    sections = [tc.reports.probe_section(reports)] if reports else []
    sections += [tc.reports.readings_section(results)] if results else []
    health = tc.probing.health(model, held_out, seed=seed, seen=None if tokens else found["model"][1])
    straight = "" if math.isnan(health.straightness) else f", straightness {health.straightness:.2f}"
    rank = f"effective rank {health.effective_rank:.1f} of {health.latent_size}"
    print(f"{rank}, minimum standard deviation {health.min_std:.3g}{straight}")
    optional: dict[str, Any] = {"effective_rank": health.effective_rank, "health": health}
    sections += [] if reports else [tc.reports.health_section(health)]
    if probe is None and isinstance(model, tc.models.Dynamics):
        horizon = min(8, (int(held_out.lengths.min()) - 1) // model.config.frameskip - model.config.history + 1)
        try:
            ahead = tc.evaluation.open_loop(model, held_out, horizon)
        except (ConfigError, DataError) as error:
            print(f"imagination is not measured: {error}")
        else:
            optional["open_loop"] = tc.reports.open_loop_record(ahead)
            sections.append(tc.reports.open_loop_section(ahead))
    written = tc.reports.new_record(
        "probe",
        seeds={"train": record.seed, "split": record.split_seed, "probe": seed},
        config=record,
        dataset_hash=record.dataset_hash,
        probe=entries,
        **optional,
    )
    return tc.reports.write_report(to or run / "probe", written, sections, title=f"What {run.name} knows")


def _read(
    found: dict[str, tuple[Features, Features]],
    target: tuple[str, ...],
    probe: Probe,
    seed: int,
    device: str,
    known: tuple[str, ...] | None = None,
) -> dict[str, dict[str, Reading]]:
    """Return the readings of each named target, else of the ``known`` ones that suit the probe and vary."""
    import tacit as tc
    from tacit.types import REWARD, SUCCESS

    fit, _ = next(iter(found.values()))
    results = {}
    for name in _targets(fit, target, probe):
        if not target and ((known is not None and name not in known) or name in (REWARD, SUCCESS)):
            continue
        try:
            results[name] = tc.probing.readings(found, name, probe, seed=seed, device=device)
        except tc.probing.probes.Unvarying:
            if target:
                raise
            print(f"{name:<12} does not vary and is left out")
            continue
        for kind, reading in results[name].items():
            print(f"{name:<12} {kind:<10} {reading.probe:<9} {reading}")
    return results


def _targets(fit: Features, target: tuple[str, ...], probe: Probe) -> tuple[str, ...]:
    """Return the targets that were named, or all that suit the probe."""
    return target or tuple(name for name, values in fit.targets.items() if probe.suits(values))


def _entry(readings: dict[str, Reading]) -> dict[str, Any]:
    import tacit as tc

    return {kind: tc.reports.probe_record(reading) for kind, reading in readings.items()}
