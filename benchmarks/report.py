"""Write RESULTS.md from the files in results/: `uv run benchmarks/report.py [--demo tacit-demo]`.

Every figure there comes from a command named beside it. --demo takes the figures of a demo's own report first.
"""

import argparse
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Rows = list[tuple[str, ...]]


def load(name: str) -> Any:
    """One result file, or None where it was not measured yet."""
    path = HERE / "results" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def rate(value: dict[str, float]) -> str:
    """A rate with its Wilson interval."""
    return f"{100 * value['rate']:.1f} % [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"


def table(header: tuple[str, ...], rows: Rows) -> str:
    """A Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def demo() -> str:
    """The demo's own report."""
    found = load("demo")
    if found is None:
        return ""
    planning, seconds = found["planning"], found["seconds"]
    rows: Rows = [(name, rate(planning[name])) for name in ("success", "random", "amortised", "ceiling")]
    spent = ", ".join(f"{name} {value:.0f}" for name, value in seconds.items())
    return (
        "## The demo\n\n`uv run tacit demo`: Two Rooms, fixed wall, start and goal in opposite rooms, goal given as a "
        f"picture, {planning['success']['n']} held-out tasks, success at the last of 100 steps.\n\n"
        f"{table(('actor', 'solved'), rows)}\n\nPosition probe R² {found['probe']['position']['r2']:.4f} (linear, "
        f"held-out episodes); effective rank {found['effective_rank']:.1f}. Wall seconds on 2 cores: {spent}.\n"
    )


def rooms(name: str, title: str, command: str, target: str) -> str:
    """Several training seeds of a Two Rooms recipe."""
    found = load(name)
    if found is None:
        return ""
    rows: Rows = []
    for run in found["runs"]:
        planning, seconds = run["planning"], run["seconds"]
        probes = ", ".join(
            f"{label} {value['linear']:.3f} / {value['mlp']:.3f}" for label, value in run["probe_r2"].items()
        )
        rows.append(
            (
                str(run["seed"]),
                *(rate(planning[key]) for key in ("success", "random", "amortised", "ceiling")),
                probes,
                f"{seconds['train_cpu']:.0f}",
                f"{seconds['plan_cpu']:.0f}",
            )
        )
    header = ("seed", "agent", "random", "policy alone", "same planner, true dynamics", "probe R² linear / MLP")
    return (
        f"## {title}\n\n`{command}`: {found['episodes']} episodes of random wandering, nine tenths to train on, "
        f"{found['runs'][0]['planning']['success']['n']} held-out tasks (task seed {found['runs'][0]['task_seed']}; everything was tuned on seeds from "
        f"1000 up). Target: {target}. Over {len(found['runs'])} training seed(s): median {100 * found['median']:.1f} %, "
        f"worst {100 * found['worst']:.1f} %.\n\n"
        f"{table((*header, 'training, CPU s', 'the four evaluations, CPU s'), rows)}\n"
    )


def ablation() -> str:
    """eb_jepa's loss, whole and without each term."""
    found = load("ablation")
    if found is None:
        return ""
    published = {"": "97", "variance": "47", "covariance": "46", "time_similarity": "61", "inverse_dynamics": "1"}
    rows: Rows = []
    for without in published:
        runs = [run for run in found["runs"] if run["without"] == without]
        if not runs:
            continue
        solved = {cost: ", ".join(rate(run["planning"][cost]) for run in runs) for cost in ("last", "sum")}
        mean = sum(run["planning"]["last"]["rate"] for run in runs) / len(runs)
        probes = [f"{run['probe_r2']['position']['linear']:.3f}" for run in runs]
        rows.append(
            (
                without or "(whole)",
                f"**{100 * mean:.1f} %**",
                solved["last"],
                solved["sum"],
                ", ".join(probes),
                f"{sum(run['train_cpu_seconds'] for run in runs) / len(runs):.0f}",
                f"{published[without]} %",
            )
        )
    header = (
        "without",
        "mean of seeds",
        "last-step cost, each seed",
        "summed cost",
        "position probe R²",
        "training, CPU s",
    )
    return (
        "## What each term of eb_jepa's loss is worth\n\n`OMP_NUM_THREADS=1 uv run benchmarks/ablation.py`: random wall "
        "and door, the weights that eb_jepa publishes (16 variance, 8 covariance, 12 time similarity, 1 inverse "
        f"dynamics), GRU predictor, {found['episodes']} episodes, the same 200 held-out tasks (task seed "
        f"{found['task_seed']}) for every run. Smaller than there: latents of 128 from a small encoder, 1500 updates of 64 "
        "clips, four steps of the world in one of the model, plans of 64 steps. Disc and wall have a channel each, as in its "
        "data. **The published ordering is reproduced for inverse dynamics alone:** without it nothing is reached. Variance "
        "and covariance make no difference here, where encoder and predictor end in a LayerNorm as published, and time "
        "similarity, whose weight counts for more between observations four steps apart, costs success.\n\n"
        f"{table((*header, 'eb_jepa publishes'), rows)}\n"
    )


