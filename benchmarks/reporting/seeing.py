"""Encoders: pictures, films, motion, and every recipe on real data."""

from typing import Any

from reporting.text import Rows, load, mean, rate, table
from tacit.evaluation import Curve, cost_ratio

RIVALS = ("mae", "mae_blocks")
TARGETS = {"linear": (0.7, 0.75, 0.8, 0.85), "few_labels": (0.5, 0.55, 0.6, 0.65, 0.7)}
ENCODERS = ("trained", "untrained", "raw")


def images() -> str:
    """Representations against pixels on Fashion-MNIST."""
    found = load("images")
    if found is None:
        return ""
    rows: Rows = [
        (f"{name}, seed {seed}" if name != "raw" else "raw pixels", "", "", *_classes(point), "")
        for seed, some in found["floors"].items()
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
                *_classes(point),
                f"{run['cpu_seconds']:.0f}",
            )
        )
    header = ("encoder", "updates", "operations", "linear probe", "12 labels a class", "training and probing, CPU s")
    return (
        "## Representations against pixels, Fashion-MNIST\n\n`OMP_NUM_THREADS=1 uv run benchmarks/images.py DATA --budget "
        f"{found['settings']['budget']:.0e}`: an encoder 96 wide and 6 deep with patches of 4, each method from nothing to the same "
        "budget of floating-point operations, read frozen on the 10,000 test pictures. The last point of each run:\n\n"
        f"{table(header, rows)}\n\nEvery method on the way, means over its seeds:\n\n{_grid(found)}\n\n"
        "How many times the operations of the first the second needs for an accuracy, between means over seeds with "
        "bootstrap intervals over seeds (V-JEPA claims 1.5 to 6 against pixels). Points on the way are of one long cosine, "
        "not of runs of their own:\n\n"
        f"{_ratios(found)}\n"
    )


def _classes(point: dict[str, Any]) -> tuple[str, str]:
    few = point.get("few_labels")
    told = "" if few is None else rate({**few, "rate": few["mean"]})
    return rate(point["linear"]) if "linear" in point else "", told


