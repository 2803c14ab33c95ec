"""Speed: next to other libraries, and against floors."""

from reporting.text import Rows, load, met, table


def peers() -> str:
    """Next to stable-worldmodel."""
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
            met(row["met"]),
        )
        for row in found.values()
    ]
    plan = found.get("plan", {}).get("ours", {})
    equal = ""
    if plan:
        gaps, rounds = plan["difference_of_the_means"], plan["rounds_with_the_same_mean"]
        equal = (
            f" The energies of the same candidates in all {len(gaps)} rounds of a search agree to "
            f"{plan['largest_relative_energy_difference_of_all_rounds']:.1e} relative. With the same injected noise both "
            f"searches have the same mean, to {max(gaps[:rounds]):.0e}, for {rounds} of {len(gaps)} rounds."
        )
        if rounds < len(gaps):
            margin = plan["relative_margin_of_the_elite_in_the_next_round"]
            tie = f"a tie (to {margin:.0e} relative)" if margin else "an exact tie"
            equal += f" Then the elite ends in {tie}, which each side breaks in its own way."
    repeats = next(iter(found.values()))["repeats"]
    return (
        "## Next to stable-worldmodel\n\n`uv run benchmarks/peers.py`: stable-worldmodel 0.1.1 from the package index in "
        f"an environment of its own, the same torch release, one thread, medians of CPU seconds of {repeats} fresh "
        f"processes a side in turn.{equal}\n\n"
        f"{table(('work', 'Tacit, CPU s', 'stable-worldmodel, CPU s', 'ratio', 'target', ''), rows)}\n"
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
        "## The floor of planning\n\n`OMP_NUM_THREADS=1 uv run --group onnx benchmarks/planning_speed.py`: 300 candidates of 5 blocks, LeWM's predictor, "
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


def perception_speed() -> str:
    """Next to transformers, on images and videos."""
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
            met(row["met"]),
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
        "## Next to transformers, on videos and images\n\n`uv run benchmarks/perception_speed.py`: "
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
        f"{met(memory['met'])}). Peak of a step beyond what was resident: "
        f"{peak['ours_step'] / 1e6:.0f} MB, {peak['ours_dense'] / 1e6:.0f} MB with every token, transformers "
        f"{peak['theirs_step'] / 1e6:.0f} MB.\n"
    )
