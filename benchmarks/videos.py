"""Latents against pixels on videos of two digits, at equal floating-point operations.

`middle` and `drift` are means over the two digits. Surprise is the mean absolute error of the prediction of the last
two frames of a window from the six before; each video is shown as it is, with a digit that vanishes, and with one that
jumps. Settings were chosen on training videos.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import tacit as tc
from encoders import DENSE, JEPA
from tacit import studies
from tacit.evaluation.surprise import Surprise, detection, surprise
from tacit.studies import Budget, Report, Run, RunResult, Study, columns, table
from tacit.studies.budgets import recipe_of, train_to_budget
from tacit.studies.probe_scores import ProbeScores, baseline_verdicts, commands

FRAMES, SEEN, POINTS = 8, 6, 3


@dataclass(frozen=True)
class Settings:
    """Recipe with its options; empty for baselines.

    Attributes:
        probed: Windows that probes are fitted on; scored on as many of held-out videos.
        triples: Videos for the surprise, each in three versions.
    """

    recipe: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    probed: int = 4000
    triples: int = 400


# Videos have more windows than a run reads; with the rotary positions of V-JEPA 2 mean tokens hold more of the digits.
VIDEOS = {
    name: value for name, value in JEPA.items() if name not in ("model.mask_tokens", "training.lr", "training.ema")
}
CAUSAL = {"masking": {"name": "future", "options": {"share": [SEEN / FRAMES, SEEN / FRAMES]}}}
TUBES = {"masking": {"name": "random_patches", "options": {"ratio": 0.9, "tube": True}}}
METHODS = {
    "vjepa": Settings("vjepa", JEPA),
    "vjepa_dense": Settings("vjepa", {**JEPA, **DENSE}),
    "vjepa2_dense": Settings("vjepa2", {**JEPA, **DENSE}),
    "vjepa_causal": Settings("vjepa", {**JEPA, **DENSE, **CAUSAL, "model.mask_tokens": 1}),
    "videomae": Settings("mae", {**VIDEOS, **TUBES}),
    "videomae_causal": Settings("mae", {**VIDEOS, **CAUSAL}),
}
PROBES = {
    "linear": tc.probing.probes.Linear(),
    "flat": tc.probing.probes.Linear(pool="flat"),
    "attentive": tc.probing.probes.Attentive(lrs=(3e-3, 1e-3), weight_decays=(0.01,), epochs=10),
}
READ = {
    "linear": ("smaller", "larger", "position", "velocity", "middle", "drift"),
    "flat": ("position", "velocity"),  # of 24,576 numbers, which is slow
    "attentive": ("smaller", "larger", "position", "velocity"),
}
EVENTS = {"vanish": 1, "teleport": 2}
Data = Mapping[str, tc.data.Episodes]
Parts = tuple[tc.probing.Features, tc.probing.Features]


def features(model: Any, data: Data, probed: int, tokens: bool = True) -> Parts:
    """Return features of windows of training and of held-out videos, with the targets to read."""
    found = []
    for part in ("train", "test"):
        some = tc.probing.features(model, data[part], tokens=tokens, frames=probed, length=FRAMES, seed=0)
        digits, position, velocity = (some.target(name) for name in ("digits", "position", "velocity"))
        targets = {"smaller": digits[:, 0], "larger": digits[:, 1], "position": position, "velocity": velocity}
        targets |= {"middle": position.mean(axis=1), "drift": velocity.mean(axis=1)}
        found.append(replace(some, targets=targets))
    return found[0], found[1]


def read(parts: Parts, *names: str) -> dict[str, Any]:
    """Return the scores of probes by probe and target."""
    return {name: {target: PROBES[name](*parts, target).estimate for target in READ[name]} for name in names}


def persistence(videos: tc.data.Episodes) -> Surprise:
    """Return the surprise of a prediction that the last seen frame stays."""
    energies, last = [], np.arange(FRAMES - 1, int(videos.lengths[0]))
    for video in videos:
        pixels = video.observation["pixels"].astype(np.float64) / 255.0
        ends = [np.abs(pixels[end - 1 : end + 1] - pixels[end - 2]).mean() for end in last]
        energies.append(np.array(ends))
    return Surprise(tuple(energies), (last,) * len(videos), SEEN / FRAMES)


def detections(found: Surprise, videos: tc.data.Episodes) -> dict[str, Any]:
    """Return how well surprise separates the videos with an event from the same ones without."""
    marks = np.stack([videos.read(index).labels["event"] for index in range(len(videos))])
    marks = marks.reshape(-1, 3, videos.lengths[0])
    if not (marks.max(axis=2) == [0, 1, 2]).all():
        raise ValueError("the videos are not in threes: possible, vanish, teleport.")
    rows: dict[str, Any] = {}
    for event, number in EVENTS.items():
        frame = np.repeat(marks[:, number].argmax(axis=1), 3)
        measures = {"largest": found.largest, **{f"{after} after": found.at(frame + after) for after in (0, 1)}}
        rows[event] = {name: detection(energy[::3], energy[number::3]) for name, energy in measures.items()}
    return rows


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    data = {part: tc.data.open(run.data / "moving_mnist" / part) for part in ("train", "test", "surprise")}
    data["surprise"] = data["surprise"][: 3 * chosen.triples]
    if not chosen.recipe:
        return baseline(run, data)
    recipe = chosen.recipe, chosen.options, "moving_mnist/train"
    trained = train_to_budget(run, *recipe, lambda model: read(features(model, data, chosen.probed), "linear"), POINTS)
    return {**trained.values(), **measured(trained.model, run, data)}


def measured(model: Any, run: Run[Settings], data: Data) -> dict[str, Any]:
    probes = read(features(model, data, run.settings.probed), *PROBES)
    found = surprise(model, data["surprise"], share=SEEN / FRAMES)
    return {"probes": probes, "surprise": detections(found, data["surprise"])}


def baseline(run: Run[Settings], data: Data) -> dict[str, Any]:
    """Measure the untrained encoder, or raw pixels averaged to 16 x 16, a constant and persistence."""
    model = recipe_of("vjepa", JEPA).build_model(data["train"].spec, run.seed).eval()
    model.set_statistics(data["train"].statistics())
    if run.name.startswith("untrained"):
        return measured(model, run, data)
    raw = features(tc.probing.RawInput(model.config, model.statistics), data, run.settings.probed, tokens=False)
    constant = tc.probing.constant_baseline(PROBES["linear"])
    probes = {**read(raw, "linear"), "constant": {name: constant(*raw, name).estimate for name in READ["linear"]}}
    return {"probes": probes, "surprise": detections(persistence(data["surprise"]), data["surprise"])}


NAMES = {
    "raw": "raw pixels, or persistence",
    "untrained": "untrained",
    "vjepa": "`vjepa`, published loss",
    "vjepa_dense": "`vjepa_dense`, dense loss of V-JEPA 2.1",
    "vjepa2_dense": "`vjepa2_dense`, dense loss",
    "vjepa_causal": "`vjepa_causal`, dense loss, beginning to end of a video",
    "videomae": "`videomae`, own masks",
    "videomae_causal": "`videomae_causal`, beginning to end of a video",
}
SUMMARY = {
    "smaller digit": ("probes", "linear", "smaller", "mean"),
    "larger digit": ("probes", "linear", "larger", "mean"),
    "positions, R²": ("probes", "flat", "position", "mean"),
    "velocities, R²": ("probes", "flat", "velocity", "mean"),
    "a digit vanishes: surprises more": ("surprise", "vanish", "0 after", "paired", "rate"),
    "a digit jumps: surprises more": ("surprise", "teleport", "0 after", "paired", "rate"),
}
TITLES = (*[*SUMMARY][:4], "mean position, R²", "mean velocity, R²")
WINDOWS = {
    "largest": "largest window",
    "0 after": "window that ends at the event",
    "1 after": "one frame later",
}


def over_seeds(runs: list[RunResult], *where: str) -> str:
    """Return the mean of a figure over seeds, with the lowest and the highest."""
    values = []
    for run in runs:
        one: Any = run.values
        for key in where:  # raw pixels are all tokens
            one = one.get(key, one.get("linear")) if key == "flat" else one[key]
        values.append(one)
    return f"{np.mean(values):.3f}" + (f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else "")


def report(results: Mapping[str, RunResult]) -> Report:
    every = studies.by_case(results)
    over = []
    for case in (one for one in NAMES if one in every):
        scores_of = (over_seeds([*every[case].values()], *where) for where in SUMMARY.values())
        over.append((f"{NAMES[case]}, {len(every[case])} seed(s)", *scores_of))
    runs = [(name.replace("/", ", seed "), run.values) for name, run in sorted(results.items())]
    probes = [{"name": f"{name}; {probe}", **scores} for name, run in runs for probe, scores in run["probes"].items()]
    surprised = [
        {"name": name, "event": event, **measures} for name, run in runs for event, measures in run["surprise"].items()
    ]
    by_target = {title: f"{{{target}:mean}}" for title, target in zip(TITLES, READ["linear"], strict=True)}
    by_window = {title: f"{{{kind}[paired]:rate}}; {{{kind}[auroc]:mean}}" for kind, title in WINDOWS.items()}
    beaten, targets = baseline_verdicts(readings(every))
    tables = [
        "Means over seeds (lowest to highest); digits by the mean token, positions and velocities by all tokens:",
        table(("encoder", *SUMMARY), over),
        "Probes of each run: mean token (`linear`), all tokens (`flat`), attentive; bootstrap intervals over videos:",
        columns({"encoder; probe": "{name}", **by_target}, probes),
        "Surprise: share of pairs in which the impossible video surprises more; AUROC:",
        columns({"model": "{name}", "event": "{event}", **by_window}, surprised),
        beaten,
        commands(results),
    ]
    return Report(tables, targets)


def readings(every: Mapping[str, Mapping[str, RunResult]]) -> list[ProbeScores]:
    raw = every["raw"]["0"].values["probes"]["linear"]
    return [
        ProbeScores(
            f"{case}, videos",
            f"{target}, {ways}",
            trained,
            every["untrained"][seed].values["probes"][probe][target],
            raw[target],
        )
        for case in METHODS
        for seed, run in every.get(case, {}).items()
        for probe, ways in (("linear", "mean token"), ("flat", "all tokens"))
        for target, trained in run.values["probes"][probe].items()
    ]


STUDY = Study(
    name="videos",
    title="Latents against pixels on videos, Moving MNIST",
    summary=(
        "The same encoder (96 wide, 6 deep, windows of 8 frames in patches of 2 x 8 x 8, rotary positions) and 7200"
        " videos, each method to the same 1e14 operations; held-out videos of held-out digits."
    ),
    command="uv run benchmarks/videos.py --data DATA",
    cases={"raw": Settings(), "untrained": Settings(), **METHODS},
    seeds=(0, 1, 2),
    seeds_of={"raw": (0,)},
    data={
        "moving_mnist/train": "a7b67e38a28bd0aefc44deae73a638c281176160e29102a19fc874258dd12afb",
        "moving_mnist/test": "de64b31bcc2157267aad0667416f437d0f64e13bf7a30b95486921818b7f3731",
        "moving_mnist/surprise": "cdd4cafb7891b324c033b10e6a009c9420df77f71075a02862342776bc6c6dbe",
    },
    budget=Budget(operations=1e14),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
