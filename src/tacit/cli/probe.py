"""Show what a trained model knows, on held-out episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["probe"]


def probe(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    target: tuple[str, ...] = (),
    data: Path | None = None,
    device: str = "auto",
    to: Path | None = None,
) -> None:
    """Read physical quantities from frozen latents, and measure how far imagination holds.

    For example: tacit probe runs/two_rooms --target position

    Args:
        run: The directory of a run.
        target: Labels to read; all of them where none is named.
        data: Where the dataset of the run is now.
        device: cpu, cuda, cuda:1, mps or auto.
        to: Where to write report.json and index.html; RUN/probe where it is not said.
    """
    import tacit as tc
    from tacit.cli._run import Run
    from tacit.cli._run import device as chosen

    record = Run.load(run)
    fit_on, held_out = record.split(data)
    model = tc.checkpoint.load_model(run, chosen(device))
    names = target or tuple(fit_on.labels)
    reports = [tc.evaluation.probe(model, fit_on=fit_on, test_on=held_out, target=name) for name in names]
    horizon = min(8, (int(held_out.lengths.min()) - 1) // model.config.frameskip - model.config.history + 1)
    ahead = tc.evaluation.open_loop(model, held_out, horizon)
    rank = reports[0].effective_rank if reports else None
    written = tc.evaluation.new_record(
        "probe",
        seeds={"train": record.seed, "split": record.split_seed},
        config=record,
        dataset_hash=record.dataset_hash,
        probe={report.target: tc.evaluation.probe_record(report) for report in reports},
        open_loop=tc.evaluation.open_loop_record(ahead),
        **({} if rank is None else {"effective_rank": rank}),
    )
    sections = [*([tc.evaluation.probe_section(reports)] if reports else []), tc.evaluation.open_loop_section(ahead)]
    page = tc.evaluation.write_report(to or run / "probe", written, sections, title=f"What {run.name} knows")
    for report in reports:
        print(f"{report.target:<12} linear R2 {report.r2:.4f}  MLP R2 {report.mlp_r2:.4f}  r {report.pearson:.4f}")
    if rank is not None:
        print(f"effective rank {rank:.1f} of {model.config.latent}")
    print(page)
