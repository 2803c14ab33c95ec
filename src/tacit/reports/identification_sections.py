"""The sections of a report on linear identifiability."""

from __future__ import annotations

import numpy as np

from tacit.identification.identify import Identification
from tacit.identification.metrics import fit_linear
from tacit.identification.training import WorldResult
from tacit.reports import figures
from tacit.reports._plot import BLUE, GREY, canvas, svg
from tacit.reports.report import Section, Table

__all__ = ["identification_sections", "world_sections"]

PANELS = 6
"""State variables in a figure, at the most."""
POINTS = 1500
"""States in a scatter plot."""


def identification_sections(found: Identification) -> list[Section]:
    """Return the sections on a trained model: linear R2, the law of the states, and advice on the data."""
    scores = Table(
        f"Linear maps fitted on {found.rows_fit} observations, scored on {found.rows_test} held-out ones.",
        ("state variable", "R2 from the latents", "share of the latents' variance"),
        (
            *((one.name, f"{one.r2:.3f}", f"{one.latents_r2:.3f}") for one in found.variables),
            ("all", f"{found.r2_states:.3f}", f"{found.r2_latents:.3f}"),
        ),
    )
    text = (
        f"Orthogonality {found.orthogonality:.2f}: it is 0 where distances of latents are distances of whitened states "
        f"times a factor. A latent has {found.latent_size} numbers. A low share means that the latents hold more than "
        "the state, or hold it in another form."
    )
    law = Table(
        f"{found.law.rows} recorded states. A Gaussian has skewness and excess kurtosis 0 and coverage 1.",
        ("state variable", "skewness", "excess kurtosis", "coverage", "correlation one model step later"),
        tuple(
            (one.name, f"{one.skewness:.2f}", f"{one.kurtosis:.2f}", f"{one.coverage:.2f}", f"{one.rho:.3f}")
            for one in found.law.variables
        ),
    )
    assumed = (
        "In theory, latents are a rotation of the states if the states are independent Gaussians that move at one rate "
        "(arXiv 2605.26379)."
    )
    return [
        Section("States and latents", text, scores),
        Section("Law of the states", assumed, law, (_shares(found),)),
        Section("Advice on the data", "\n\n".join(found.advice)),
    ]


def world_sections(found: WorldResult) -> list[Section]:
    """Return the section on an encoder in a synthetic world."""
    one, limit = found.scores, found.scores.bound
    table = Table(
        f"{len(found.states)} states that training did not draw.",
        ("quantity", "value", "a rotation has"),
        (
            ("R2 of the states from the latents", f"{one.r2_states:.4f}", "1"),
            ("R2 of the latents from the states", f"{one.r2_latents:.4f}", "1"),
            ("orthogonality", f"{one.orthogonality:.4f}", "0"),
            ("E|h - Qz|^2", f"{limit.error:.4f}", "0"),
            ("bound D + (epsilon + D)^2", f"{limit.limit:.4f}", "0"),
            ("nonlinear part D", f"{limit.nonlinear:.4f}", "0"),
            ("epsilon = |Cov(h) - I|", f"{limit.epsilon:.4f}", "0"),
        ),
    )
    world = found.world
    text = (
        f"Mixing {world.mixing}, {world.size} dimensions, exponent {world.alpha:g} of the law (2 is Gaussian), "
        f"correlation {world.rho:g}. The encoder saw observations alone. "
        + ("The bound holds." if limit.holds else "The error is above the bound, which is for Gaussian states.")
    )
    return [Section("States and latents", text, table, (_linear(found),))]


def _shares(found: Identification) -> figures.Figure:
    """Plot the share of states in ten intervals that are equally likely under a Gaussian."""
    some = found.law.variables[:PANELS]
    with canvas(min(1.6 * len(some) + 1.2, 10.0), 2.4, 1, len(some)) as (figure, axes):
        for panel, one in zip(axes, some, strict=True):
            panel.bar(range(1, len(one.shares) + 1), one.shares, color=BLUE)
            panel.axhline(0.1, color=GREY, linestyle=":", linewidth=1)
            panel.set(title=one.name, xticks=[1, 10], ylim=(0, None))
        axes[0].set_ylabel("share of the states")
        alt = "Overlap with a Gaussian: " + ", ".join(f"{one.name} {one.coverage:.2f}" for one in some) + "."
        caption = "Ten intervals that are equally likely under a Gaussian of the same mean and variance; dotted: 10 %."
        return figures.Figure(svg(figure), "svg", alt, caption)


def _linear(found: WorldResult) -> figures.Figure:
    """Plot states against their linear prediction from the latents."""
    states, latents = found.states[:POINTS], found.latents[:POINTS]
    predicted = fit_linear(found.latents, found.states)(latents)
    columns = min(states.shape[1], PANELS)
    with canvas(2.6 * columns, 2.7, 1, columns) as (figure, axes):
        for column, panel in enumerate(axes):
            panel.plot(states[:, column], predicted[:, column], ".", color=BLUE, markersize=2, alpha=0.4)
            ends = [float(np.min(states[:, column])), float(np.max(states[:, column]))]
            panel.plot(ends, ends, color=GREY, linewidth=1)
            panel.set(title=f"state {column}", xlabel="true")
        axes[0].set_ylabel("from the latents")
        alt = f"True states against their linear prediction from latents, R2 {found.scores.r2_states:.4f}."
        return figures.Figure(svg(figure), "svg", alt, "On the line, latents determine the state by a linear map.")
