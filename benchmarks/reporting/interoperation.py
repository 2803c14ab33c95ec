"""Data exchanged with other libraries."""

from reporting.text import Rows, load, mean, met, table


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
    learnt = found["tacit_trains_on_what_lerobot_wrote"]
    return (
        f"## Both ways with lerobot {found['versions']['lerobot']['lerobot']}\n\n`uv run benchmarks/lerobot_interop.py`: "
        "two cameras of different size; states, actions and tasks exact in every row.\n\n"
        f"{table(('direction', 'episodes', 'chunks', 'pixels, mean and largest difference in levels', ''), rows)}\n\n"
        f"A world model trained by Tacit for {learnt['steps']} steps on what lerobot wrote errs by "
        f"{mean(learnt['open_loop_error'], 3)} in latents of {learnt['held_out_episodes']} held-out episodes; keeping the "
        f"last latent by {mean(learnt['copy_last'], 3)}.\n"
    )


def memory() -> str:
    """Training on large videos that lerobot wrote."""
    found = load("lerobot_memory")
    if found is None:
        return ""
    training, settings = found["training"], found["settings"]
    rows: Rows = [
        ("peak memory of the process", "< 4 GB", _gigabytes(training["peak_bytes"]), met(found["passed"])),
        ("cache of decoded images", "", _gigabytes(training["cache_bytes"]), ""),
        ("the same at the recorded size", "", _gigabytes(training["decoded_bytes_recorded_size"]), ""),
    ]
    height, width = next(iter(found["cameras"].values()))
    return (
        f"## Large videos from lerobot {found['lerobot']}\n\n`{found['command']}`: {training['episodes']} episodes, "
        f"{training['observations']} observations of {len(found['cameras'])} cameras of {height} x {width}, read at "
        f"`size={settings['size']}`; {settings['steps']} steps of a world model, batches of {settings['batch_size']} "
        f"clips of {settings['clip']}. Decoding took {training['seconds_decoding']:.0f} s, all "
        f"{training['seconds']:.0f} s, on one thread of a shared machine.\n\n"
        f"{table(('what', 'target', 'measured', ''), rows)}\n\n"
        "The same training at the recorded size, with 4 GB of memory free, is refused before it begins: "
        f'"{found["recorded_size"]["said"]}"\n'
    )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"
