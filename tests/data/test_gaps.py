"""Missing samples and numbers are filled in over short gaps only, and reported."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from tacit.errors import ConfigError, DataError


def log(path: Path, missing: dict[str, set[int]] | None = None, lost: set[int] = frozenset(), rows: int = 60) -> Path:
    """``x`` counts the rows, ``y`` is twice that, ``mark`` changes every ten rows; at 10 Hz."""
    missing = missing or {}
    lines = [
        f"{row / 10:.1f},"
        + ",".join(
            "" if row in missing.get(name, ()) else str(value)
            for name, value in (("x", row), ("y", 2 * row), ("mark", row // 10))
        )
        for row in range(rows)
        if row not in lost
    ]
    path.write_text("\n".join(["time,x,y,mark", *lines]))
    return path


def read(path: Path, message: str, **options: object) -> tc.data.Episodes:
    with pytest.warns(UserWarning, match=message):
        return tc.data.open(path, labels=("mark",), **options)


def test_missing_numbers_are_interpolated_or_held(tmp_path):
    path = log(tmp_path / "a.csv", {"x": {5, 6, 20}, "y": {5}})
    message = r"filled in missing numbers in .*a.csv: x 3, y 1 \(gaps='interpolate', the longest gap 0.3 s\)\.$"
    (episode,) = read(path, message, gaps="interpolate")
    rows = np.arange(60)
    np.testing.assert_allclose(episode.observation["signal"], np.stack([rows, 2 * rows], 1), atol=1e-5)
    (episode,) = read(path, r"x 3, y 1 \(gaps='previous'", gaps="previous")
    assert episode.observation["signal"][[4, 5, 6, 7, 19, 20, 21], 0].tolist() == [4, 4, 4, 7, 19, 19, 21]
    assert episode.observation["signal"][5, 1] == 8


def test_missing_rows_are_inserted(tmp_path):
    path = log(tmp_path / "a.csv", lost={10, 11, 29})
    (episode,) = read(path, r"x 3, y 3 \(gaps='interpolate', the longest gap 0.3 s\)", gaps="interpolate")
    rows = np.arange(60)
    np.testing.assert_allclose(episode.observation["signal"][:, 0], rows, atol=1e-4)
    right = rows // 10
    right[[10, 11]] = 0  # labels are held, never interpolated
    np.testing.assert_array_equal(episode.labels["mark"], right)
    assert episode.labels["mark"].dtype == np.int64
    (episode,) = read(path, r"x 3, y 3 \(gaps='previous'", gaps="previous")
    assert episode.observation["signal"][[9, 10, 11, 12], 0].tolist() == [9, 9, 9, 12]


@pytest.mark.parametrize("lost", [{"missing": {"x": set(range(20, 25))}}, {"lost": set(range(20, 25))}])
def test_longer_gaps_split_and_keep_the_group(tmp_path, lost):
    path = log(tmp_path / "a.csv", **lost)
    with pytest.warns(UserWarning, match="left out 5 of 60") if "missing" in lost else nullcontext():
        episodes = tc.data.open(path, labels=("mark",), gaps="interpolate", max_gap=0.5)
    assert episodes.lengths.tolist() == [20, 35] and len(set(episodes.groups)) == 1 and episodes.groups[0]
    (episode,) = read(path, "x 5", gaps="interpolate", max_gap=0.6)
    np.testing.assert_allclose(episode.observation["signal"][:, 0], np.arange(60), atol=1e-4)


def test_nothing_is_filled_before_the_first_sample_or_interpolated_after_the_last(tmp_path):
    path = log(tmp_path / "a.csv", {"x": {0, 1, 58, 59}})
    with pytest.warns(UserWarning, match="left out 4 of 60 rows"):
        assert tc.data.open(path, gaps="interpolate").lengths.tolist() == [56]
    with pytest.warns(UserWarning, match="left out 2 of 60 rows|filled in missing numbers") as caught:
        episodes = tc.data.open(path, gaps="previous")
    assert len(caught) == 2
    assert episodes[0].observation["signal"][-2:, 0].tolist() == [57, 57]


def test_a_number_may_stand_for_missing_ones(tmp_path):
    path = log(tmp_path / "a.csv", {"x": set(range(10, 40)), "y": {3}, "mark": {7, 8}})
    with pytest.raises(DataError, match=r"field 'y': line 5, row 3 \(from 0\) has no finite number.*gaps='previous'"):
        tc.data.open(path, fill={"x": 0})
    (episode,) = read(path, r"in .*: x 30, y 1, mark 2 \(fill\)\.$", fill={"x": -1, "y": 0.5, "mark": 9})
    assert episode.observation["signal"][[9, 10, 39, 40], 0].tolist() == [9, -1, -1, 40]
    assert episode.labels["mark"][6:10].tolist() == [0, 9, 9, 0] and episode.labels["mark"].dtype == np.int64
    both = log(tmp_path / "b.csv", {"y": {3}}, lost={5, 6})
    message = r"y 3 \(gaps='interpolate', the longest gap 0.3 s\); x 2 \(fill\)"
    (episode,) = read(both, message, gaps="interpolate", fill={"x": 100})
    assert episode.observation["signal"][4:8, 0].tolist() == [4, 100, 100, 7]


def test_labels_that_are_quantities_are_held(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["time,x,level", *(f"{i / 10},{i},{'' if i == 3 else i + 0.5}" for i in range(9))]))
    with pytest.warns(UserWarning, match=r"level 1 \(gaps='interpolate'"):
        (episode,) = tc.data.open(path, labels=("level",), gaps="interpolate")
    assert episode.labels["level"][2:5].tolist() == [2.5, 2.5, 4.5]


def test_signals_without_times_have_gaps_too(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["x", *("nan" if i in (3, 4, 7) else str(i) for i in range(12))]))
    with pytest.warns(UserWarning, match=r"left out 2 of 12|x 1 \(gaps='interpolate', the longest gap 0.2 s"):
        episodes = tc.data.open(path, rate=10.0, gaps="interpolate", max_gap=0.25)
    assert episodes.lengths.tolist() == [3, 7]


def test_more_than_was_recorded_is_not_filled_in(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["time,x", *(f"{i / 10},{i}" for i in range(20)), "1e9,3", "1000000000.1,4"]))
    with pytest.raises(
        DataError, match=r"samples are missing and 22 are there; the longest gap, of 1e\+09 s, follows line 21"
    ):
        tc.data.open(path, gaps="previous")
    assert tc.data.open(path, gaps="previous", max_gap=1.0).lengths.tolist() == [20, 2]


def test_filled_data_is_read_again_alike(tmp_path):
    log(tmp_path / "a.csv", {"x": {5}}, lost={20})
    log(tmp_path / "b.csv", {"y": {7}})
    episodes = read(tmp_path, "x 2, y 2", gaps="interpolate")
    with pytest.warns(UserWarning, match="filled in"):
        tc.data.convert(tmp_path, tmp_path / "data", "lerobot", labels=("mark",), gaps="interpolate")
    stored = tc.data.open(tmp_path / "data")
    for index in (1, 0, 1):
        np.testing.assert_array_equal(stored[index].observation["signal"], episodes[index].observation["signal"])
    clip = episodes.clips(1).batch(0, 0, 50).observation["signal"]
    np.testing.assert_array_equal(stored.clips(1).batch(0, 0, 50).observation["signal"], clip)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_gap": 1.0}, "max_gap needs gaps='previous' or 'interpolate'; got gaps='refuse'"),
        ({"gaps": "previous", "max_gap": 0}, "max_gap is a positive number in seconds"),
        ({"fill": {"x": float("nan")}}, "fill needs finite numbers; got nan for 'x'"),
    ],
)
def test_options_are_checked(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        tc.data.open(log(tmp_path / "a.csv"), **options)
    with pytest.raises(DataError, match=r"field 'z': there is no such column"):
        tc.data.open(tmp_path, fill={"z": 0})


def test_old_options_have_the_hashes_that_they_had(tmp_path):
    """Options that were added later count only where they are given."""
    path = log(tmp_path / "a.csv")
    assert tc.data.open(path)._storage._options == (
        '[2, "Signals", {"rate": null, "fps": null, "time": null, "columns": null, "labels": [], "gaps": "refuse"}]'
    )
    assert tc.data.open(path).hash() != tc.data.open(path, fill={"x": 0}).hash()