def _curves(found: dict[str, Any], kind: str) -> dict[str, Curve]:
    """Accuracy over operations by method, of the methods that have points of that kind."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for name, run in sorted(found["runs"].items()):
        if "points" in run:
            runs.setdefault(name.split("/")[0], []).append(run)
    key = {"linear": "rate", "few_labels": "mean"}[kind]
    return {
        method: Curve(
            [point["operations"] for point in some[0]["points"]],
            [[point[kind][key] for point in run["points"]] for run in some],
        )
        for method, some in runs.items()
        if all(kind in point for run in some for point in run["points"])
    }


def _grid(found: dict[str, Any]) -> str:
    linear, few = _curves(found, "linear"), _curves(found, "few_labels")
    points = len(next(iter(linear.values())).cost)
    rows: Rows = []
    for method, curve in linear.items():
        told = [f"{100 * value:.1f}" for value in curve.mean()]
        if method in few:
            told = [f"{one}; {100 * value:.1f}" for one, value in zip(told, few[method].mean(), strict=True)]
        rows.append((f"{method}, {len(curve.scores)} seed(s)", *told))
    shares = tuple(f"1/{2**power}" if power else "whole" for power in reversed(range(points)))
    return table(("linear probe; 12 labels a class, %", *shares), rows)


def _ratios(found: dict[str, Any]) -> str:
    rows: Rows = []
    for kind, title in (("linear", "linear probe"), ("few_labels", "12 labels a class")):
        curves = _curves(found, kind)
        for first in ("ijepa", "lejepa"):
            for second in RIVALS:
                if first in curves and second in curves:
                    pair = curves[first], curves[second]
                    told = [_ratio(*pair, target) for target in TARGETS[kind]]
                    rows.append((f"{title}, {first} : {second}", *told))
    tables = []
    for title, targets in (("linear probe", TARGETS["linear"]), ("12 labels a class", TARGETS["few_labels"])):
        header = (f"{title}, accuracy", *(f"{100 * target:g} %" for target in targets))
        some = [(row[0].split(", ", 1)[1], *row[1:]) for row in rows if row[0].startswith(title)]
        tables.append(table(header, some))
    return "\n\n".join(tables)


def _ratio(first: Curve, second: Curve, target: float) -> str:
    if any(curve.mean()[0] >= target for curve in (first, second)):
        return "before the first point"
    return str(cost_ratio(first, second, target))


def videos() -> str:
    """Latents against pixels on films."""
    found = load("videos")
    if found is None:
        return ""
    encoders = {f"untrained, seed {seed}": some["untrained"] for seed, some in found["floors"].items()}
    encoders["raw pixels, or pixels that stay"] = found["floors"]["0"]["raw"]
    encoders |= {name.replace("/", ", seed "): run for name, run in sorted(found["runs"].items())}
    targets = ("smaller", "larger", "position", "velocity", "middle", "drift")
    read: Rows = [
        (f"{name}; {probe}", *(mean(scores[target]) for target in targets))
        for name, one in encoders.items()
        for probe, scores in one["probes"].items()
    ]
    surprised: Rows = [
        (name, event, *(f"{rate(measures[kind]['paired'])}; {mean(measures[kind]['auroc'])}" for kind in kinds))
        for kinds in (("largest", "0 after", "1 after"),)
        for name, one in encoders.items()
        for event, measures in one["surprise"].items()
    ]
    header = ("encoder; probe", "smaller digit, share right", "larger digit", "positions, R²", "velocities, R²")
    return (
        "## Films: latents against pixels, Moving MNIST\n\n`OMP_NUM_THREADS=1 uv run benchmarks/videos.py DATA --budget "
        f"{found['settings']['budget']:.0e}`: the same encoder, films and operations for V-JEPA (its own masks, or the end of the film "
        "always hidden) and VideoMAE. Probes of held-out films of held-out digits, with bootstrap intervals over films:\n\n"
        f"{table((*header, 'mean of the positions', 'mean of the velocities'), read)}\n\nSurprise: share of pairs in which "
        "the impossible film surprises more, and AUROC; of a film's largest window, and of the windows that end at the "
        f"event and one frame later:\n\n{table(('model', 'event', 'largest', 'at it', 'one later'), surprised)}\n"
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
    whole = [run for name, run in found["runs"].items() if name.startswith("whole/")]
    near = all(run["epe"]["scene"]["all"]["high"] < 0.5 for run in whole)
    gap = found["beyond VICReg"].get("whole", {"mean": -1.0, "high": -1.0})
    verdict = (
        f"Motion {'met' if near else 'missed'}, content {'met' if gap['high'] > -0.01 else 'missed'} by the rule that "
        f"was fixed before, {len(whole)} seed(s) of three."
    )
    if -0.01 < gap["high"] < 0:
        verdict += (
            f" The rule is lenient: the interval lies below 0, and content costs {-100 * gap['mean']:.1f} points."
        )
    header = ("", "scene, px", "object, px", "object, what moves, px", "class, linear probe", "training, CPU s")
    return (
        "## Motion and content: MC-JEPA\n\n`OMP_NUM_THREADS=1 uv run benchmarks/mc_jepa.py DATA`: pictures of "
        "Fashion-MNIST on textures, moved by up to 6 px; held-out pictures, textures and vectors. End-point error by "
        "picture with bootstrap intervals (target: below 0.5 px), and a linear probe of the class beside VICReg alone "
        "(`content`; target: no worse, that is an interval which ends above -1 point).\n\n"
        f"{table(header, rows)}\n\nProbe beyond VICReg alone, with intervals over seeds and held-out pictures: {gaps}. "
        f"**{verdict}**\n"
    )


def _errors(found: dict[str, Any]) -> tuple[str, str, str]:
    return mean(found["scene"]["all"]), mean(found["object"]["all"]), mean(found["object"]["moving"])


def recipes() -> str:
    """Every recipe, trained by the command line on real data."""
    found = load("recipes")
    if found is None:
        return ""
    rows: Rows = []
    for name, targets in found["beaten"].items():
        runs = [run for key, run in sorted(found["runs"].items()) if key.split("/")[0] == name]
        for target, met in targets.items():
            told = [", ".join(mean(run["scores"][kind][target], 3) for run in runs) for kind in ENCODERS]
            rows.append(
                (name, target, *told, "yes" if met else "no", f"{sum(run['seconds'] for run in runs) / len(runs):.0f}")
            )
    commands = [run["command"] for key, run in found["runs"].items() if key.endswith("/0")]
    header = ("recipe", "read", *ENCODERS, "both floors beaten", "training, s")
    return (
        "## Every recipe on real data\n\n`OMP_NUM_THREADS=1 uv run benchmarks/recipes.py DATA`: trained by the command "
        "line, then a linear probe of the frozen encoder on held-out recordings (share of classes right, or R²), each seed "
        "with its bootstrap interval over episodes; beside it the untrained encoder of the same seed and raw values. A "
        f"floor is beaten where the intervals are disjoint for every seed.\n\n{table(header, rows)}\n\nThe commands, with "
        "seed 0:\n\n```text\n" + "\n".join(commands) + "\n```\n"
    )
