"""Encoders: images, videos, motion, and every recipe on real data."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from reporting.drawing import Panel, scores
from reporting.text import Rows, load, mean, met, rate, table
from tacit.statistics import Curve, cost_ratio

RIVALS = ("mae", "mae_blocks")
READINGS = {
    "linear": ("linear probe, all tokens", "rate", (0.86, 0.87, 0.88, 0.89)),
    "few_labels": ("12 labels a class, all tokens", "mean", (0.72, 0.73, 0.74, 0.75)),
    "mean_linear": ("linear probe, mean token or class token", "rate", (0.7, 0.75, 0.8, 0.85)),
    "mean_few_labels": ("12 labels a class, mean token or class token", "mean", (0.5, 0.55, 0.6, 0.65, 0.7)),
}
"""What is read of an encoder: a name to show, the key of the figure, and accuracies to compare costs at."""
LEGEND = {
    "ijepa": "I-JEPA",
    "mae": "masked autoencoder",
    "lejepa": "LeJEPA",
    "mae_blocks": "masked autoencoder at I-JEPA's masks",
    "supervised": "supervised",
}
PICTURE = "images_operations.svg"
FILMS = {
    "vjepa": "`vjepa`, V-JEPA with its published loss",
    "vjepa_dense": "`vjepa_dense`, V-JEPA with the dense loss of V-JEPA 2.1",
    "vjepa2_dense": "`vjepa2_dense`, V-JEPA 2 with the dense loss",
    "vjepa_causal": "`vjepa_causal`, V-JEPA with the dense loss, from the beginning of a video to its end",
    "videomae": "`videomae`, VideoMAE with its own masks",
    "videomae_causal": "`videomae_causal`, VideoMAE from the beginning of a video to its end",
}
ENCODERS = ("trained", "untrained", "raw")
MOTIONS = (("scene", "all"), ("object", "moving"))
PIXELS, LENIENT = 0.5, -0.01
"""Targets of motion and content: an end-point error, and where the interval of a difference has to end."""
VIDEO_TARGETS = ("smaller", "larger", "position", "velocity", "middle", "drift")
SUMMARY = {
    "smaller digit": ("probes", "linear", "smaller"),
    "larger digit": ("probes", "linear", "larger"),
    "positions, R²": ("probes", "flat", "position"),
    "velocities, R²": ("probes", "flat", "velocity"),
    "a digit vanishes: surprises more": ("surprise", "vanish", "0 after", "paired"),
    "a digit jumps: surprises more": ("surprise", "teleport", "0 after", "paired"),
}
"""What is told of videos first: a name to show, and where the figure lies in a run."""
SEEDS = 3


def images() -> str:
    """Representations against pixels on Fashion-MNIST."""
    found = load("images")
    if found is None:
        return ""
    rows: Rows = [
        (f"{name}, seed {seed}" if name != "raw" else "raw pixels", "", "", *_accuracies(point), "")
        for seed, some in sorted(found["floors"].items())
        for name, point in some.items()
        if name != "made_by"
    ]
    for name, run in sorted(found["runs"].items()):
        method, seed = name.split("/")
        point = run["points"][-1] if "points" in run else run
        rows.append(
            (
                f"{method}, seed {seed}",
                str(run["steps"]),
                f"{point['operations']:.2e}" if "operations" in point else "",
                *_accuracies(point),
                f"{run['seconds']['training']:.0f}",
            )
        )
    header = ("encoder", "updates", "operations", *(title for title, _, _ in READINGS.values()), "training, s")
    return (
        "## Representations against pixels, Fashion-MNIST\n\n`OMP_NUM_THREADS=1 uv run benchmarks/images.py DATA --budget "
        f"{found['settings']['budget']:.0e}`: an encoder 96 wide and 6 deep with patches of 4, each method from nothing to the same "
        "budget of floating-point operations, read frozen on the 10,000 test images: all tokens end to end, as raw pixels "
        "are, and their mean, or for LeJEPA the class token, which is what it trains. `from_few` is an encoder and a head on its "
        "mean token trained from nothing on 12 labels a class. The last point of each run:\n\n"
        f"{table(header, rows)}\n\nOn the way, means over seeds:\n\n{_on_the_way(found)}\n\n"
        f"![Accuracy over operations](../docs/{PICTURE})\n\n"
        "How many times the operations of the first the second needs for an accuracy, between means over seeds with "
        "bootstrap intervals over seeds (V-JEPA claims 1.5 to 6 against pixels). Points on the way are of one long cosine, "
        "not of runs of their own:\n\n"
        f"{_ratios(found)}\n"
    )


def images_picture() -> bytes | None:
    """Accuracy over operations on Fashion-MNIST, a panel for each way to read; None where nothing was measured."""
    found = load("images")
    if found is None:
        return None
    panels = []
    for kind in ("linear", "mean_linear", "mean_few_labels"):
        title, key, _ = READINGS[kind]
        curves = _curves(found, kind)
        lines = {LEGEND[name]: (curves[name].cost, _bands(curves[name])) for name in LEGEND if name in curves}
        floor = _reading(found["floors"]["0"]["raw"], kind).get(key)
        panels.append(Panel(title.replace(" or class token", ""), lines, floor))
    return scores(panels, "floating-point operations", "test images right, %", "{:.1e}".format)


def _bands(curve: Curve) -> list[dict[str, float]]:
    """Mean, lowest and highest over the seeds."""
    every = np.array(curve.scores)
    return [{"mean": some.mean(), "low": some.min(), "high": some.max()} for some in every.T]


def _accuracies(point: dict[str, Any]) -> tuple[str, ...]:
    told = ((_reading(point, kind), key) for kind, (_, key, _) in READINGS.items())
    return tuple(rate({**found, "rate": found[key]}) if found else "" for found, key in told)


def _reading(point: dict[str, Any], kind: str) -> dict[str, float]:
    """One reading of an encoder; where there is a class token, it stands for the mean of the others."""
    found: dict[str, float] = point.get(kind.replace("mean_", "cls_"), point.get(kind, {}))
    return found


def _curves(found: dict[str, Any], kind: str) -> dict[str, Curve]:
    """Accuracy over operations by method, of the methods that have points."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for name, run in sorted(found["runs"].items()):
        if "points" in run:
            runs.setdefault(name.split("/")[0], []).append(run)
    key = READINGS[kind][1]
    return {
        method: Curve(
            [point["operations"] for point in some[0]["points"]],
            [[_reading(point, kind)[key] for point in run["points"]] for run in some],
        )
        for method, some in runs.items()
    }


