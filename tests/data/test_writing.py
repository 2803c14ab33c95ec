"""An interrupted write leaves the dataset as it was, or none."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from data.recordings import SPEC, assert_same, recording, recordings
from tacit._files import write_atomically
from tacit.data import writing
from tacit.data.reading import unfinished
from tacit.errors import DataError, SpecError

FORMATS = tc.data.formats.names()


def write(path: Path, seeds: range, name: str) -> None:
    with tc.data.Writer(path, SPEC, name) as writer:
        for seed in seeds:
            writer.add(recording(seed))


def assert_holds(path: Path, count: int) -> None:
    episodes = tc.data.open(path)
    assert len(episodes) == count
    for seed, episode in enumerate(episodes):
        assert_same(recording(seed), episode)
        assert episode.index == seed
    assert tc.data.check(path) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_writer_adds_to_what_is_there(tmp_path, name):
    write(tmp_path / "data", range(3), name)
    assert_holds(tmp_path / "data", 3)
    write(tmp_path / "data", range(3, 5), name)
    assert_holds(tmp_path / "data", 5)
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_added_before_a_stop_is_kept(tmp_path, name):
    path = tmp_path / "data"
    writer = tc.data.Writer(path, SPEC, name)
    writer.add(recording(0))
    writer.add(recording(1))
    del writer
    with pytest.raises(DataError, match=r"never finished: 2 episodes wait"):
        tc.data.open(path)
    with tc.data.Writer(path, SPEC, name) as again:
        assert len(again) == 2
        again.add(recording(2))
    assert_holds(path, 3)


def test_an_error_inside_the_block_publishes_nothing(tmp_path):
    path = tmp_path / "data"
    write(path, range(2), "lerobot")

    def crash() -> None:
        with tc.data.Writer(path, SPEC) as writer:
            writer.add(recording(2))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert_holds(path, 2)
    assert len(tc.data.Writer(path, SPEC)) == 3


def test_a_half_written_episode_is_dropped(tmp_path):
    path = tmp_path / "data"
    writer = tc.data.Writer(path, SPEC)
    for seed in range(3):
        writer.add(recording(seed))
    rows = unfinished(path) / "episode-000001" / "rows.parquet"
    rows.write_bytes(rows.read_bytes()[:-10])
    again = tc.data.Writer(path, SPEC)
    assert len(again) == 1
    again.add(recording(1))
    again.close()
    assert_holds(path, 2)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("moment", ["build", "sync", "swap"])
def test_a_stop_while_closing_loses_nothing(tmp_path, monkeypatch, name, moment):
    path = tmp_path / "data"
    write(path, range(2), name)
    writer = tc.data.Writer(path, SPEC, name)
    writer.add(recording(2))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment == "build":
            patch.setattr(type(writer._format), "build", stop)
        elif moment == "sync":
            patch.setattr(writing, "sync", stop)
        else:
            patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            writer.close()
    if path.exists():
        assert_holds(path, 2)
    else:
        with pytest.raises(DataError, match="never finished"):
            tc.data.open(path)
    again = tc.data.Writer(path, SPEC, name)
    assert len(again) == 3
    assert_holds(path, 2)
    again.close()
    assert_holds(path, 3)


def test_a_writer_stopped_after_the_swap_adds_nothing_twice(tmp_path, monkeypatch):
    path = tmp_path / "data"
    writer = tc.data.Writer(path, SPEC)
    writer.add(recording(0))
    monkeypatch.setattr(writing.shutil, "rmtree", lambda *_, **__: None)
    writer.close()
    monkeypatch.undo()
    assert unfinished(path).exists()
    again = tc.data.Writer(path, SPEC)
    assert len(again) == 1
    again.add(recording(1))
    again.close()
    assert_holds(path, 2)


CHILD = """
import sys
import tacit as tc
from data.recordings import SPEC, recording
path, name = sys.argv[1:]
print("ready", flush=True)
while True:
    with tc.data.Writer(path, SPEC, name) as writer:
        for _ in range(3):
            writer.add(recording(len(writer)))
            print(len(writer), flush=True)
