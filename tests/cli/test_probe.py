"""The verbs that look at representations: tacit embed and tacit probe."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.cli import main
from tacit.runs import RunRecord
from tacit.types import Box, Episode, Modality, Spec

SPEC = Spec({"pixels": Modality("pixels", (3, 16, 16))})


def run(*words: str) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def images(count: int, seed: int = 0, copies: int = 0) -> tc.data.Episodes:
    """Images in one of three shades, with a class and how bright they are; the first of them may come again."""
    rng, episodes = np.random.default_rng(seed), []
    for _ in range(count):
        shade = rng.integers(0, 3, 1)
        pixels = (rng.integers(0, 40, (1, 3, 16, 16)) + 70 * shade[0]).astype(np.uint8)
        labels = {
            "shade": shade,
            "bright": pixels.mean((1, 2, 3)).astype(np.float32)[:, None],
            "camera": np.zeros(1, int),
        }
        episodes.append(Episode({"pixels": pixels}, np.zeros((0, 0), np.float32), labels=labels))
    return tc.data.from_episodes([*episodes, *episodes[:copies]], SPEC)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an untrained model and its dataset, and the embedding of all of it by the command line."""
    folder = tmp_path_factory.mktemp("probe")
    episodes = images(60)
    tc.data.save(episodes, folder / "data", "hdf5")
    torch.manual_seed(0)
    model = tc.models.JointEmbedding.for_spec(SPEC, "nano", width=24, depth=1, heads=2, patch=8)
    model.set_statistics(episodes.statistics())
    with RunRecord("none", str(folder / "data"), tc.data.open(folder / "data").hash(), seed=0, fraction=0.8).begun(
        folder / "run"
    ):
        pass
    tc.checkpoint.save(folder / "run" / "checkpoint", model)
    for source in ("model", "raw"):
        words = ("--to", folder / source, "--source", source, "--device", "cpu")
        assert run("embed", folder / "run", folder / "data", *words) == 0
    return folder


