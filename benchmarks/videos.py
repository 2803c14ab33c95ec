"""Latents against pixels on films, at equal FLOPs: `OMP_NUM_THREADS=1 uv run benchmarks/videos.py DATA`.

DATA is what `uv run benchmarks/real_data.py moving_mnist --to DATA` makes. V-JEPA with its published loss (`vjepa`),
with the dense loss of V-JEPA 2.1 (`vjepa_dense`), V-JEPA 2 with that loss (`vjepa2_dense`), and V-JEPA with it that
sees the beginning of a film and predicts its end (`vjepa_causal`); VideoMAE at its own masks (`videomae`) and
predicting the end (`videomae_causal`). All have the same encoder (96 wide, 6 deep, windows of 8 frames in patches of
2 x 8 x 8, rotary positions) and the same 7200 films, uncropped, each to the same budget of floating-point operations:
forward and backward of everything, target encoder, predictor and decoder counted. What is set here was chosen on
training films.

**Probes**, linear on the mean token (`linear`), for positions and velocities also on all tokens end to end (`flat`),
and attentive on all of them, read a window of held-out films of held-out digits:
which digits they are, where they are in its last frame and how fast they go there; `middle` and `drift` are the means
over the two digits, which can be told without knowing one from the other. On the way to the budget the linear ones
alone. Floors: the untrained encoder, raw pixels, and an answer that looks at nothing.

**Surprise** is the mean absolute error of what the model predicts of the last two frames of a window from the six
before. Each of 400 held-out films is shown as it should be, with a digit that vanishes, and with one that is suddenly
elsewhere: the share of pairs whose impossible film surprises more (Wilson), and the AUROC (bootstrap over pairs), of
the mean and of the largest window of a film, and of the window that ends some frames after the event: the first two
have it among what is predicted, later ones among what is seen. A film with one digit less is easier from then on, so a
share below a half is no mistake. Floors: the untrained model, and under `raw` one that predicts that pixels stay.

Methods are trained by `tacit train`. Writes benchmarks/results/videos.json after every run, goes on where it stopped,
and resumes a run within it. A method that has changed is run again.
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tacit as tc
from images import operations_a_step, step_of
from record import Record
from tacit.evaluation.surprise import Surprise, detection, surprise
from trained import recipe_of, trained

RESULTS = Path(__file__).parent / "results" / "videos.json"
FRAMES, SEEN = 8, 6
# Films have more windows than a run looks at, so nothing is cropped; small batches leave more updates; and all have the
# rotary positions of V-JEPA 2, with which mean tokens hold more of the digits.
FILMS = {
    "size": "nano",
    "clip": FRAMES,
    "crop": [],
    "flip": 0.0,
    "model.frameskip": 1,
    "model.positions": "rope",
    "training.batch_size": 16,
}
JEPA = {**FILMS, "model.mask_tokens": 2, "training.lr": 1e-3, "training.ema": [0.998, 0.998]}
# The loss of V-JEPA 2.1. Without it the latents of so short a training are nearly alike.
DENSE = {
    "objective": [
        {"name": "masked_prediction", "options": {"distance": "l1"}},
        {"name": "visible_prediction", "weight": 0.5},
    ]
}
CAUSAL = {"masking": {"name": "future", "options": {"share": [SEEN / FRAMES, SEEN / FRAMES]}}}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "vjepa": ("vjepa", JEPA),
    "vjepa_dense": ("vjepa", {**JEPA, **DENSE}),
    "vjepa2_dense": ("vjepa2", {**JEPA, **DENSE}),
    "vjepa_causal": ("vjepa", {**JEPA, **DENSE, **CAUSAL, "model.mask_tokens": 1}),
    "videomae": ("mae", {**FILMS, "masking": {"name": "random_patches", "options": {"ratio": 0.9, "tube": True}}}),
    "videomae_causal": ("mae", {**FILMS, **CAUSAL}),
}
PROBES = {
    "linear": tc.probing.probes.Linear(),
    "flat": tc.probing.probes.Linear(pool="flat"),
    "attentive": tc.probing.probes.Attentive(lrs=(3e-3, 1e-3), weight_decays=(0.01,), epochs=10),
}
READ = {
    "linear": ("smaller", "larger", "position", "velocity", "middle", "drift"),
    "flat": ("position", "velocity"),  # of 24,576 numbers, which costs
    "attentive": ("smaller", "larger", "position", "velocity"),
}
EVENTS = {"vanish": 1, "teleport": 2}
POINTS, AFTER = 3, 6
Data = Mapping[str, tc.data.Episodes]
Parts = tuple[tc.probing.Features, tc.probing.Features]


def recipe(method: str) -> tc.recipes.Recipe:
    """A method at the size of the study."""
    return recipe_of(*METHODS[method])


def seen(model: Any, data: Data, probed: int, tokens: bool = True) -> Parts:
    """Features of windows of training and of held-out films, with what there is to read."""
    found = []
    for part, count in (("train", probed), ("test", probed)):
        some = tc.probing.features(model, data[part], tokens=tokens, frames=count, length=FRAMES, seed=0)
        digits, position, velocity = (some.target(name) for name in ("digits", "position", "velocity"))
        targets = {"smaller": digits[:, 0], "larger": digits[:, 1], "position": position, "velocity": velocity}
        targets |= {"middle": position.mean(axis=1), "drift": velocity.mean(axis=1)}
        found.append(replace(some, targets=targets))
    return found[0], found[1]


def read(features: Parts, *names: str) -> dict[str, Any]:
    """What probes read, by the name of the probe."""
    return {
        name: {target: tc.reports.plain(PROBES[name](*features, target).estimate) for target in READ[name]}
        for name in names
    }


def still(films: tc.data.Episodes) -> Surprise:
    """The surprise of one who predicts the last frame that was seen."""
    energies, last = [], np.arange(FRAMES - 1, int(films.lengths[0]))
    for film in films:
        pixels = film.observation["pixels"].astype(np.float64) / 255.0
        ends = [np.abs(pixels[end - 1 : end + 1] - pixels[end - 2]).mean() for end in last]
        energies.append(np.array(ends))
    return Surprise(tuple(energies), (last,) * len(films), SEEN / FRAMES)


def felt(found: Surprise, films: tc.data.Episodes) -> dict[str, Any]:
    """How well surprise tells the films with an event from the same without."""
    marks = np.stack([films.read(index).labels["event"] for index in range(len(films))]).reshape(
        -1, 3, films.lengths[0]
    )
    if not (marks.max(axis=2) == [0, 1, 2]).all():
        raise ValueError("the films are not in threes: possible, vanish, teleport.")
    rows: dict[str, Any] = {}
    for event, number in EVENTS.items():
        frame = np.repeat(marks[:, number].argmax(axis=1), 3)
        measures = {"mean": found.mean, "largest": found.largest}
        measures |= {f"{after} after": found.at(frame + after) for after in range(AFTER)}
        rows[event] = {
            name: tc.reports.plain(detection(energy[::3], energy[number::3])) for name, energy in measures.items()
        }
    return rows


def run(method: str, seed: int, options: argparse.Namespace, data: Data) -> dict[str, Any]:
    """Train to the budget, with linear probes on the way, and measure."""
    chosen, train = recipe(method), data["train"]
    model = chosen.build_model(train.spec, seed)
    each = operations_a_step(step_of(chosen, model.train(), chosen.clips(train, model)))
    steps = max(round(options.budget / each), 2**POINTS)
    at = [round(steps / 2**power) for power in range(1, POINTS)]
    place = options.work / f"{method}{seed}"
    made = trained(*METHODS[method], options.data / "train", place, steps=steps, seed=seed, keep=at)
    begin, points = time.process_time(), []
    for step, kept in made.models.items():
        model = tc.checkpoint.load_model(kept, kind=tc.models.MaskedModel)
        rows = read(seen(model, data, options.probed), "linear")["linear"]
        points.append({"step": step, "operations": step * each, "linear": rows})
    probes = read(seen(model, data, options.probed), *PROBES)
    surprised = felt(surprise(model, data["surprise"], share=SEEN / FRAMES), data["surprise"])
    return {
        "recipe": METHODS[method],
        "command": made.command,
        "operations_a_step": each,
        "steps": steps,
        "points": points,
        "probes": probes,
        "surprise": surprised,
        "seconds": {"training": made.seconds, "measuring": time.process_time() - begin},
    }


def floors(seed: int, options: argparse.Namespace, data: Data) -> dict[str, Any]:
    """What needs no training: the encoder of ``seed`` as it begins, and for seed 0 what depends on no encoder."""
    model = recipe("vjepa").build_model(data["train"].spec, seed).eval()
    model.fit(data["train"].statistics())
    probes = read(seen(model, data, options.probed), *PROBES)
    surprised = felt(surprise(model, data["surprise"], share=SEEN / FRAMES), data["surprise"])
    found = {"untrained": {"probes": probes, "surprise": surprised}}
    if seed == 0:
        raw = seen(raw_pixels(model), data, options.probed, tokens=False)
        blind = tc.probing.constant_baseline(PROBES["linear"])
        told = {target: tc.reports.plain(blind(*raw, target).estimate) for target in READ["linear"]}
        probes = {**read(raw, "linear"), "blind": told}
        found["raw"] = {"probes": probes, "surprise": felt(still(data["surprise"]), data["surprise"])}
    return found


def raw_pixels(model: Any) -> tc.probing.RawInput:
    """Raw pixels of a window, each frame averaged to 16 x 16."""
    return tc.probing.RawInput(model.config, model.statistics)


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", type=float, default=1e14, help="floating-point operations of a run")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="*", default=[*METHODS], choices=METHODS)
    parser.add_argument(
        "--probed",
        type=int,
        default=4000,
        help="windows that probes are fitted on; scored on as many of held-out films",
    )
    parser.add_argument("--triples", type=int, default=400, help="films to be surprised by, each in three versions")
    parser.add_argument("--work", type=Path, default=Path("runs/videos"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = {part: tc.data.open(options.data / part) for part in ("train", "test", "surprise")}
    data["surprise"] = data["surprise"][: 3 * options.triples]
    settings = {
        "budget": options.budget,
        "probed": options.probed,
        "data": {part: episodes.hash() for part, episodes in data.items()},
    }
    record = Record(options.results, settings)
    for seed in options.seeds:
        if str(seed) not in record.section("floors"):
            record.add("floors", str(seed), floors(seed, options, data))
        for method in options.methods:
            known = record.section("runs").get(f"{method}/{seed}", {}).get("recipe")
            if known == json.loads(json.dumps(METHODS[method])):
                continue
            found = run(method, seed, options, data)
            record.add("runs", f"{method}/{seed}", found)
            print(method, seed, json.dumps(found["points"][-1]), json.dumps(found["seconds"]), flush=True)


if __name__ == "__main__":
    main()
