"""The verb tacit identify: a run next to a simulator or its own labels, and synthetic worlds."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

import tacit as tc
from tacit.cli import main
from tacit.identification import WorldTraining, training
from tacit.runs import RunRecord


def run(*words: object) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an untrained world model of a point mass."""
    folder = tmp_path_factory.mktemp("identify")
    episodes = tc.collect("point_mass", episodes=24, steps=40, seed=0, to=folder / "data", progress=False)
    torch.manual_seed(0)
    model = tc.models.WorldModel.for_spec(episodes.spec, "tiny")
    model.set_statistics(episodes.statistics())
    with RunRecord("none", str(folder / "data"), episodes.hash(), seed=0, fraction=0.5).begun(folder / "run"):
        pass
    tc.checkpoint.save(folder / "run" / "checkpoint", model)
    return folder / "run"


def test_a_run_is_compared_with_simulator_states(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("identify", place, "--env", "point_mass", "--episodes", 8, "--device", "cpu") == 0
    shown = capsys.readouterr().out
    assert "linear R2: states from latents" in shown
    report = json.loads((place / "identification" / "report.json").read_text())
    tc.reports.validate(report)
    found = report["identification"]
    assert 0 < found["r2_states"] <= 1
    assert found["law"]["rows"] == 4 * 101
    assert found["advice"]
    page = (place / "identification" / "index.html").read_text()
    assert "Advice on the data" in page
    assert found["variables"][0]["name"] in page


def test_a_run_is_compared_with_its_own_labels(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = tc.data.open(place.parent / "data").labels[0]
    assert run("identify", place, "--target", name, "--device", "cpu", "--to", tmp_path / "own") == 0
    assert name in capsys.readouterr().out
    found = json.loads((tmp_path / "own" / "report.json").read_text())["identification"]
    assert found["law"]["rows"] == 12 * 41


def test_an_encoder_is_trained_in_a_synthetic_world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "WorldTraining", partial(WorldTraining, steps=40, batch=64, hidden=(16,)))
    assert run("identify", "--synthetic", "banana:alpha=1", "--to", tmp_path) == 0
    assert "E|h - Qz|^2" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    tc.reports.validate(report)
    assert report["config"]["world"]["alpha"] == 1
    assert report["config"]["training"]["steps"] == 40
    assert 0 < report["identification"]["r2_states"] < 1
    assert "from the latents" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "either a run or a synthetic world"),
        (("runs/x", "--synthetic", "spiral"), "either a run or a synthetic world"),
        (("--synthetic", "spiral", "--env", "two_rooms"), "--env and --target are for a run"),
        (("--synthetic", "spirl"), "Did you mean 'spiral'"),
        (("runs/x", "--env", "point_mass"), "is no run"),
    ],
)
def test_wrong_words_are_refused(words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("identify", *words) == 1
    assert message in capsys.readouterr().err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("identify", "--help") == 0
    assert "tacit identify runs/two_rooms --env two_rooms" in " ".join(capsys.readouterr().out.split())
