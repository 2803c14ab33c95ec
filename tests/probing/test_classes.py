"""Classes of two folders are the same where they have the same name, whatever their numbers."""

import numpy as np
import pytest
from PIL import Image

import tacit as tc
from tacit.errors import DataError
from tacit.probing.probes import KNN

COLOURS = {"0": (200, 30, 30), "180": (30, 200, 30), "270": (30, 30, 200), "90": (200, 200, 30)}


def folder(root, kinds, count, seed):
    rng = np.random.default_rng(seed)
    for kind in kinds:
        (root / kind).mkdir(parents=True)
        for number in range(count):
            noisy = np.array(COLOURS.get(kind, (9, 9, 9))) + rng.normal(0, 10, (16, 16, 3))
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(root / kind / f"{number}.png")
    return root


@pytest.fixture
def folders(tmp_path):
    return folder(tmp_path / "train", COLOURS, 12, 0), folder(tmp_path / "val", ("0", "270", "90"), 6, 1)


@pytest.fixture(scope="module")
def raw():
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, 16, 16))})
    model = tc.models.MaskedModel.for_spec(spec, "nano", patch=4, width=48, depth=2)
    return tc.probing.baselines(model)["raw"]


@pytest.mark.parametrize("stored", ["read", "converted", "embedded"])
def test_a_probe_matches_classes_by_name(tmp_path, folders, raw, stored):
    parts = []
    for path in folders:
        if stored == "converted":
            tc.data.convert(path, tmp_path / f"{path.name}-data", "lerobot")
            path = tmp_path / f"{path.name}-data"
        episodes = tc.data.open(path)
        if stored == "embedded":
            tc.embeddings.embed(raw, episodes, tmp_path / f"{path.name}-latents")
            parts.append(tc.embeddings.open_embedding(tmp_path / f"{path.name}-latents").features)
        else:
            parts.append(tc.probing.features(raw, episodes))
    fit, test = parts
    assert test.classes == {"class": {0: "0", 1: "270", 2: "90"}}
    reading = KNN()(fit, test, "class")
    assert reading.accuracy.rate > 0.9
    assert sorted(set(reading.actual)) == [0, 2, 3]  # numbered as in what was fitted on
    assert KNN()(test, fit, "class").accuracy.rate == pytest.approx(0.75, abs=0.05)  # the fourth class is unknown


def test_a_class_without_fitted_rows_is_never_correct(tmp_path, folders, raw):
    other = folder(tmp_path / "other", ("0", "black"), 5, 2)
    fit, test = (tc.probing.features(raw, tc.data.open(path)) for path in (folders[0], other))
    reading = KNN()(fit, test, "class")
    assert reading.accuracy.rate == 0.5 and sorted(set(reading.actual)) == [0, 4]


def test_numbers_are_fixed_by_giving_the_classes(folders):
    names = tuple(COLOURS)
    val = tc.data.open(folders[1], classes=names)
    assert [int(episode.labels["class"][0]) for episode in val][::6] == [0, 2, 3]
    assert val.hash() != tc.data.open(folders[1]).hash()
    with pytest.raises(DataError, match=r"270 is none of the classes 0, 90\. .*Add it to classes="):
        tc.data.open(folders[1], classes=("0", "90"))


def test_tasks_that_are_no_classes_are_not_compared(raw):
    def made(numbers, tasks):
        spec = tc.Spec({"pixels": tc.Modality("pixels", (3, 16, 16))})
        pixels = [np.full((1, 3, 16, 16), 20 * number, np.uint8) for number in numbers]
        return tc.data.from_episodes(
            [
                tc.Episode({"pixels": p}, np.zeros((0, 0), np.float32), labels={"class": np.array([n])}, task=task)
                for p, n, task in zip(pixels, numbers, tasks, strict=True)
            ],
            spec,
        )

    assert tc.probing.features(raw, made([0, 1, 1], ["sort"] * 3)).classes == {}
    assert tc.probing.features(raw, made([0, 1, 1], ["", "", ""])).classes == {}
    assert tc.probing.features(raw, made([0, 1, 1], ["a", "b", "a"])).classes == {}