def images() -> str:
    """Representations against pixels on Fashion-MNIST."""
    found = load("images")
    if found is None:
        return ""

    def read(point: dict[str, Any]) -> str:
        few = point.get("few_labels")
        text = rate(point["linear"])
        return (
            text
            if few is None
            else f"{text}; {100 * few['mean']:.1f} % [{100 * few['low']:.1f}, {100 * few['high']:.1f}]"
        )

    rows: Rows = [
        (f"{name}, seed {seed}" if name != "raw" else "raw pixels", "", read(point), "")
        for seed, some in found["floors"].items()
        for name, point in some.items()
    ]
    for name, run in sorted(found["runs"].items()):
        method, seed = name.split("/")
        for point in run["points"][-1:]:
            rows.append(
                (f"{method}, seed {seed}", f"{point['operations']:.2e}", read(point), f"{run['cpu_seconds']:.0f}")
            )
    header = ("encoder", "operations", "linear probe; 12 labels a class", "training and probing, CPU s")
    return (
        "## Representations against pixels, Fashion-MNIST\n\n`OMP_NUM_THREADS=1 uv run benchmarks/images.py DATA --budget "
        f"{found['budget']:.0e}`: an encoder 96 wide and 6 deep with patches of 4, each method from nothing to the same "
        "budget of floating-point operations, read frozen on the 10,000 test pictures. The last point of each run; the log "
        f"grid is in the result file.\n\n{table(header, rows)}\n"
    )


def reacher() -> str:
    """MuJoCo Reacher."""
    found = load("reacher")
    if found is None:
        return ""
    rows: Rows = [
        (
            str(run["seed"]),
            *(rate(run["planning"][key]) if key in run["planning"] else "not run" for key in ("success", "random")),
            rate(run["planning"]["amortised"]),
            f"{run['probe_r2_pose']['linear']:.4f} / {run['probe_r2_pose']['mlp']:.4f}",
            f"{run['trained_on']['pictures']}",
            f"{run['seconds']['train_cpu']:.0f}",
            f"{run['seconds']['plan_cpu']:.0f}",
        )
        for run in found["runs"]
    ]
    header = ("seed", "agent", "random", "policy alone", "pose probe R² linear / MLP", "pictures trained on")
    return (
        "## Reacher from pixels\n\n`uv run benchmarks/reacher.py`: MuJoCo Reacher of dm_control, 64 px, goal given as a "
        "picture, solved within 0.05 rad of both joints at any of 50 steps, data of random actions. LeWorldModel "
        "publishes 86 % in a protocol of its own, which is not this one. All seeds: "
        f"{rate(found['pooled'])} of {found['pooled']['n']} (the same 200 tasks for each seed, so the interval is too "
        f"narrow); the same planner with the true dynamics: {rate(found['ceiling']['success'])} of "
        f"{found['ceiling']['success']['n']}.\n\n"
        f"{table((*header, 'training, CPU s', 'planning, CPU s'), rows)}\n\nWhat limits it: {found['limits']}\n"
    )


