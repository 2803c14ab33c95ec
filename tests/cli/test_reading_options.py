"""A run remembers how its dataset was read, and every later command reads it in the same way."""

import json
from pathlib import Path

import pytest

import tacit as tc
from tacit.cli import main
from tacit.runs import RunRecord

LIGHT = (
    "--recipe",
    "two_rooms",
    "--steps",
    "1",
    "--set",
    "policy_steps=0",
    "--set",
    "training.batch_size=2",
    "--device",
    "cpu",
)


def run(*words: object) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rooms") / "data"
    tc.collect("two_rooms", episodes=4, steps=25, to=place)
    return place


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_train_embed_probe_and_eval_open_a_dataset_alike(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to, cache = tmp_path / "run", tmp_path / "cache"
    words = ("train", rooms, "--to", to, *LIGHT, "--read", "size=32", "--read", f"cache={cache}")
    assert run(*words) == 0
    record = RunRecord.load(to)
    assert record.reading == {"size": 32}
    assert record.dataset_hash == tc.data.open(rooms, size=32).hash()
    assert list(cache.glob("data-*/*/pixels.raw"))
    fit_on, _ = record.split(None)
    assert fit_on.spec.modalities["pixels"].shape == (3, 32, 32)
    assert run("embed", to, rooms, "--to", tmp_path / "latents", "--device", "cpu") == 0
    assert "with the split of the run" in capsys.readouterr().out
    assert run("eval", to, "--env", "two_rooms", "--episodes", 2, "--device", "cpu") == 0  # whose frames are 64 x 64
    assert run(*words[:-2], "--read", f"cache={tmp_path / 'other'}") == 0  # the same run, cached elsewhere
    assert run("train", rooms, "--to", to, *LIGHT, "--read", "size=16") == 1
    assert "its reading.size is 32, not 16" in " ".join(capsys.readouterr().err.split())


def test_a_run_of_0_1_has_no_options(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"recipe": "x", "data": "y", "dataset_hash": "z", "seed": 0}))
    assert RunRecord.load(tmp_path).reading == {}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("sise=32", "Did you mean 'size'?"),
        ("skip=nothing", "no such feature"),
        ("path=x", "give the path as the first word"),
        ("size=0", "of at least 1"),
    ],
)
def test_wrong_words_are_reported(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, message: str
) -> None:
    for command in (("train", rooms, "--to", tmp_path / "run", *LIGHT, "--read"), ("data", "info", rooms, "--set")):
        assert run(*command, word) == 1
        assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_a_dataset_is_inspected_checked_and_converted_with_its_options(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--set", "size=[24,32]", "--set", "skip=label.*")
    assert run("data", "info", rooms, *words) == 0
    assert "pixels, 3 x 24 x 32" in capsys.readouterr().out
    assert run("data", "check", rooms, *words) == 0
    assert run("data", "convert", rooms, tmp_path / "small", *words) == 0
    small = tc.data.open(tmp_path / "small")
    assert small.spec.modalities["pixels"].source == (64, 64)
    assert small.labels == ()
