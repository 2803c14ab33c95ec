"""Pieces of one recording stay together in every split, and wherever the episodes are stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import tacit as tc
from data.recordings import SPEC, assert_same, recording, recordings
from tacit.data.groups import units
from tacit.errors import ConfigError


def broken_logs(folder: Path, files: int = 12, rows: int = 60) -> tc.data.Episodes:
    """Logs with gaps in them, each of which makes three episodes."""
    folder.mkdir()
    for number in range(files):
        lines = [f"{row / 10:.1f},{'' if row in (20, 40) else number + row / 100}" for row in range(rows)]
        (folder / f"{number}.csv").write_text("\n".join(["time,x", *lines]))
    with pytest.warns(UserWarning, match="lack a finite number"):
        return tc.data.open(folder, gaps="split")


def grouped(*groups: str) -> list[tc.Episode]:
    return [replace(recording(seed), group=group) for seed, group in enumerate(groups)]


def sources(episodes: tc.data.Episodes) -> set[str]:
    return {episodes.file(index) for index in range(len(episodes))}


@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.9])
def test_pieces_of_a_file_are_on_one_side_of_every_split(tmp_path, fraction):
    episodes = broken_logs(tmp_path / "logs")
    assert len(episodes) == 36 and len(set(episodes.groups)) == 12
    for seed in range(10):
        train, held_out = episodes.split(fraction, seed)
        assert not sources(train) & sources(held_out)
        assert len(train) + len(held_out) == 36 and abs(len(train) - 36 * fraction) < 3
        inner, aside = train.split(0.5, seed)
        assert not sources(inner) & sources(aside)


def test_a_whole_recording_is_its_own_group(tmp_path):
    (tmp_path / "a.csv").write_text("time,x\n0,1\n1,2\n2,3\n")
    (tmp_path / "b.csv").write_text("time,x\n0,4\n1,5\n2,6\n")
    assert tc.data.open(tmp_path, gaps="split").groups == ("", "")


@pytest.mark.parametrize("count", [2, 3, 10, 11, 40])
@pytest.mark.parametrize("fraction", [0.01, 0.25, 0.5, 0.85, 0.9, 0.99])
def test_whole_recordings_are_split_as_before_there_were_groups(count, fraction):
    episodes = tc.data.from_episodes(recordings(count), SPEC)
    for seed in (0, 7):
        first = min(max(round(fraction * count), 1), count - 1)
        order = np.random.default_rng(seed).permutation(count)
        train, held_out = episodes.split(fraction, seed)
        assert [episode.index for episode in train] == sorted(order[:first])
        assert [episode.index for episode in held_out] == sorted(order[first:])


@pytest.mark.parametrize("form", ["lerobot", "hdf5"])
def test_groups_are_stored_and_do_not_change_other_hashes(tmp_path, form):
    made = tc.data.from_episodes(grouped("a", "a", "", "b", "b", ""), SPEC)
    plain = tc.data.from_episodes([replace(episode, group="") for episode in made], SPEC)
    assert made.hash() != plain.hash() and made.digests() == plain.digests()
    tc.data.save(made, tmp_path / "data", form)
    read = tc.data.open(tmp_path / "data")
    assert read.groups == made.groups and read.hash() == made.hash()
    for a, b in zip(made, read, strict=True):
        assert_same(a, b)
    with tc.data.Writer(tmp_path / "data", SPEC, form) as writer:
        writer.extend(grouped("c", "b"))
    assert tc.data.open(tmp_path / "data").groups == (*made.groups, "c", "b")
    assert tc.data.open(tmp_path / "data")[2:].groups == ("", "b", "b", "", "c", "b")
    assert tc.data.open(tmp_path / "data").select([7, 0]).groups == ("b", "a")


def test_a_dataset_from_before_groups_is_read_and_added_to(tmp_path):
    tc.data.save(tc.data.from_episodes(recordings(4), SPEC), tmp_path / "data")
    (index,) = (tmp_path / "data").glob("meta/episodes/*/*.parquet")
    pq.write_table(pq.read_table(index).drop_columns(["tacit/group"]), index, write_page_checksum=True)
    old = tc.data.open(tmp_path / "data")
    assert old.groups == ("",) * 4 and old.hash() == tc.data.from_episodes(recordings(4), SPEC).hash()
    with tc.data.Writer(tmp_path / "data", SPEC) as writer:
        writer.extend(grouped("a", "a"))
    new = tc.data.open(tmp_path / "data")
    assert new.groups == ("", "", "", "", "a", "a")
    schemas = [pq.read_schema(path) for path in (tmp_path / "data").glob("meta/episodes/*/*.parquet")]
    assert len(schemas) == 2 and set(schemas[0].names) == set(schemas[1].names)


def test_a_converted_folder_keeps_its_groups(tmp_path):
    read = broken_logs(tmp_path / "logs", files=4)
    with pytest.warns(UserWarning, match="lack a finite number"):
        tc.data.convert(tmp_path / "logs", tmp_path / "data", "lerobot", gaps="split")
    stored = tc.data.open(tmp_path / "data")
    assert stored.groups == read.groups
    assert stored.split(0.5, 1)[0].groups == read.split(0.5, 1)[0].groups


def test_without_leaves_out_other_pieces_too():
    episodes = tc.data.from_episodes(grouped("a", "a", "b", "", ""), SPEC)
    assert episodes.without(episodes.select([0, 3])).groups == ("b", "")
    other = tc.data.from_episodes([replace(recording(90), group="b")], SPEC)
    assert episodes.shared(other) == [2]


def test_copies_of_a_file_are_one_group(tmp_path):
    broken_logs(tmp_path / "logs", files=2)
    (tmp_path / "logs/copy.csv").write_bytes((tmp_path / "logs/1.csv").read_bytes())
    with pytest.warns(UserWarning, match="lack a finite number"):
        episodes = tc.data.open(tmp_path / "logs", gaps="split")
    assert len(set(episodes.groups)) == 2


def test_one_group_cannot_be_split(tmp_path):
    episodes = broken_logs(tmp_path / "logs", files=1)
    with pytest.raises(ConfigError, match=r"all 3 episodes are of the same one.*later pieces are the fairest test"):
        episodes.split(0.9, seed=0)
    assert [len(part) for part in episodes.split(0.6, seed=0, by="episode")] == [2, 1]


def test_a_share_that_groups_do_not_allow_is_reported():
    episodes = tc.data.from_episodes(grouped(*"aaaaabbbbb"), SPEC)
    with pytest.warns(UserWarning, match=r"holds 50% of the episodes instead of 90%: 10 episodes in 2 groups"):
        assert [len(part) for part in episodes.split(0.9, seed=0)] == [5, 5]


def test_a_split_may_keep_tasks_and_labels_together():
    subject = [0, 0, 1, 1, 2, 2, 3, 3]
    made = [
        replace(
            recording(seed),
            labels={"subject": np.full(len(recording(seed)), number), "step": np.arange(len(recording(seed)))},
            task=f"task {number % 2}",
        )
        for seed, number in enumerate(subject)
    ]
    episodes = tc.data.from_episodes(made, SPEC)
    for seed in range(8):
        first, second = episodes.split(0.5, seed, by="task")
        assert {e.task for e in first}.isdisjoint({e.task for e in second})
        first, second = episodes.split(0.75, seed, by="subject")
        assert {int(e.labels["subject"][0]) for e in first}.isdisjoint({int(e.labels["subject"][0]) for e in second})
    with pytest.raises(ConfigError, match="constant in each episode; 0 varies"):
        episodes.split(0.5, 0, by="step")
    with pytest.raises(ConfigError, match=r"'subjects'. Did you mean 'subject'"):
        episodes.split(0.5, 0, by="subjects")
    with pytest.raises(ConfigError, match="of one task together"):
        tc.data.from_episodes([replace(episode, task="one") for episode in made], SPEC).split(0.5, 0, by="task")


def test_units_join_what_shares_any_key():
    assert units(["", "a", "", "a"]).tolist() == [0, 1, 2, 1]
    assert units(["", "a", "b", "a", "b"], [1, 2, 2, 3, 4]).tolist() == [0, 1, 1, 1, 1]


def test_a_run_holds_out_whole_recordings(tmp_path):
    from tacit.runs import RunRecord

    tc.data.save(broken_logs(tmp_path / "logs"), tmp_path / "data")
    run = RunRecord("lejepa", str(tmp_path / "data"), tc.data.open(tmp_path / "data").hash(), seed=0)
    fit_on, held_out = run.split(None)
    assert len(held_out) == 3 and not set(fit_on.groups) & set(held_out.groups)
