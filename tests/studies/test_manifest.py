"""Manifests of evaluations: they are repeated exactly, and refuse what is not the same."""

import base64
import json
import zlib

import numpy as np
import pytest

import tacit as tc
from tacit.cli import main
from tacit.errors import ConfigError, DataError
from tacit.studies.manifest import read_manifest, repeat


def run(*words):
    try:
        main(words)
    except SystemExit as stopped:
        return stopped.code or 0
    return 0


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "agent"
    tc.recipes.pretrained("two_rooms").save(path)
    assert run("eval", str(path), "--env", "two_rooms", "--episodes", "5", "--device", "cpu") == 0
    return path


@pytest.fixture
def manifest(place):
    """The manifest, which is put back afterwards."""
    path = place / "eval" / "manifest.json"
    before = path.read_text()
    yield path
    path.write_text(before)


def changed(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_an_evaluation_is_repeated_task_by_task(place, manifest, capsys) -> None:
    known = read_manifest(manifest)
    assert (known.env, known.episodes, known.agent, len(known.solved)) == ("two_rooms", 5, "..", 5)
    assert str(place) not in manifest.read_text()
    assert run("eval", str(manifest), "--device", "cpu") == 0
    assert "the same outcome of every task" in capsys.readouterr().out
    changed(manifest, solved=[not known.solved[0], *known.solved[1:]], versions={"torch": "0.1"})
    found = repeat(manifest, progress=False)
    assert found.changed == 1 and found.versions["torch"][0] == "0.1"
    assert "1 tasks with another outcome" in str(found)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"history": 7}, "history 7; now it is"),
        ({"digest": "0" * 64}, "digest"),
        ({"seed": 2}, "tasks"),
        ({"env": "two_rooms:layout=random"}, "tasks"),
        ({"normalizers": ""}, "normalizers"),
    ],
)
def test_another_field_is_refused_by_name(manifest, values, named) -> None:
    changed(manifest, **values)
    with pytest.raises((ConfigError, DataError), match=named):
        repeat(manifest, progress=False)


def test_another_renderer_is_refused(manifest) -> None:
    shape, _, data = json.loads(manifest.read_text())["images"]["pixels"].partition(":")
    pixels = np.frombuffer(zlib.decompress(base64.b64decode(data)), np.uint8)
    for difference, refused in ((4, False), (5, True)):
        other = np.where(pixels < 128, pixels + difference, pixels - difference).astype(np.uint8)
        text = f"{shape}:{base64.b64encode(zlib.compress(other.tobytes())).decode()}"
        changed(manifest, images={"pixels": text})
        if refused:
            with pytest.raises(ConfigError, match="differ by 5 of 255"):
                repeat(manifest, progress=False)
        else:
            assert repeat(manifest, progress=False).changed == 0


def test_damaged_files_are_refused(manifest, capsys) -> None:
    changed(manifest, images={"pixels": "2,3:notbase64!"})
    with pytest.raises(DataError, match="damaged"):
        repeat(manifest, progress=False)
    changed(manifest, schema="tacit-manifest-9")
    with pytest.raises(DataError, match="tacit-manifest-9"):
        read_manifest(manifest)
    manifest.write_text("{}")
    assert run("eval", str(manifest)) == 1
    assert "is not a manifest" in capsys.readouterr().err
    assert run("eval", str(manifest.parent.parent)) == 1
    assert "--env ENV" in capsys.readouterr().err
