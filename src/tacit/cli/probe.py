"""Probe a trained model on held-out episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from tacit.probing import Comparison, FeaturePair
    from tacit.probing.probes import Probe

__all__ = ["probe"]


def probe(
    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|EMBEDDING")],
    /,
    *,
    target: tuple[str, ...] = (),
    probe: str = "",
    shots: tuple[int, ...] = (),
    compare: tuple[Path, ...] = (),
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    tokens: bool = False,
    data: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    to: Path | None = None,
) -> None:
    """Probe labels in frozen latents, next to baselines without training.

    For example: tacit probe runs/two_rooms --target position
    Or, from latents that tacit embed wrote: tacit probe latents/rooms --target class --probe linear
    Or, with four blocks: tacit probe runs/videos --target class --tokens --probe attentive --set blocks=4

    For a run, the report includes collapse measures of its latents. Without a named probe, quantities are probed by a
    linear layer and an MLP, imagined latents are compared with recorded ones, and the linear readouts are saved in the
    report, for goals of tacit plan and tacit eval.

    Args:
        source: The directory of a run, or of an embedding.
        target: Labels or observed vectors; by default all labels that suit the probe.
        probe: linear, knn, mlp, attentive, dense or another installed one.
        set: An option of the probe to replace, NAME=VALUE; repeat it for several options.
        shots: Labels of each class to fit on, drawn several times, in addition to all of them; of an embedding.
        compare: Embeddings of the same dataset to compare with.
        tokens: Probe tokens; of a run.
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
        raise ConfigError("--set changes an option of a probe; name the probe: --probe attentive --set blocks=4")
    named: Probe | None = from_json(tc.probing.probes.load(probe), options(set), probe) if probe else None
    place = chosen(device)
    if not (source / "embedding.json").is_file():
        if shots or compare:
            raise ConfigError("--shots and --compare need an embedding. Make one: tacit embed RUN DATASET --to DIR")
        print(_probe_run(source, target, named, tokens, data, seed, place, to))
        return
    if tokens or data is not None:
        raise ConfigError("an embedding is used as it is; --tokens and --data are for a run.")
    print(_probe_embedding(source, compare, target, named or tc.probing.probes.Linear(), shots, seed, place, to))


def _probe_embedding(
    path: Path,
    others: tuple[Path, ...],
    target: tuple[str, ...],
    probe: Probe,
    shots: tuple[int, ...],
    seed: int,
    device: str,
    to: Path | None,
) -> Path:
    """Probe latents on disk."""
    import tacit as tc

    sources = tc.embeddings.embedding_sources(path, *others)
    comparisons = _compare(sources, target, probe, seed, device, shots)
    header = tc.embeddings.open_embedding(path).header
    record = tc.reports.new_record(
        "probe",
        seeds={"probe": seed},
        config={"probe": type(probe).__name__, "settings": vars(probe), "model": header.digest},
        dataset_hash=header.dataset,
        probe={one.target: tc.reports.probe_record(one) for one in comparisons},
    )
    sections = [tc.reports.comparison_section(comparisons)] if comparisons else []
    return tc.reports.write_report(to or path / "probe", record, sections, title=f"Probes of {path.resolve().name}")


def _probe_run(
    path: Path,
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
    from tacit.cli._readouts import place_of
    from tacit.errors import ConfigError, DataError

    run = tc.runs.open(path)
    fit_on, held_out = run.record.split(data, print)
    model = run.model(device)
    sources = tc.probing.feature_sources(model, fit_on=fit_on, test_on=held_out, tokens=tokens, seed=seed)
    comparisons = _compare(sources, target, probe or tc.probing.probes.Linear(), seed, device, labels=held_out.labels)
    fit, test = sources["model"]
    health = tc.probing.health(model, held_out, seed=seed, encoded=None if tokens else test)
    reports = []
    for one in comparisons if probe is None else ():
        if isinstance(one["model"], tc.probing.probes.QuantityResult):
            mlp = tc.probing.probes.MLP(lrs=(3e-3,))(fit, test, one.target, seed=seed, device=device)
            reports.append(tc.probing.ProbeReport(one, mlp, health))
            print(f"{one.target:<12} linear R2 {reports[-1].r2:.4f}  MLP R2 {reports[-1].mlp_r2:.4f}")
            if not tokens:  # an agent plans in latents without tokens
                readout = tc.probing.fit_features(fit, test, one.target, seed=seed)
                tc.probing.save_readout(readout, place_of(to or path / "probe", one.target), model)
    straight = "" if math.isnan(health.straightness) else f", straightness {health.straightness:.2f}"
    rank = f"effective rank {health.effective_rank:.1f} of {health.latent_size}"
    print(f"{rank}, minimum standard deviation {health.min_std:.3g}{straight}")
    entries = {one.target: tc.reports.probe_record(one) for one in comparisons}
    entries |= {one.target: tc.reports.probe_record(one) for one in reports}
    sections = [tc.reports.probe_section(reports)] if reports else []
    sections += [tc.reports.comparison_section(comparisons)] if comparisons else []
    sections += [] if reports else [tc.reports.health_section(health)]
    optional: dict[str, Any] = {"effective_rank": health.effective_rank, "health": health}
    if probe is None and isinstance(model, tc.models.Dynamics):
        horizon = min(8, (int(held_out.lengths.min()) - 1) // model.config.frameskip - model.history + 1)
        try:
            ahead = tc.evaluation.open_loop(model, held_out, horizon)
        except (ConfigError, DataError) as error:
            print(f"imagination is not measured: {error}")
        else:
            optional["open_loop"] = tc.reports.open_loop_record(ahead)
            sections.append(tc.reports.open_loop_section(ahead))
    record = tc.reports.new_record(
        "probe",
        seeds={"train": run.record.seed, "split": run.record.split_seed, "probe": seed},
        config=run.record,
        dataset_hash=run.record.dataset_hash,
        probe=entries,
        **optional,
    )
    return tc.reports.write_report(to or path / "probe", record, sections, title=f"Probes of {path.name}")


def _compare(
    sources: dict[str, FeaturePair],
    target: tuple[str, ...],
    probe: Probe,
    seed: int,
    device: str,
    shots: tuple[int, ...] = (),
    labels: Sequence[str] | None = None,
) -> list[Comparison]:
    """Compare the sources on the named targets, else on all that suit the probe and vary, and print each comparison."""
    import tacit as tc
    from tacit.types import REWARD, SUCCESS

    fit, _ = next(iter(sources.values()))
    known = [name for name in fit.targets if name not in (REWARD, SUCCESS) and (labels is None or name in labels)]
    comparisons = []
    for name in target or [name for name in known if probe.suits(fit.targets[name])]:
        few = shots if tc.probing.probes.is_class(fit.target(name)) else ()
        try:
            comparisons.append(tc.probing.compare(sources, name, probe, shots=few, seed=seed, device=device))
        except tc.probing.probes.ConstantTarget:
            if target:
                raise
            print(f"{name:<12} does not vary and is left out")
        else:
            print(comparisons[-1])
    return comparisons