def _on_the_way(found: dict[str, Any]) -> str:
    tables = []
    for kind, (title, _, _) in READINGS.items():
        curves = _curves(found, kind)
        points = len(next(iter(curves.values())).cost)
        rows: Rows = [
            (f"{method}, {len(curve.scores)} seed(s)", *(f"{100 * value:.1f}" for value in curve.mean()))
            for method, curve in curves.items()
        ]
        shares = tuple(f"1/{2**power}" if power else "whole" for power in reversed(range(points)))
        tables.append(table((f"{title}, %", *shares), rows))
    return "\n\n".join(tables)


def _ratios(found: dict[str, Any]) -> str:
    tables = []
    for kind, (title, _, targets) in READINGS.items():
        curves = _curves(found, kind)
        rows: Rows = [
            (f"{first} : {second}", *(_ratio(curves[first], curves[second], target) for target in targets))
            for first in ("ijepa", "lejepa")
            for second in RIVALS
            if first in curves and second in curves
        ]
        if rows:
            tables.append(table((title, *(f"{100 * target:g} %" for target in targets)), rows))
    return "\n\n".join(tables)


def thesis() -> Iterator[tuple[str, str, str, str]]:
    """What V-JEPA claims against pixels, and what we find between I-JEPA and the masked autoencoders."""
    found, target = load("images"), 0.87
    curves = _curves(found, "linear") if found else {}
    for rival in RIVALS:
        if "ijepa" in curves and rival in curves:
            ratio = cost_ratio(curves["ijepa"], curves[rival], target)
            yield (
                f"images, operations for {100 * target:.0f} % by a linear probe: {LEGEND[rival]} over I-JEPA",
                "1.5 to 6x, published for V-JEPA",
                str(ratio),
                "the same" if ratio.low >= 1.5 else "the reverse" if ratio.high < 1 else "less",
            )


def _ratio(first: Curve, second: Curve, target: float) -> str:
    if any(curve.mean()[0] >= target for curve in (first, second)):
        return "before the first point"
    return str(cost_ratio(first, second, target))