def peers() -> str:
    """Beside stable-worldmodel."""
    found = load("peers")
    if found is None:
        return ""
    rows: Rows = [
        (
            row["what"],
            f"{row['ours_cpu_seconds']:.3g}",
            f"{row['theirs_cpu_seconds']:.3g}",
            f"**{row['ratio']:.1f}x**",
            f"{row['target']}x",
            "met" if row["met"] else "missed",
        )
        for row in found.values()
    ]
    plan = found.get("plan", {}).get("ours", {})
    equal = (
        f" The energies of the same 300 candidates agree to {plan['largest_relative_energy_difference']:.1e} relative."
        if plan
        else ""
    )
    return (
        "## Beside stable-worldmodel\n\n`uv run benchmarks/peers.py`: stable-worldmodel 0.1.1 from the package index in "
        "an environment of its own, the same torch release, one thread, medians of CPU seconds of fresh processes in "
        f"turn.{equal}\n\n"
        f"{table(('work', 'Tacit, CPU s', 'stable-worldmodel, CPU s', 'ratio', 'target', ''), rows)}\n"
    )


def perception_speed() -> str:
    """Beside transformers, on pictures and films."""
    found = load("perception_speed")
    if found is None:
        return ""
    rows: Rows = [
        (
            row["what"],
            f"{row['ours_cpu_seconds']:.3f}",
            f"{row['theirs_cpu_seconds']:.3f}",
            f"**{row['ratio']:.2f}x** [{row['ratio_of_rounds'][0]:.2f}, {row['ratio_of_rounds'][1]:.2f}]",
            f"{row['target']}x",
            "met" if row["met"] else "missed",
            "equal" if row["same_function"] else "another function",
            f"{row['ours_over_floor']:.1f}x",
            f"{row['ours_with_layers_of_torch']:.3f}",
        )
        for row in found["rows"].values()
    ]
    header = (
        "work",
        "Tacit, CPU s",
        "transformers, CPU s",
        "ratio [rounds]",
        "target",
        "",
        "loss and gradients",
        "Tacit over its floor",
        "Tacit with torch's own linear layers, CPU s",
    )
    shares = [(name, *(f"{100 * value:.0f} %" for value in parts.values())) for name, parts in found["profile"].items()]
    parts = tuple(next(iter(found["profile"].values())))
    memory = found["memory"]
    saved, peak = memory["saved_for_backward"], memory["peak_of_a_step"]
    return (
        "## Beside transformers, on films and pictures\n\n`uv run benchmarks/perception_speed.py`: "
        f"{found['theirs'][0]} in an environment of its own, the same torch release, weights read from its files with "
        "`tacit.checkpoint.convert`, ViT-Tiny (192 wide, 12 blocks) with a predictor of 96 wide and 6 blocks, float32, "
        f"one thread, {found['rounds']} fresh processes of each side in turn, medians of CPU seconds. A step is target "
        "encoder without gradients, context encoder, predictor, loss, backward. The call of transformers encodes every "
        "token and masks afterwards, so the first row is the cost of two different functions; in the others the "
        "function is one, and losses and norms of gradients agree to 1e-4. Attention is PyTorch's SDPA on both sides, "
        f"{', '.join(f'{count} calls of {name}' for name, count in found['attention'].items())} in a step. Floor: "
        f"multiplications at {found['gigaflop_per_second']} GFLOP/s, the best rate of a large packed product in the "
        "same run. The last column is one run without oneDNN's linear: nearly all of the lead at equal work is that "
        "layer, and where PyTorch's own is as fast, expect little of it.\n\n"
        f"{table(header, rows)}\n\nWhere our time goes, in one profiled step; two fifths to a half of what lies over "
        "the floor is SDPA, which reaches a third of the rate of a large product:\n\n"
        f"{table(('work', *parts), shares)}\n\nMemory: the context encoder keeps {saved['visible'] / 1e6:.0f} MB for "
        f"backward at 90 % hidden and {saved['dense'] / 1e6:.0f} MB with every token, "
        f"{memory['visible_over_dense']:.2f}x (target <= {memory['target']}x, "
        f"{'met' if memory['met'] else 'missed'}). Peak of a step beyond what was resident: "
        f"{peak['ours_step'] / 1e6:.0f} MB, {peak['ours_dense'] / 1e6:.0f} MB with every token, transformers "
        f"{peak['theirs_step'] / 1e6:.0f} MB.\n"
    )