"""


@pytest.mark.parametrize("name", FORMATS)
def test_kill_9_at_any_moment(tmp_path, name):
    path, tests = tmp_path / "data", Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(tests)}
    rng = np.random.default_rng(0)
    told = 0
    for _ in range(3):
        command = [sys.executable, "-c", textwrap.dedent(CHILD), str(path), name]
        child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.6))
        child.send_signal(signal.SIGKILL)
        lines = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        told = max([told, *map(int, lines)])
        try:
            found = len(tc.data.open(path))
        except DataError as error:
            assert "never finished" in str(error) or "no dataset" in str(error)  # noqa: PT017
        else:
            assert found <= told  # an episode is told before it can be part of a finished dataset
            assert_holds(path, found)
        told = max(told, len(tc.data.Writer(path, SPEC, name)))
        assert len(tc.data.Writer(path, SPEC, name)) == told
    with tc.data.Writer(path, SPEC, name) as writer:
        writer.add(recording(len(writer)))
    assert_holds(path, told + 1)


def test_save_is_whole_or_not_at_all(tmp_path, monkeypatch):
    episodes = tc.data.from_episodes(recordings(3), SPEC)
    path = tmp_path / "data"

    def fail(*_: object) -> None:
        raise DataError("cannot be written")

    with monkeypatch.context() as patch:
        patch.setattr(tc.data.formats.LeRobot, "build", fail)
        with pytest.raises(DataError, match="cannot be written"):
            tc.data.save(episodes, path)
    assert list(tmp_path.iterdir()) == []
    tc.data.save(episodes, path)
    with pytest.raises(DataError, match="exists already"):
        tc.data.save(episodes, path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("interrupted", ["stage", "build"])
def test_save_goes_on_where_it_was_interrupted(interrupted, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "GROUP", 2)
    form, staged = tc.data.formats.LeRobot, []
    stage, build = form.stage, form.build

    def staging(self, folder, group, *rest):
        staged.append(len(group))
        if interrupted == "stage" and len(staged) == 3:
            raise KeyboardInterrupt
        stage(self, folder, group, *rest)

    def building(self, *rest):
        if interrupted == "build":
            raise KeyboardInterrupt
        build(self, *rest)

    episodes = tc.data.from_episodes(recordings(7), SPEC)
    path = tmp_path / "data"
    with monkeypatch.context() as patch:
        patch.setattr(form, "stage", staging)
        patch.setattr(form, "build", building)
        with pytest.raises(KeyboardInterrupt):
            tc.data.save(episodes, path)
    assert not path.exists()
    done, again = sum(staged[:2] if interrupted == "stage" else staged), []
    monkeypatch.setattr(
        form, "stage", lambda self, folder, group, *rest: again.append(len(group)) or stage(self, folder, group, *rest)
    )
    tc.data.save(episodes, path)
    assert sum(again) == 7 - done
    assert tc.data.open(path).hash() == episodes.hash()
    assert list(tmp_path.iterdir()) == [path]


def test_save_begins_anew_with_other_episodes(tmp_path, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tc.data.formats.LeRobot, "build", stop)
        with pytest.raises(KeyboardInterrupt):
            tc.data.save(tc.data.from_episodes(recordings(3), SPEC), tmp_path / "data")
    others = tc.data.from_episodes(recordings(5)[3:], SPEC)
    tc.data.save(others, tmp_path / "data")
    assert tc.data.open(tmp_path / "data").hash() == others.hash()


def test_writers_refuse_another_spec_format_or_nothing(tmp_path):
    path = tmp_path / "data"
    other = tc.Spec({"state": tc.Modality("vector", (3,))}, SPEC.action)
    writer = tc.data.Writer(path, SPEC)
    with pytest.raises(DataError, match="no episode was added"):
        writer.close()
    writer.add(recording(0))
    with pytest.raises(SpecError, match="keeps episodes of another spec"):
        tc.data.Writer(path, other)
    writer.close()
    with pytest.raises(SpecError, match="holds episodes in format lerobot"):
        tc.data.Writer(path, other)
    with pytest.raises(SpecError, match="expected Hdf5"):
        tc.data.Writer(path, SPEC, "hdf5")


def test_a_file_is_replaced_whole_or_not_at_all_and_others_can_read_it(tmp_path):
    place = tmp_path / "index.json"
    write_atomically(place, "old")
    plain = tmp_path / "plain"
    plain.write_text("")
    assert place.stat().st_mode == plain.stat().st_mode
    with pytest.raises(UnicodeEncodeError):
        write_atomically(place, "half \udc80")
    assert place.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.json", "plain"]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (np.array(["a"] * 9), "labels are numbers; got dtype <U1"),
        (np.array([None] * 9, object), "labels are numbers; got dtype object"),
        (np.full(9, 1j), "labels are numbers; got dtype complex128"),
        ([1] * 9, "expected a numpy array; got list"),
    ],
)
def test_labels_that_are_no_numbers_are_refused_by_name(tmp_path, label, message):
    episode = recording(1)
    odd = replace(episode, labels={**episode.labels, "mood": label})
    with pytest.raises(SpecError, match=rf"episode 0, field 'label\.mood': {message}"):
        tc.data.from_episodes([odd], SPEC)
    with tc.data.Writer(tmp_path / "data", SPEC) as writer:
        with pytest.raises(SpecError, match=rf"episode 0, field 'label\.mood': {message}"):
            writer.add(odd)
        writer.add(episode)
