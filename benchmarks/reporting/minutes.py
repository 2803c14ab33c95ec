"""Planning by minutes of labelled actions: what encoders that videos taught are worth, as tables and as an image."""

from typing import Any

import numpy as np
import numpy.typing as npt

from reporting.drawing import Panel, scores
from reporting.text import Rows, load, mean, rate, table
from tacit.statistics import Curve, cost_ratio, crossed_bootstrap

WORLDS = {"two_rooms": "Two Rooms", "reacher": "Reacher"}
METHODS = {
    "frozen": "encoders from videos, frozen",
    "frozen_untrained": "the same encoders, untrained",
    "end_to_end": "from pixels alone",
    "tokens": "V-JEPA 2-AC in the tokens",
}
"""In the order of a legend."""
GAINS = (("frozen", "end_to_end"), ("frozen", "frozen_untrained"), ("tokens", "end_to_end"))
TARGETS = (0.25, 0.5, 0.75)
PICTURE = "action_minutes.svg"
Runs = dict[tuple[str, float], dict[str, dict[str, Any]]]
"""By method and minutes, then by seed."""


def action_data(env: str) -> str:
    """Planning by minutes of labelled actions in one environment."""
    found = load(f"action_data_{env}")
    if found is None:
        return ""
    runs, kinds = _by_minutes(found), tuple(found["floors"])
    settings = found["settings"]["tasks"]
    spent = [one["seconds"] for one in found["encoders"].values()]
    said = {"drawn": "drawn by the environment", "reached": f"reached by a wandering {settings['within']} steps later"}
    gl = "MUJOCO_GL=egl " if env == "reacher" else ""
    random = "; ".join(f"{rate(floor)} of those {said[kind]}" for kind, floor in found["floors"].items())
    header = (
        "method",
        "labelled minutes",
        *(name for kind in kinds for name in (f"goals {said[kind]}: solved", "each seed, %", "policy alone, %")),
        "slope, near",
        "far",
        "training, s",
        "planning, s",
    )
    return (
        f"## How many minutes of actions: {WORLDS[env]}\n\n`{gl}OMP_NUM_THREADS=1 uv run benchmarks/action_data.py {env}`: "
        "an encoder of videos (V-JEPA 2 with the dense loss of V-JEPA 2.1, 96 wide, 6 deep) from "
        f"{found['films_minutes']:.0f} minutes without actions in {sum(spent) / len(spent):.0f} s. The environment's own "
        "recipe learns its latents from pixels, on the labelled minutes alone (`end_to_end`), from all tokens of that "
        "encoder, frozen (`frozen`), or of the same encoder untrained (`frozen_untrained`); V-JEPA 2-AC predicts and plans "
        f"in the frozen tokens themselves (`tokens`), one block ahead. {settings['count']} held-out tasks of each kind "
        f"(task seed {settings['seed']}), the same for every run; intervals resample seeds and tasks. Random actions solve "
        f"{random}.\n\n{table(header, _solved(found, runs, kinds))}\n\nWhat the first solves beyond the second, in points, of "
        f"the same tasks:\n\n{_gains(runs, kinds, said)}\n\nHow many times as many labelled minutes a training from pixels "
        "needs as one with encoders from videos, to solve as many tasks; means over seeds, bootstrap intervals over seeds:\n\n"
        f"{_ratios(runs, kinds, said)}\n\n![Tasks solved over labelled minutes](../docs/{PICTURE})\n\nSlope: rank correlation "
        "between the energy that an agent minimises and the distance of two frames, in the nearest quarter of the pairs and in the others. Training is that of the world model. How well "
        f"single frames of held-out videos show the state, R²:\n\n{_eyes(found)}\n"
    )


def picture() -> bytes | None:
    """Tasks solved over labelled minutes, a panel for each kind of task; None where nothing was measured."""
    panels = []
    for env, world in WORLDS.items():
        found = load(f"action_data_{env}")
        for kind in found["floors"] if found else ():
            away = "in the other room" if env == "two_rooms" and kind == "drawn" else "25 steps away"
            lines = {}
            for method, label in METHODS.items():
                minutes = sorted(some for name, some in _by_minutes(found) if name == method)
                lines[label] = minutes, [found["summary"][f"{method}/{some:g}/{kind}"]["mean"] for some in minutes]
            panels.append(Panel(f"{world}, goals {away}", lines))
    if not panels:
        return None
    return scores(panels, "minutes with actions", "held-out tasks solved, %", "{:g}".format, (0, 102))


