"""A test folder that lacks one class is scored against the right classes.

Each folder numbers its own subfolders, so "90" is class 3 in
train/ and class 2 in val/; probes match classes by name.
"""

import numpy as np
from PIL import Image

import tacit as tc

COLOURS = {"0": (200, 30, 30), "180": (30, 200, 30), "270": (30, 30, 200), "90": (200, 200, 30)}


def folder(root, kinds, count, seed):
    rng = np.random.default_rng(seed)
    for kind in kinds:
        (root / kind).mkdir(parents=True)
        for number in range(count):
            noisy = np.array(COLOURS[kind]) + rng.normal(0, 10, (16, 16, 3))
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(root / kind / f"{number}.png")
    return tc.data.open(root)


def test_classes_are_matched_by_name(tmp_path):
    train = folder(tmp_path / "train", COLOURS, 20, seed=0)
    val = folder(tmp_path / "val", ("0", "270", "90"), 10, seed=1)
    model = tc.models.MaskedModel.for_spec(train.spec, "nano", patch=4, width=48, depth=2)
    raw = tc.probing.baselines(model)["raw"]
    fit, test = tc.probing.features(raw, train), tc.probing.features(raw, val)
    assert tc.probing.probes.KNN()(fit, test, "class").accuracy.rate > 0.9