def videos() -> str:
    """Latents against pixels on videos."""
    found = load("videos")
    if found is None:
        return ""
    encoders = {f"untrained, seed {seed}": some["untrained"] for seed, some in sorted(found["floors"].items())}
    encoders["raw pixels, or pixels that stay"] = found["floors"]["0"]["raw"]
    encoders |= {name.replace("/", ", seed "): run for name, run in sorted(found["runs"].items())}
    read: Rows = [
        (f"{name}; {probe}", *(mean(scores[target]) if target in scores else "" for target in VIDEO_TARGETS))
        for name, one in encoders.items()
        for probe, scores in one["probes"].items()
    ]
    surprised: Rows = [
        (name, event, *(f"{rate(measures[kind]['paired'])}; {mean(measures[kind]['auroc'])}" for kind in kinds))
        for kinds in (("largest", "0 after", "1 after"),)
        for name, one in encoders.items()
        for event, measures in one["surprise"].items()
    ]
    over: Rows = [
        (f"{name}, {len(some)} seed(s)", *(_over_seeds(some, *where) for where in SUMMARY.values()))
        for name, some in _methods(found)
    ]
    header = ("encoder; probe", "smaller digit, share right", "larger digit", "positions, R²", "velocities, R²")
    return (
        "## Videos: latents against pixels, Moving MNIST\n\n`OMP_NUM_THREADS=1 uv run benchmarks/videos.py DATA --budget "
        f"{found['settings']['budget']:.0e}`: the same encoder, videos and operations for each method, all with rotary positions: "
        f"{'; '.join(FILMS[name] for name in FILMS if any(run.startswith(f'{name}/') for run in found['runs']))}. Probes of held-out videos of held-out digits, on the mean token (`linear`), all "
        "tokens end to end (`flat`) and attentive, with bootstrap intervals over videos. Means over seeds first, with the "
        "lowest and the highest; a digit's by the mean token, the others by all tokens, surprise in the window that ends at "
        f"the event:\n\n{table(('encoder', *SUMMARY), over)}\n\nEach run:\n\n"
        f"{table((*header, 'mean of the positions', 'mean of the velocities'), read)}\n\nSurprise: share of pairs in which "
        "the impossible video surprises more, and AUROC; of a video's largest window, and of the windows that end at the "
        f"event and one frame later:\n\n{table(('model', 'event', 'largest', 'at it', 'one later'), surprised)}\n"
    )