def test_copies_in_a_dataset_are_left_out_and_counted(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tc.data.save(images(40, copies=40), tmp_path / "data", "hdf5")
    episodes = tc.data.open(tmp_path / "data")
    fit, test = episodes.split(0.8, seed=0)
    shared = len(test) - len(test.without(fit))
    assert 0 < shared < len(test)
    with RunRecord("none", str(tmp_path / "data"), episodes.hash(), seed=0, fraction=0.8).begun(tmp_path / "run"):
        pass
    model = tc.checkpoint.load_model(place / "run", kind=tc.models.Model)
    tc.checkpoint.save(tmp_path / "run" / "checkpoint", model)
    for words in ((), ("--probe", "linear", "--tokens")):
        assert run("probe", tmp_path / "run", "--target", "shade", *words) == 0
        assert f"{shared} of {len(test)} held-out episodes are copies" in capsys.readouterr().out
    assert run("embed", tmp_path / "run", tmp_path / "data", "--to", tmp_path / "latents", "--device", "cpu") == 0
    assert run("probe", tmp_path / "latents", "--target", "shade") == 0
    report = json.loads((tmp_path / "latents" / "probe" / "report.json").read_text())
    assert next(iter(report["probe"]["shade"].values()))["rows_test"] == len(test) - shared


def test_progress_appears_on_a_terminal(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    embed = ("embed", place / "run", place / "data", "--device", "cpu", "--to")
    probe = ("probe", place / "run", "--target", "bright", "--device", "cpu", "--to", tmp_path / "report")
    assert run(*embed, tmp_path / "silent") == run(*probe) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("tacit._progress.interactive", lambda: True)
    assert run(*embed, tmp_path / "shown") == 0
    assert "batches of file 1 of 1" in capsys.readouterr().err
    assert run(*probe) == 0
    shown = capsys.readouterr().err
    assert "batches encoded" in shown and "steps of the heads" in shown


def test_an_embedding_has_the_split_of_its_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = tc.embeddings.open_embedding(place / "model")
    assert found.header.split == tc.embeddings.Split(0.8, 0)
    assert (found.header.rows, found.header.shape, found.header.source) == (60, (24,), "model")
    other = place / "other"
    tc.data.save(images(5, seed=1), other, "hdf5")
    to = place / "of_other"
    assert run("embed", place / "run", other, "--to", to, "--tokens", "--dtype", "bfloat16", "--device", "cpu") == 0
    header = tc.embeddings.open_embedding(to).header
    assert (header.split, header.shape, header.dtype) == (None, (4, 24), "bfloat16")
    assert "5 latents of 4 x 24 numbers" in capsys.readouterr().out


def test_an_embedding_is_compared_with_another(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--probe", "linear", "--shots", "2", "--compare", place / "raw", "--device", "cpu")
    assert run("probe", place / "model", *words) == 0
    out = capsys.readouterr().out
    entry = json.loads((place / "model" / "probe" / "report.json").read_text())["probe"]["shade"]
    assert set(entry) == {"model", "raw", "constant", "few_labels"}
    assert entry["model"]["rows_test"] == 12 and entry["raw"]["accuracy"]["rate"] == 1.0
    assert entry["constant"]["accuracy"]["rate"] < 0.7
    shown = [line.split()[:2] for line in out.splitlines()]
    assert all(["shade", kind] in shown for kind in ("model", "raw", "constant"))
    assert "2 labels of each class" in out
    assert "<table>" in (place / "model" / "probe" / "index.html").read_text()


def test_a_run_is_compared_with_its_baselines(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", place / "run", "--device", "cpu") == 0
    record = json.loads((place / "run" / "probe" / "report.json").read_text())
    assert set(record["probe"]["shade"]) == {"model", "untrained", "raw", "constant"}
    assert set(record["probe"]["bright"]["compared"]) == {"model", "untrained", "raw", "constant"}
    assert record["probe"]["bright"]["r2"] == pytest.approx(record["probe"]["bright"]["compared"]["model"]["r2"])
    assert record["effective_rank"] > 0 and "open_loop" not in record
    out = capsys.readouterr().out
    assert (
        f"effective rank {record['effective_rank']:.1f} of 24, minimum standard deviation" in out
        and "camera       does not vary" in out
    )
    words = ("--target", "shade", "--probe", "knn", "--tokens", "--to", place / "page", "--device", "cpu")
    assert run("probe", place / "run", *words) == 0
    assert json.loads((place / "page" / "report.json").read_text())["probe"]["shade"]["model"]["probe"] == "KNN"


def moving(folder: Path, lengths: tuple[int, ...]) -> Path:
    """A run of an untrained world model and its episodes, which have no labels."""
    spec = Spec({"state": Modality("vector", (3,))}, Box((-1.0,), (1.0,)))
    rng = np.random.default_rng(0)
    episodes = [
        Episode(
            {"state": rng.normal(size=(n, 3)).astype(np.float32)}, rng.uniform(-1, 1, (n - 1, 1)).astype(np.float32)
        )
        for n in lengths
    ]
    tc.data.save(tc.data.from_episodes(episodes, spec), folder / "data", "hdf5")
    torch.manual_seed(0)
    sizes = {"encoders": {"pixels": {"features": 16}}, "predictor": {"width": 16}}
    model = tc.models.WorldModel.for_spec(spec, latent=6, **sizes)
    data = tc.data.open(folder / "data")
    model.set_statistics(data.statistics())
    with RunRecord("none", str(folder / "data"), data.hash(), seed=0, fraction=0.8).begun(folder / "run"):
        pass
    tc.checkpoint.save(folder / "run" / "checkpoint", model)
    return folder / "run"


def test_collapse_is_measured_without_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = moving(tmp_path, (12,) * 10)
    assert run("probe", place, "--device", "cpu") == 0
    out = capsys.readouterr().out
    record = json.loads((place / "probe" / "report.json").read_text())
    _, held_out = RunRecord.load(place).split(None)
    found = tc.probing.health(tc.checkpoint.load_model(place), held_out)
    assert record["effective_rank"] == record["health"]["effective_rank"] == pytest.approx(found.effective_rank)
    assert record["health"]["min_std"] == pytest.approx(found.min_std) and found.min_std > 0
    assert record["health"]["straightness"] == pytest.approx(found.straightness) and abs(found.straightness) <= 1
    assert f"effective rank {found.effective_rank:.1f} of 6, minimum standard deviation {found.min_std:.3g}" in out
    assert "Collapse of the latents" in (place / "probe" / "index.html").read_text()
    assert record["open_loop"]["horizon"] == 8


def test_a_missing_open_loop_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = moving(tmp_path, (2,) * 5)
    assert len(RunRecord.load(place).split(None)[1]) == 1, "one window of two observations"
    assert run("probe", place, "--device", "cpu") == 0
    assert "imagination is not measured: open_loop needs two windows" in capsys.readouterr().out
    record = json.loads((place / "probe" / "report.json").read_text())
    assert "open_loop" not in record and record["effective_rank"] >= 1


@pytest.mark.parametrize(("words", "message"), [
    (("model", "--target", "shad"), "Did you mean 'shade'?"),
    (("model", "--target", "camera"), "does not vary"),
    (("model", "--probe", "linaer"), "Did you mean 'linear'?"),
    (("model", "--tokens"), "--tokens and --data are for a run"),
    (("run", "--shots", "1"), "need an embedding"),
    (("model", "--target", "shade", "--probe", "linear", "--shots", "1", "1000"), "Ask for fewer shots"),
    (("model", "--compare", "of_stranger"), "another dataset"),
    (("nowhere",), "run.json"),
])  # fmt: skip
def test_wrong_words_are_reported(
    words: tuple[str, ...], message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "of_stranger" in words:
        model = tc.checkpoint.load_model(place / "run", kind=tc.models.Model)
        tc.embeddings.embed(model, images(4, seed=2), place / "of_stranger")
    named = [place / word if word in ("model", "run", "nowhere", "of_stranger") else word for word in words]
    assert run("probe", *named, "--device", "cpu") == 1
    said = capsys.readouterr()
    assert message in " ".join(said.err.split())
    assert said.out == ""  # refused before anything was read


def test_options_of_a_probe_are_set_by_name(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--target", "shade", "--probe", "attentive", "--tokens", "--to", tmp_path)
    small = ("--set", "blocks=4", "--set", "lrs=[0.003]", "--set", "weight_decays=[0.01]", "--set", "epochs=1")
    assert run("probe", place / "run", *words, *small) == 0
    assert run("probe", place / "run", *words, "--set", "block=4") == 1
    assert "Did you mean 'blocks'?" in capsys.readouterr().err
    assert run("probe", place / "run", "--target", "shade", "--set", "blocks=4") == 1
    assert "name the probe: --probe attentive" in capsys.readouterr().err
