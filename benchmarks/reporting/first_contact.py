"""Gymnasium environments from the command line, collection speed, and a busy machine."""

from typing import Any

from reporting.text import Rows, load, table

NAMES = {
    "mountain_car": "MountainCarContinuous, goal `state=[0.45,0]`",
    "cart_pole": "CartPole, goal `state=[0,0,0,0]`",
    "fetch_reach": "FetchReach (gymnasium-robotics), `is_success`",
    "minigrid": "MiniGrid-Empty-5x5",
}
SCORES = {"mountain_car": ">= 90 %"}


def gymnasium_scores() -> str:
    """What a newcomer gets of Gymnasium environments."""
    found = load("gymnasium_scores")
    if found is None:
        return ""
    rows: Rows = []
    for name, title in NAMES.items():
        one = found["runs"].get(name)
        if one is None:
            rows.append((title, "not measured", "", "", "", ""))
            continue
        seconds, scores = one["seconds"], one.get("scores", {})
        spent = ", ".join(f"{step} {value:.0f}" for step, value in seconds.items())
        agent, random = (_score(scores.get(actor)) for actor in ("agent", "random"))
        rows.append((title, agent, random, SCORES.get(name, ""), spent, f"{one['cpu']}, load {one['load']:.1f}"))
    header = ("environment", "agent", "random actions", "bar", "seconds", "machine")
    return (
        "## Gymnasium environments from the command line\n\n`uv run benchmarks/gymnasium_scores.py`: `tacit collect`, "
        "`tacit train` without a recipe and `tacit eval`, with seeds that no recording has. Seconds are of a machine "
        "shared with other work, which its load average tells.\n\n"
        f"{table(header, rows)}\n"
    )


def _score(score: Any) -> str:
    """Return success where it is known, and the return."""
    if score is None:
        return "not scored"
    parts = []
    if score.get("success"):
        rate = score["success"]
        parts.append(f"{100 * rate['rate']:.1f} % [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}] of {rate['n']}")
    if score.get("return"):
        mean = score["return"]
        parts.append(f"return {mean['mean']:.1f} [{mean['low']:.1f}, {mean['high']:.1f}] of {mean['n']} episodes")
    return ", ".join(parts)


def collection_speed() -> str:
    """How much collecting adds to bare Gymnasium."""
    found = load("collection_speed")
    if found is None:
        return ""
    rows: Rows = [
        (
            name,
            f"{one['bare_us']:.0f}",
            f"{one['collect_us']:.0f}",
            f"{one['ratio']:.2f}",
            f"{one['steps_per_second']:.0f}",
        )
        for name, one in found["runs"].items()
    ]
    header = ("environment", "bare, us a step", "collect, us a step", "ratio", "steps a second")
    return (
        "## Collecting next to bare Gymnasium\n\n`uv run benchmarks/collection_speed.py`: processor time of "
        "`tc.collect` with 16 worlds in one process and of a loop that records nothing, random actions, median of the "
        f"ratios of a run. Targets: a ratio of 1.5 where a bare step takes 100 us or more; CartPole 30,000 steps a second. "
        f"Machine: {found['cpu']}, load {found['load']:.1f}.\n\n{table(header, rows)}\n"
    )


def busy() -> str:
    """What two busy processes do."""
    found = load("busy")
    if found is None:
        return ""
    titles = {
        "demo_s": "`tacit demo --pretrained`, s",
        "p50_ms": "a decision, median, ms",
        "p99_ms": "a decision, p99, ms",
    }
    rows: Rows = [
        (title, *(f"{found['medians'][state][key]:.1f}" for state in ("quiet", "busy")), f"{found['ratios'][key]:.2f}")
        for key, title in titles.items()
    ]
    return (
        f"## Next to {found['busy_processes']} busy processes\n\n`uv run benchmarks/busy.py` on two cores, quiet and busy in "
        f"turn; target: a ratio of 4. Machine: {found['cpu']}, load before {found['load_before']:.1f}.\n\n"
        f"{table(('', 'quiet', 'busy', 'ratio'), rows)}\n"
    )