def _methods(found: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The baselines, and the runs of each method over its seeds."""
    yield "raw pixels, or pixels that stay", [found["floors"]["0"]["raw"]]
    yield "untrained", [some["untrained"] for _, some in sorted(found["floors"].items())]
    for method in FILMS:
        runs = [run for name, run in sorted(found["runs"].items()) if name.split("/")[0] == method]
        if runs:
            yield method, runs


def _over_seeds(runs: list[dict[str, Any]], *where: str) -> str:
    """The mean of a figure over runs, with the lowest and the highest where there are several."""
    values = []
    for run in runs:
        one: Any = run
        for key in where:
            # the raw floor is all tokens as it stands
            one = one.get(key, one.get("linear")) if key == "flat" else one[key]
        values.append(one["rate" if "paired" in where else "mean"])
    return f"{np.mean(values):.3f}" + (f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else "")


def motion_targets() -> Iterator[tuple[str, str, str, str]]:
    """What MC-JEPA is asked, the target, the figure of the worst seed, and the verdict."""
    found = load("mc_jepa")
    whole = [run for name, run in found["runs"].items() if name.startswith("whole/")] if found else []
    if not whole:
        return
    for what, where in MOTIONS:
        worst = max((run["epe"][what][where] for run in whole), key=lambda told: told["high"])
        said = {"scene": "of a scene", "object": "of what moves before a background"}[what]
        yield (
            f"MC-JEPA, translations {said}: end-point error",
            f"interval below {PIXELS} px, each seed",
            f"{mean(worst)} px",
            met(worst["high"] < PIXELS),
        )
    gap = found["beyond VICReg"]["whole"]
    yield (
        "MC-JEPA, class by a linear probe, next to VICReg alone",
        "no worse: an interval that ends above -1 point",
        f"{100 * gap['mean']:+.1f} points [{100 * gap['low']:+.1f}, {100 * gap['high']:+.1f}]",
        met(gap["high"] > LENIENT),
    )


def motion() -> str:
    """MC-JEPA on known translations."""
    found = load("mc_jepa")
    if found is None:
        return ""
    still, phase = found["blind"]["nothing moves"], found["blind"]["phase correlation"]
    rows: Rows = [
        ("nothing moves", *_errors(still), "", ""),
        ("phase correlation", mean(phase["scene"]["all"]), "", "", "", ""),
    ]
    for seed, floors in found["floors"].items():
        rows += [(f"{name}, seed {seed}", "", "", "", rate(floors[name]), "") for name in ("untrained", "raw")]
    for name, run in sorted(found["runs"].items()):
        told = _errors(run["epe"]) if "epe" in run else ("", "", "")
        rows.append((name.replace("/", ", seed "), *told, rate(run["content"]), f"{run['train_cpu_seconds']:.0f}"))
    gaps = "; ".join(
        f"{name} {100 * one['mean']:+.1f} points [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}] ({one['seeds']} seed(s))"
        for name, one in found["beyond VICReg"].items()
    )
    whole = sum(name.startswith("whole/") for name in found["runs"])
    gap = found["beyond VICReg"].get("whole", {"mean": -1.0, "high": -1.0})
    near, moving, content = (verdict for *_, verdict in motion_targets())
    verdict = (
        f"Translations of a scene {near}, of what moves before a background {moving}, content {content} by the rule that "
        f"was fixed before, {whole} seed(s) of three."
    )
    if LENIENT < gap["high"] < 0:
        verdict += (
            f" The rule is lenient: the interval lies below 0, and content costs {-100 * gap['mean']:.1f} points."
        )
    header = ("", "scene, px", "object, px", "object, what moves, px", "class, linear probe", "training, CPU s")
    return (
        "## Motion and content: MC-JEPA\n\n`OMP_NUM_THREADS=1 uv run benchmarks/mc_jepa.py DATA`: images of "
        "Fashion-MNIST on textures, moved by up to 6 px; held-out images, textures and vectors. End-point error by "
        "image with bootstrap intervals (target: below 0.5 px), and a linear probe of the class next to VICReg alone "
        "(`content`; target: no worse, that is an interval which ends above -1 point).\n\n"
        f"{table(header, rows)}\n\nProbe beyond VICReg alone, with intervals over seeds and held-out images: {gaps}. "
        f"**{verdict}**\n"
    )


def _errors(found: dict[str, Any]) -> tuple[str, str, str]:
    return mean(found["scene"]["all"]), mean(found["object"]["all"]), mean(found["object"]["moving"])


def judged() -> Iterator[tuple[str, str, "list[Reading]", str]]:
    """By recipe and what was read: the seeds, and whether both baselines are beaten by all of them."""

    def key(one: Reading) -> tuple[str, str]:
        return one.recipe, one.target

    for (name, target), some in itertools.groupby(sorted((*_of_images(), *_of_videos(), *_of_recipes()), key=key), key):
        runs = list(some)
        above = all(run.trained["low"] > max(run.untrained["high"], run.raw["high"]) for run in runs)
        yield name, target, runs, "no" if not above else "yes" if len(runs) >= SEEDS else f"so far, {len(runs)} seed(s)"


def recipes() -> str:
    """Every recipe, trained by the command line on real data."""
    found = list(judged())
    if not found:
        return ""
    rows: Rows = [
        (name, target, *(", ".join(mean(getattr(run, kind), 3) for run in runs) for kind in ENCODERS), verdict)
        for name, target, runs, verdict in found
    ]
    readings = [run for _, _, runs, _ in found for run in runs]
    commands = sorted({(run.recipe, run.command) for run in readings if "--seed 0 " in run.command})
    header = ("recipe", "read", *ENCODERS, "both baselines beaten")
    return (
        "## Every recipe on real data\n\nTrained by the command line within `images.py`, `videos.py` and "
        "`OMP_NUM_THREADS=1 uv run benchmarks/recipes.py DATA`, then read by a linear probe of the frozen encoder on "
        "held-out recordings (share of classes right, or R²), each seed with its interval; next to it the untrained encoder "
        "of the same seed and raw values. A baseline is beaten where the intervals are disjoint for every seed, of which "
        f"there are {SEEDS}.\n\n{table(header, rows)}\n\nThe commands, with seed 0:\n\n```text\n"
        + "\n".join(line for _, line in commands)
        + "\n```\n"
    )


@dataclass(frozen=True)
class Reading:
    """What a probe read of an encoder and of its baselines: a mean with its interval each."""

    recipe: str
    target: str
    command: str
    trained: dict[str, float]
    untrained: dict[str, float]
    raw: dict[str, float]


def _of_images() -> Iterator[Reading]:
    found = load("images")
    for name, run in sorted(found["runs"].items()) if found else ():
        method, seed = name.split("/")
        if "command" in run:
            floors = found["floors"]
            untrained = "untrained, with a class token" if "cls_linear" in run["points"][-1] else "untrained"
            told = run["points"][-1], floors[seed][untrained], floors["0"]["raw"]
            scores = ({**point["linear"], "mean": point["linear"]["rate"]} for point in told)
            yield Reading(f"{method}, images", "class, all tokens", run["command"], *scores)


def _of_videos() -> Iterator[Reading]:
    found = load("videos")
    for name, run in sorted(found["runs"].items()) if found else ():
        method, seed = name.split("/")
        floors = found["floors"][seed]["untrained"]["probes"], found["floors"]["0"]["raw"]["probes"]["linear"]
        for probe, read in (("linear", "mean token"), ("flat", "all tokens")):
            for target, trained in run["probes"][probe].items():
                scores = trained, floors[0][probe][target], floors[1][target]
                yield Reading(f"{method}, videos", f"{target}, {read}", run["command"], *scores)


def _of_recipes() -> Iterator[Reading]:
    found = load("recipes")
    for name, run in sorted(found["runs"].items()) if found else ():
        for target in run["scores"]["raw"]:
            told = (run["scores"][kind][target] for kind in ENCODERS)
            yield Reading(name.split("/")[0], target, run["command"], *told)
