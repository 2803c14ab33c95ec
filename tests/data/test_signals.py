"""Files of signals as a dataset: clocks, gaps, labels, and what is no signal."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tacit as tc
from data.recordings import assert_same
from tacit.errors import ConfigError, DataError


def csv(path: Path, names: str, rows: Sequence[Sequence[object]], delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [names, *(delimiter.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def wave(path: Path, length: int = 20, rate: float = 10.0, start: float = 0.0) -> Path:
    """``x`` counts the rows and ``y`` is twice that."""
    return csv(path, "time,x,y", [(start + row / rate, row, 2 * row) for row in range(length)])


def test_a_file_is_an_episode_with_its_columns_as_channels(tmp_path):
    wave(tmp_path / "a.csv")
    wave(tmp_path / "b.csv", 7, start=100.0)
    episodes = tc.data.open(tmp_path)
    assert episodes.spec == tc.Spec({"signal": tc.Modality("series", (2,), 10.0)}, fps=10.0)
    assert episodes.lengths.tolist() == [20, 7]
    rows = np.arange(20, dtype=np.float32)
    np.testing.assert_array_equal(episodes[0].observation["signal"], np.stack([rows, 2 * rows], axis=1))
    assert episodes[1].action.shape == (6, 0)
    assert tc.data.check(tmp_path) == []
    clip = episodes.clips(2, frameskip=4).batch(0, 0, 6)
    assert clip.observation["signal"].shape == (6, 2, 4, 2)
    first = clip.observation["signal"][..., 0].numpy()
    np.testing.assert_array_equal(first[:, :, -1], clip.start.numpy()[:, None] + [0, 4])


@pytest.mark.parametrize(("fps", "length", "used"), [(10, 20, 20), (5, 10, 20), (3, 6, 20), (4, 8, 20), (0.5, 1, 20)])
def test_observations_may_be_fewer_than_samples(tmp_path, fps, length, used):
    wave(tmp_path / "a.csv")
    episodes = tc.data.open(tmp_path, fps=fps, columns=("x",), labels=("y",))
    assert episodes.lengths.tolist() == [length]
    episode = episodes[0]
    assert len(episode.observation["signal"]) == episodes.spec.samples("signal", length) == used
    latest = np.floor(np.arange(length) * 10.0 / fps + 1e-9)
    np.testing.assert_array_equal(episode.labels["y"], 2 * latest)
    assert episode.labels["y"].dtype == np.int64
    assert tc.data.check(tmp_path, fps=fps, columns=("x",), labels=("y",)) == []


def test_parquet_and_csv_of_any_delimiter_say_the_same(tmp_path):
    rows = [(row / 8, row, 0.5 * row) for row in range(9)]
    for number, delimiter in enumerate(",;\t"):
        csv(tmp_path / f"{number}.csv", delimiter.join(("t", "x", "y")), rows, delimiter)
    table = pa.table({"t": [row[0] for row in rows], "x": [row[1] for row in rows], "y": [row[2] for row in rows]})
    pq.write_table(table, tmp_path / "3.parquet")
    csv(tmp_path / "4.tsv", "\ufeffTime\tx\ty", rows, "\t")
    csv(tmp_path / "5.csv", "0.0,0,0.0", rows[1:])
    for number in range(6):
        (path,) = tmp_path.glob(f"{number}.*")
        options = {"time": "f0"} if number == 5 else {}
        episodes = tc.data.open(path, **options)
        assert episodes.spec.fps == 8.0
        np.testing.assert_array_equal(episodes[0].observation["signal"], [row[1:] for row in rows])


def test_a_column_without_a_name_is_refused(tmp_path):
    csv(tmp_path / "a.csv", ",time,x", [(row, row / 10, 2 * row) for row in range(5)])
    with pytest.raises(DataError, match=r"a.csv, field 'columns': expected a name for each column; there are \['', 't"):
        tc.data.open(tmp_path)
    chosen = tc.data.open(tmp_path, columns=("x",))
    np.testing.assert_array_equal(chosen[0].observation["signal"][:, 0], 2 * np.arange(5))
    csv(tmp_path / "a.csv", ",x", [(f"2026-01-31 12:00:0{row}", row) for row in range(5)])
    dated = tc.data.open(tmp_path)  # the column of dates is the time, whatever it is called
    assert (dated.spec.fps, dated.spec.modalities["signal"].shape) == (1.0, (1,))


def test_the_index_that_pandas_writes_is_no_channel(tmp_path):
    rows = np.arange(5)
    table = pa.table({"time": rows / 10, "x": 2 * rows, "__index_level_0__": rows, "patient": rows})
    pq.write_table(table, tmp_path / "a.parquet")
    assert tc.data.open(tmp_path).spec.modalities["signal"].shape == (2,)
    said = {"index_columns": ["patient", "time", {"kind": "range", "start": 0, "stop": 5, "step": 1}]}
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(said)}), tmp_path / "a.parquet")
    episodes = tc.data.open(tmp_path, labels=("patient",))
    np.testing.assert_array_equal(episodes[0].observation["signal"], 2 * rows[:, None])
    assert (episodes.spec.fps, episodes.labels) == (10.0, ("patient",))
    assert tc.data.open(tmp_path, columns=("patient",)).spec.modalities["signal"].shape == (1,)
    pq.write_table(table.replace_schema_metadata({"pandas": "{"}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet, field 'rows': what pandas says of the columns cannot be read"):
        tc.data.open(tmp_path)


def test_dates_are_times(tmp_path):
    rows = [(f"2026-01-31 23:{55 + row if row < 5 else row - 5:02}:00", row) for row in range(5)]
    csv(tmp_path / "a.csv", "when,x", [*rows, ("2026-02-01 00:00:00", 5)])
    assert tc.data.open(tmp_path).spec.fps == pytest.approx(1 / 60)
    seconds = pa.array([0, 250, 500], pa.timestamp("ms"))
    pq.write_table(pa.table({"time": seconds, "x": [1, 2, 3]}), tmp_path / "a.parquet")
    assert tc.data.open(tmp_path / "a.parquet").spec.fps == 4.0
    pq.write_table(
        pa.table({"time": pa.array([0, 500, 1000], pa.time32("ms")), "x": [1, 2, 3]}), tmp_path / "a.parquet"
    )
    assert tc.data.open(tmp_path / "a.parquet").spec.fps == 2.0


@pytest.mark.parametrize(("unit", "step"), [(1, 1), (1e3, 10), (1e6, 10**4), (1e9, 10**7)])
@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.float64()])
def test_times_since_1970_are_known_by_their_size(tmp_path, unit, step, kind):
    ticks = 1_700_000_000 * int(unit) + 1 + step * np.arange(9)
    pq.write_table(
        pa.table({"time": pa.array(ticks).cast(kind, safe=False), "x": ticks - ticks[0]}), tmp_path / "a.parquet"
    )
    episodes = tc.data.open(tmp_path)
    assert episodes.spec.fps == (1.0 if unit == 1 else 100.0)
    assert episodes.lengths.tolist() == [9]


def test_large_whole_numbers_are_kept_as_labels_and_refused_as_channels(tmp_path):
    large = 2**53 + 1
    csv(tmp_path / "a.csv", "time,x,frame", [(row / 10, row, large + row) for row in range(5)])
    (episode,) = tc.data.open(tmp_path, labels=("frame",))
    assert episode.labels["frame"].tolist() == [large + row for row in range(5)]
    with pytest.raises(
        DataError, match=r"a.csv, field 'frame': expected numbers .*row 0 \(from 0\) holds 9007199254740993"
    ):
        tc.data.open(tmp_path)
    table = pa.table({"time": [0.0, 0.1], "x": [1, 2], "frame": pa.array([1, 2**63], pa.uint64())})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet, field 'frame': expected whole numbers below 2\^63"):
        tc.data.open(tmp_path / "a.parquet", labels=("frame",))


def test_rounded_times_are_an_even_clock(tmp_path):
    csv(tmp_path / "a.csv", "time,x", [(round(row / 360, 3), row) for row in range(2000)])
    assert tc.data.open(tmp_path).spec.fps == 360.0


def test_files_without_times_need_a_rate(tmp_path):
    csv(tmp_path / "a.csv", "x,y", [(1, 2), (3, 4)])
    with pytest.raises(DataError, match=r"a.csv, field 'time': expected a column of times; there are x, y.*rate="):
        tc.data.open(tmp_path)
    assert tc.data.open(tmp_path, rate=250).spec.fps == 250.0
    csv(tmp_path / "a.csv", "time,y", [(1, 2)])
    with pytest.raises(DataError, match=r"expected two consecutive samples, to find the rate. Give it: rate="):
        tc.data.open(tmp_path)


def test_subfolders_are_classes(tmp_path):
    wave(tmp_path / "ill/a.csv", 5)
    wave(tmp_path / "well/b.csv", 6)
    episodes = tc.data.open(tmp_path, labels=("y",), columns=("x",))
    assert set(episodes.labels) == {"class", "y"}
    assert episodes[1].labels["class"].tolist() == [1] * 6
    assert [episode.task for episode in episodes] == ["ill", "well"]


def test_a_converted_folder_is_the_same_dataset(tmp_path):
    wave(tmp_path / "raw/ill/a.csv", 50)
    wave(tmp_path / "raw/well/b.csv", 33)
    options = {"fps": 3, "columns": ("x",), "labels": ("y",)}
    tc.data.convert(tmp_path / "raw", tmp_path / "data", "lerobot", **options)
    read, stored = tc.data.open(tmp_path / "raw", **options), tc.data.open(tmp_path / "data")
    for a, b in zip(read, stored, strict=True):
        assert_same(a, b)
    np.testing.assert_array_equal(
        read.clips(2).batch(0, 0, 9).observation["signal"], stored.clips(2).batch(0, 0, 9).observation["signal"]
    )


GAPS = {
    "an empty cell": ("x", 3, [(0.0, 0), (0.1, 1), (0.2, 2), (0.3, ""), (0.4, 4), (0.5, 5)], [3, 2]),
    "a NaN": ("x", 0, [(0.0, "nan"), (0.1, 1), (0.2, 2), (0.3, "NaN"), (0.4, 4), (0.5, 5)], [2, 2]),
    "an infinite number": ("x", 1, [(0.0, 0), (0.1, "inf"), (0.2, 2), (0.3, 3)], [1, 2]),
    "a number too large to store": ("x", 2, [(0.0, 0), (0.1, 1), (0.2, "1e300"), (0.3, 3)], [2, 1]),
    "missing rows": ("time", 2, [(0.0, 0), (0.1, 1), (0.2, 2), (0.5, 3), (0.6, 4)], [3, 2]),
    "one missing row": ("time", 1, [(0.0, 0), (0.1, 1), (0.3, 2), (0.4, 3), (0.5, 4)], [2, 3]),
}


def told(missing: int, rows: int) -> AbstractContextManager[object]:
    """Expects the warning that a number is missing in so many rows, where there are any."""
    if not missing:
        return nullcontext()
    return pytest.warns(UserWarning, match=rf"left out {missing} of {rows} rows in .*: {missing} lack a finite number")


@pytest.mark.parametrize("name", GAPS)
def test_a_gap_is_named_or_splits_the_signal(tmp_path, name):
    column, row, rows, lengths = GAPS[name]
    csv(tmp_path / "a.csv", "time,x", [(0.0, 0), (0.1, 1)])
    csv(tmp_path / "b.csv", "time,x", rows)
    with pytest.raises(DataError, match=rf"b.csv, field '{column}': .*row {row} \(from 0\).*gaps='split'"):
        tc.data.open(tmp_path)
    assert tc.data.check(tmp_path)[0].field == column
    with told(len(rows) - sum(lengths), 2 + len(rows)):
        episodes = tc.data.open(tmp_path, gaps="split")
    assert episodes.lengths.tolist() == [2, *lengths]
    assert episodes.spec.fps == 10.0
    whole = [value for _, value in rows if value not in ("", "nan", "NaN", "inf", "1e300")]
    found = np.concatenate([episode.observation["signal"][:, 0] for episode in episodes[1:]])
    np.testing.assert_array_equal(found, whole)
    assert len({episodes.select([index]).hash() for index in range(3)}) == 3


def test_labels_stay_with_their_stretch(tmp_path):
    csv(tmp_path / "a.csv", "time,x,beat", [(row / 10, "" if row == 3 else row, 100 + row) for row in range(9)])
    with told(1, 9):
        first, second = tc.data.open(tmp_path, gaps="split", labels=("beat",))
    assert first.labels["beat"].tolist() == [100, 101, 102]
    assert second.labels["beat"].tolist() == [104, 105, 106, 107, 108]


def test_other_columns_are_another_dataset(tmp_path):
    wave(tmp_path / "a.csv")
    one, two = (tc.data.open(tmp_path, columns=(name,)) for name in "xy")
    assert one.hash() != two.hash()
    ones, twos = (part.clips(1).batch(0, 0, 20).observation["signal"] for part in (one, two))
    np.testing.assert_array_equal(twos, 2 * ones)


def test_rows_that_are_left_out_are_counted_once_and_files_without_any_named(tmp_path):
    for name, kept in (("a", range(10)), ("b", ()), ("c", (0, 1, 2, 8, 9))):
        csv(tmp_path / f"{name}.csv", "time,x", [(row / 10, row if row in kept else "") for row in range(10)])
    message = r"left out 15 of 30 rows in .*: 15 lack a finite number. The other rows make 3 episodes. Files "
    with pytest.warns(UserWarning, match=message + r"that gave no episode: 1 \(.*b.csv\)\.$") as caught:
        episodes = tc.data.open(tmp_path, gaps="split")
    assert len(caught) == 1
    assert episodes.lengths.tolist() == [10, 3, 2]


def test_short_stretches_are_left_out_aloud(tmp_path):
    csv(tmp_path / "a.csv", "time,x", [(row / 10, "" if row == 3 else row) for row in range(20)])
    why = r"1 lack a finite number; 3 lie in stretches shorter than one observation at fps=2 \(1 of 2 stretches\)"
    with pytest.warns(UserWarning, match=f"left out 4 of 20 rows in .*: {why}. The other rows make 1 episodes.$"):
        episodes = tc.data.open(tmp_path, gaps="split", fps=2)
    assert episodes.lengths.tolist() == [3]
    np.testing.assert_array_equal(episodes[0].observation["signal"][:, 0], np.arange(4, 19))
    with pytest.raises(DataError, match=r"no signal in .* is as long as one observation at fps=0.5"):
        tc.data.open(tmp_path, gaps="split", fps=0.5)


def jittered() -> list[tuple[float, int]]:
    """Times that drift by more than half a period and leave no gap."""
    steps = [0.1] * 10 + [0.12] * 10 + [0.08] * 10
    return [(float(time), row) for row, time in enumerate(np.cumsum(steps))]


BROKEN = {
    "uneven times": ("time,x", jittered(), "time", "not evenly spaced: .*row .*Resample the signal first"),
    "times that stay": ("time,x", [(0, 1), (2, 1), (2, 1)], "time", r"line 4, row 2 \(from 0\) has the same time"),
    "times that stand still": (
        "time,x",
        [(0, 1), (1, 1), (1, 1)],
        "time",
        r"row 2 \(from 0\) has the same time .*rate=",
    ),
    "a missing time": ("time,x", [(0, 1), ("", 1), (2, 1)], "time", r"row 1 \(from 0\) has none"),
    "times in words": ("time,x", [("noon", 1), ("one", 2)], "time", "expected seconds, or times like .* got 'noon'"),
    "words": ("time,x", [(0, 1), (1, "high"), (2, 3)], "x", r"row 1 \(from 0\) holds 'high'.*columns="),
    "a row that is too long": (
        "time,x",
        [(0, 1), (1, 2, 3), (2, 3)],
        "rows",
        "expected 2 cells in each .*line 3 has 3: '1,2,3'",
    ),
    "no rows": ("time,x", [], "rows", "expected samples; there are none"),
    "nothing": ("", [], "rows", "the file is empty"),
    "two columns of a name": ("time,x,x", [(0, 1, 1), (1, 2, 2)], "x", "two columns have that name"),
    "two columns of times": ("time,date,x", [(0, 1, 1), (1, 2, 2)], "date", r"several columns may be the time.*time="),
    "only times": ("time", [(0,), (1,)], "columns", "expected a column that is no time, label or action"),
    "other columns": ("time,z", [(0, 1), (0.1, 2)], "columns", r"expected x, like a.csv; got z.*columns="),
    "another rate": ("time,x", [(0, 1), (0.2, 2)], "rate", "expected 10 samples a second, like a.csv; got 5"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("gaps", ["refuse", "split"])
def test_what_is_no_even_signal_is_named(tmp_path, name, gaps):
    names, rows, field, message = BROKEN[name]
    csv(tmp_path / "a.csv", "time,x", [(row / 10, row) for row in range(5)])
    csv(tmp_path / "b.csv", names, rows)
    with pytest.raises(DataError, match=rf"b.csv, field '{field}': .*{message}"):
        tc.data.open(tmp_path, gaps=gaps)


def test_damaged_and_foreign_files_are_named(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1nonsense")
    with pytest.raises(DataError, match=r"a.parquet, field 'rows': cannot be read"):
        tc.data.open(tmp_path)
    (tmp_path / "a.parquet").unlink()
    (tmp_path / "a.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(
        DataError, match=r"a.csv, field 'rows': line 1 holds bytes that are no text in cp1252, nor in UTF"
    ):
        tc.data.open(tmp_path)


def test_options_are_checked(tmp_path):
    wave(tmp_path / "a.csv")
    for options, error, message in [
        ({"gap": "split"}, ConfigError, "Did you mean 'gaps'"),
        ({"gaps": "fill"}, ConfigError, "gaps is one of 'refuse', 'split', 'previous', 'interpolate'"),
        ({"rate": 0}, ConfigError, "rate is a positive number"),
        ({"fps": 20}, ConfigError, "fps is at most the rate of the signal, 10; got 20"),
        ({"columns": "x"}, ConfigError, "Signals.columns must be"),
        ({"columns": ("z",)}, DataError, r"field 'z': there is no such column.*There are: time, x, y"),
        ({"labels": ("yy",)}, DataError, r"no such column. Did you mean 'y'"),
        ({"time": "clock"}, DataError, "field 'clock': there is no such column"),
        ({"rate": 12}, DataError, "field 'time': expected 12 samples a second; got 10"),
    ]:
        with pytest.raises(error, match=message):
            tc.data.open(tmp_path, **options)