def _by_minutes(found: dict[str, Any]) -> Runs:
    runs: Runs = {}
    for name, run in sorted(found["runs"].items()):
        method, minutes, seed = name.split("/")
        runs.setdefault((method, float(minutes)), {})[seed] = run
    return runs


def _solved(found: dict[str, Any], runs: Runs, kinds: tuple[str, ...]) -> Rows:
    rows: Rows = []
    for method, minutes in sorted(runs):
        some = [*runs[method, minutes].values()]
        cells = []
        for kind in kinds:
            over = found["summary"][f"{method}/{minutes:g}/{kind}"]["mean"]
            tasks = [run["tasks"][kind] for run in some]
            cells += [
                f"**{rate({**over, 'rate': over['mean']})}**",
                ", ".join(f"{100 * part['success']['rate']:.1f}" for part in tasks),
                ", ".join(f"{100 * part['policy']['rate']:.1f}" for part in tasks),
            ]
        rows.append(
            (
                method,
                f"{minutes:g}",
                *cells,
                *(f"{sum(run['slope'][where] for run in some) / len(some):.2f}" for where in ("near", "far")),
                *(f"{sum(run['seconds'][part] for run in some) / len(some):.0f}" for part in ("training", "planning")),
            )
        )
    return rows


def _gains(runs: Runs, kinds: tuple[str, ...], said: dict[str, str]) -> str:
    """Differences on the same tasks and labelled minutes, of the seeds that both have."""
    minutes = sorted({some for _, some in runs})
    rows: Rows = []
    for kind in kinds:
        for pair in GAINS:
            cells = []
            for some in minutes:
                first, second = (runs.get((method, some), {}) for method in pair)
                apart = [_marks(first[seed], kind) - _marks(second[seed], kind) for seed in first if seed in second]
                over = crossed_bootstrap(np.stack(apart)) if apart else None
                cells.append(f"{100 * over.mean:+.1f} [{100 * over.low:+.1f}, {100 * over.high:+.1f}]" if over else "")
            rows.append((f"goals {said[kind]}", f"`{pair[0]}` beyond `{pair[1]}`", *cells))
    return table(("", "", *(f"{some:g} min" for some in minutes)), rows)


def _marks(run: dict[str, Any], kind: str) -> npt.NDArray[np.float64]:
    """Which tasks a run solved, ``[tasks]`` of 0 and 1."""
    return np.array([float(mark) for mark in run["tasks"][kind]["solved"]])


def _ratios(runs: Runs, kinds: tuple[str, ...], said: dict[str, str]) -> str:
    minutes = sorted({some for _, some in runs})
    rows: Rows = []
    for kind in kinds:
        solved = [_over_minutes(runs, method, kind, minutes) for method in ("frozen", "end_to_end")]
        if all(solved):
            first, second = (Curve(minutes, one) for one in solved)
            cells = (
                "before the first point"
                if any(curve.mean()[0] >= target for curve in (first, second))
                else str(cost_ratio(first, second, target))
                for target in TARGETS
            )
            rows.append((f"goals {said[kind]}", *cells))
    return table(("", *(f"{100 * target:g} %" for target in TARGETS)), rows)


def _over_minutes(runs: Runs, method: str, kind: str, minutes: list[float]) -> list[list[float]]:
    """The share of tasks solved, ``[seeds, minutes]``, of the seeds that were measured with all minutes."""
    over = [runs.get((method, some), {}) for some in minutes]
    seeds = [seed for seed in over[0] if all(seed in one for one in over)]
    return [[one[seed]["tasks"][kind]["success"]["rate"] for one in over] for seed in seeds]


def _eyes(found: dict[str, Any]) -> str:
    rows: Rows = [
        (
            f"{name}, seed {seed}",
            *(mean(value[kind], 3) if kind in value else "" for kind in ("linear", "flat", "attentive")),
        )
        for seed, one in found["encoders"].items()
        for name, value in one["r2"].items()
    ]
    return table(("encoder", "linear, mean token", "linear, all tokens", "attentive"), rows)
