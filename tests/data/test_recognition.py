"""What a path holds is recognised by its files, and what cannot be read is called by its name."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from cases.lerobot_layout import vector, write_lerobot
from data.recordings import SPEC, recordings
from tacit.errors import ConfigError, DataError


@pytest.mark.parametrize("mark", [".zgroup", "zarr.json"])
def test_a_zarr_store_with_a_group_meta_is_no_lerobot_dataset(tmp_path: Path, mark: str) -> None:
    for folder in ("", "meta", "data", "meta/episodes"):
        (tmp_path / "other.zarr" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "other.zarr" / folder / mark).write_text('{"zarr_format": 2}')
    with pytest.raises(DataError, match=r"other.zarr is a zarr store of another layout.*from_episodes"):
        tc.data.open(tmp_path / "other.zarr")


def test_a_folder_meta_alone_is_no_lerobot_dataset(tmp_path: Path) -> None:
    (tmp_path / "set/meta").mkdir(parents=True)
    (tmp_path / "set/meta/notes.txt").write_text("")
    with pytest.raises(DataError, match="none of the formats"):
        tc.data.open(tmp_path / "set")
    (tmp_path / "set/meta/info.json").write_text('{"name": "x"}')
    with pytest.raises(DataError, match=r"info.json.*expected the key 'codebase_version'"):
        tc.data.open(tmp_path / "set")


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        ("v1.6", r"Bring it to v2.0 first, with lerobot 0.1"),
        ("v4.0", "Install a newer Tacit"),
    ],
)
def test_another_version_is_told_what_to_do(tmp_path: Path, version: str, advice: str) -> None:
    rng = np.random.default_rng(0)
    features = {"observation.state": vector(2), "action": vector(2)}
    write_lerobot(tmp_path / "set", features, [{name: rng.normal(size=(6, 2)) for name in features}])
    place = tmp_path / "set/meta/info.json"
    # versions before v3.0 have their tasks and episodes in other files
    (tmp_path / "set/meta/tasks.parquet").rename(tmp_path / "set/meta/tasks.jsonl")
    place.write_text(json.dumps(json.loads(place.read_text()) | {"codebase_version": version, "total_episodes": None}))
    with pytest.raises(DataError, match=rf"'codebase_version': expected v2.0, v2.1 or v3.x; got {version}. .*{advice}"):
        tc.data.open(tmp_path / "set")


def test_a_format_is_named_as_a_reader_is(tmp_path: Path) -> None:
    for name in tc.data.formats.names():
        tc.data.save(tc.data.from_episodes(recordings(2), SPEC), tmp_path / name, name)
        reader = tc.data.formats.load(name).reader
        assert tc.data.open(tmp_path / name, reader=name, skip="audio").spec == (
            tc.data.open(tmp_path / name, reader=reader(skip="audio")).spec
        )
        assert tc.data.info(tmp_path / name, reader=reader()).format == name
        with pytest.raises(ConfigError, match=r"skip= names 'audo'.* Did you mean 'audio'"):
            tc.data.open(tmp_path / name, skip="audo")


@pytest.mark.parametrize("name", tc.data.formats.names())
def test_what_is_skipped_is_not_read(tmp_path: Path, name: str) -> None:
    tc.data.save(tc.data.from_episodes(recordings(3), SPEC), tmp_path / "data", name)
    whole, part = tc.data.open(tmp_path / "data"), tc.data.open(tmp_path / "data", skip=["audio", "label.solved"])
    assert set(part.spec.modalities) == {"pixels", "state"}
    assert part.labels == ("position",)
    for before, after in zip(whole, part, strict=True):
        np.testing.assert_array_equal(before.observation["pixels"], after.observation["pixels"])
        np.testing.assert_array_equal(before.labels["position"], after.labels["position"])
        np.testing.assert_array_equal(before.action, after.action)
    unlabelled = tc.data.open(tmp_path / "data", skip="label.solved")  # of the same spec
    assert len({*whole.digests(), *part.digests(), *unlabelled.digests()}) == 9
    with pytest.raises((ConfigError, DataError), match="skip"):
        tc.data.open(tmp_path / "data", skip="*")


def test_a_dataset_of_tacit_says_itself_what_its_features_are(tmp_path: Path) -> None:
    tc.data.save(tc.data.from_episodes(recordings(2), SPEC), tmp_path / "data")
    with pytest.raises(ConfigError, match="its own record says what each feature is; got action="):
        tc.data.open(tmp_path / "data", action="observation.state")
    unacted = tc.data.open(tmp_path / "data", skip="action")
    assert unacted.spec.action.size == 0
    assert unacted[1].action.shape == (6, 0)


POSED = tc.Spec(
    {"joints": tc.Modality("vector", (2,)), "force": tc.Modality("vector", (3,))},
    tc.Box((-1.0, -1.0), (1.0, 1.0), kind="position"),
    position="joints",
)


def posed() -> tc.data.Episodes:
    return tc.data.from_episodes([replace(episode, labels={}) for episode in recordings(2, POSED)], POSED)


@pytest.mark.parametrize("name", tc.data.formats.names())
def test_a_position_stays_as_long_as_its_modality_does(tmp_path: Path, name: str) -> None:
    tc.data.save(posed(), tmp_path / "data", name)
    assert tc.data.open(tmp_path / "data").spec == POSED
    assert tc.data.open(tmp_path / "data", skip="force").spec == POSED.only(["joints"])
    assert tc.data.open(tmp_path / "data", skip="joints").spec == POSED.only(["force"])


def test_what_actions_command_can_be_said_of_any_dataset(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = {"observation.state": vector(3), "action": vector(2)}
    write_lerobot(tmp_path / "set", features, [{n: rng.normal(size=(6, f["shape"][0])) for n, f in features.items()}])
    plain = tc.data.open(tmp_path / "set")
    assert plain.spec.action.kind is None
    known = tc.data.open(tmp_path / "set", kind="position", position="state", position_index=[0, 2])
    assert (known.spec.action.kind, known.spec.position, known.spec.position_index) == ("position", "state", (0, 2))
    assert known.spec.action.low == plain.spec.action.low
    assert known.hash() != plain.hash()
    assert tc.data.open(tmp_path / "set", kind=["delta", None]).spec.action.kinds == ("delta", None)
    for options, message in (
        ({"kind": "speed"}, "kind"),
        ({"kind": "position", "position": "state"}, "position_index"),
        ({"position": "state"}, "kind 'position'"),
        ({"position_index": [0]}, "name it too"),
    ):
        with pytest.raises(ConfigError, match=message):
            tc.data.open(tmp_path / "set", **options)
    tc.data.save(posed(), tmp_path / "own")
    assert tc.data.open(tmp_path / "own", kind="velocity").spec.position is None