def planning() -> str:
    """The fast path against its floor."""
    found = load("planning_speed")
    if found is None:
        return ""
    rows: Rows = [
        (name, f"{value:.3f}", f"{found['times_plain'][name]:.2f}x") for name, value in found["seconds"].items()
    ]
    return (
        "## The floor of planning\n\n`uv run benchmarks/planning_speed.py`: 300 candidates of 5 blocks, LeWM's predictor, "
        f"float32 but for bf16, one thread. {found['gigaflop']} GFLOP at {found['peak_gigaflop_per_second']} GFLOP/s, the "
        f"best that a large matrix product reached in the same run, make a floor of {found['floor_seconds']:.3f} s; the "
        f"public path takes {found['public_over_floor']:.2f} times that. bf16 moves energies by "
        f"{found['energy_relative_error']['bf16']:.1e} relative.\n\n{table(('path', 'CPU s', 'against plain'), rows)}\n"
    )


def floors() -> str:
    """The other fast paths against theirs."""
    found = load("floors")
    if found is None:
        return ""
    rows: Rows = [
        (row["what"], f"{row['seconds']:.3g}", f"{row['floor']:.3g}", row["needs"], f"{row['over']:.1f}x", row["gap"])
        for row in found["rows"]
    ]
    header = ("work", "CPU s", "floor, CPU s", "what it cannot do without", "over the floor", "where the rest goes")
    return (
        "## The other floors\n\n`OMP_NUM_THREADS=1 uv run benchmarks/floors.py`: the bytes at the speed of a bare copy, the "
        "multiplications at the best rate of a large matrix product, or the imports, all measured in the same run.\n\n"
        f"{table(header, rows)}\n"
    )


def interop() -> str:
    """Both ways with lerobot."""
    found = load("lerobot_interop")
    if found is None:
        return ""
    names = {
        "tacit_writes_video_lerobot_reads": "Tacit writes video, lerobot reads",
        "tacit_writes_lossless_lerobot_reads": "Tacit writes lossless, lerobot reads",
        "lerobot_writes_tacit_reads": "lerobot writes, Tacit reads",
    }
    rows: Rows = [
        (
            text,
            str(found[key]["episodes"]),
            ", ".join(f"{what} {count}" for what, count in found[key]["chunks"].items()),
            f"{found[key]['pixels_mean_difference']:.2f}, {found[key]['pixels_largest_difference']:.0f}",
            "passed" if found[key]["passed"] else "failed",
        )
        for key, text in names.items()
    ]
    return (
        f"## Both ways with lerobot {found['versions']['lerobot']['lerobot']}\n\n`uv run benchmarks/lerobot_interop.py`: "
        "two cameras of different size; states, actions and tasks exact in every row.\n\n"
        f"{table(('direction', 'episodes', 'chunks', 'pixels, mean and largest difference in levels', ''), rows)}\n"
    )


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, help="the folder of a demo to take the figures of")
    folder = parser.parse_args().demo
    if folder is not None:
        report = json.loads((folder / "report.json").read_text())
        report["planning"].pop("details", None)  # every task of every actor
        (HERE / "results" / "demo.json").write_text(json.dumps(report, indent=2) + "\n")
    fixed = "uv run benchmarks/two_rooms.py --recipe two_rooms"
    moving = "uv run benchmarks/two_rooms.py --recipe random_rooms --env two_rooms:layout=random --episodes 3000 --task-seed 2"
    parts = [
        "# Results\n\nWritten by `uv run benchmarks/report.py` from the files in `benchmarks/results/`, which hold seeds, "
        "settings, versions and the revision. Rates are of held-out tasks with 95 % Wilson intervals. The machine: 2 "
        "cores of an AMD EPYC, shared with other work while it measured, so read ratios before seconds.\n",
        demo(),
        rooms("two_rooms", "Two Rooms, fixed wall", fixed, "median >= 95 %, worst >= 92 %, trained in <= 5 minutes"),
        rooms("random_rooms", "Two Rooms, random wall and door", moving, ">= 90 % within 60 CPU-minutes"),
        ablation(),
        reacher(),
        images(),
        peers(),
        planning(),
        floors(),
        perception_speed(),
        interop(),
        "## Not measured yet\n\nThe studies of videos, of motion and content, and of action-labelled minutes; the remaining "
        "methods of the study on pictures; anything on a GPU.\n",
    ]
    (HERE / "RESULTS.md").write_text("\n".join(part for part in parts if part))


if __name__ == "__main__":
    main()
