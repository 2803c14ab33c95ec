"""Collapse: how long healthy trainings look collapsed, and when training warns of ones that are."""

from typing import Any

from collapse import CASES
from reporting.text import Rows, load, table
from tacit.training import monitor


def collapse() -> str:
    """Return the complaints and warnings of each recipe, healthy and collapsing."""
    found = load("collapse")
    if found is None:
        return ""
    runs, settings = found["runs"], found["settings"]
    rows: Rows = [
        (f"`{name}`", str(case.steps), *_healthy(runs.get(f"{name}/healthy")), *_broken(runs.get(f"{name}/collapsing")))
        for name, case in CASES.items()
    ]
    header = ("recipe", "steps", "longest complaint", "warned at", "last step", "R²")
    broken = ("cause of collapse", "first complaint", "warned at", "R²")
    return (
        f"## Collapse\n\n`OMP_NUM_THREADS=1 uv run benchmarks/collapse.py`: every recipe on {settings['episodes']} episodes "
        f"of Two Rooms at {settings['side']} x {settings['side']} pixels with a small model and one seed, as it is (left) "
        "and with what may make it collapse (right). After the warm-up, and from step 100 on, the monitor complains of "
        f"latents that look wrong; training warns of what lasts for {monitor.LASTING} steps and 1/{monitor.SHARE} of the "
        "run, or up to the end. R² is that of a linear probe of the position on held-out episodes; a run that has warned "
        "is stopped and probed there. What never warned on the right did not collapse: its R² is no lower than on the "
        "left. `vjepa2_ac` has a frozen encoder on the left, which is not judged; SIGReg of `lejepa` weighs 16 times its "
        f"recipe's 0.05, for a batch of 16 in place of 256.\n\n{table((*header, *broken), rows)}\n"
    )


def _healthy(run: dict[str, Any] | None) -> tuple[str, ...]:
    if run is None:
        return ("not measured", "", "", "")
    lasted = [(one["healthy_again"] or run["steps"]) - one["first"] for one in run["complaints"]]
    last = "complaint" if "warning" in run["last"] else "healthy"
    return f"{max(lasted)} steps" if lasted else "none", _step(run["warned_at"]), last, f"{run['probe_r2']:.2f}"


def _broken(run: dict[str, Any] | None) -> tuple[str, ...]:
    if run is None:
        return ("not measured", "", "", "")
    first = run["complaints"][0]["first"] if run["complaints"] else None
    return run["cause"], _step(first), _step(run["warned_at"]), f"{run['probe_r2']:.2f}"


def _step(step: int | None) -> str:
    return "never" if step is None else f"step {step}"
