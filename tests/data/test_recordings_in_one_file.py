"""One table of several recordings, told apart by a column."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tacit as tc
from tacit.cli import main
from tacit.data.readers import Signals
from tacit.errors import ConfigError, DataError

RUNS = {"b": 5, "a": 4, "c": 3}


def rows(start: float = 100.0) -> list[str]:
    """Rows of the runs one after the other; ``x`` counts, and times go back from run to run."""
    return [
        f"{run},{start - 10 * n + k / 10},{10 * n + k},{k % 2}" for n, run in enumerate(RUNS) for k in range(RUNS[run])
    ]


def csv(path: Path, lines: list[str], names: str = "run_id,time,x,flag") -> Path:
    path.write_text("\n".join([names, *lines]) + "\n")
    return path


def signal(episode: tc.Episode) -> list[float]:
    return episode.observation["signal"][:, 0].tolist()


def test_each_value_is_an_episode(tmp_path: Path) -> None:
    log = csv(tmp_path / "log.csv", rows())
    episodes = tc.data.open(log, episode="run_id", labels=("flag",))
    assert episodes.spec == tc.Spec({"signal": tc.Modality("series", (1,), 10.0)}, fps=10.0)
    assert episodes.lengths.tolist() == [5, 4, 3]
    assert [episode.group for episode in episodes] == ["b", "a", "c"] == list(episodes.groups)
    assert [signal(episode) for episode in episodes] == [[0, 1, 2, 3, 4], [10, 11, 12, 13], [20, 21, 22]]
    assert episodes[1].labels["flag"].tolist() == [0, 1, 0, 1]
    assert len(set(episodes.digests())) == 3
    assert tc.data.check(log, episode="run_id") == []
    train, held_out = episodes.split(0.5, seed=0)
    assert not set(train.groups) & set(held_out.groups)


def test_rows_may_lie_between_those_of_others(tmp_path: Path) -> None:
    apart = rows()
    mixed = [apart[k] for k in (0, 5, 1, 9, 6, 2, 10, 7, 3, 4, 8, 11)]
    episodes = tc.data.open(csv(tmp_path / "log.csv", mixed), episode="run_id", labels=("flag",))
    assert [signal(episode) for episode in episodes] == [[0, 1, 2, 3, 4], [10, 11, 12, 13], [20, 21, 22]]
    mixed[0], mixed[2] = mixed[2], mixed[0]
    with pytest.raises(DataError, match=r"line 4, row 2 \(from 0\) is not later than the row before"):
        tc.data.open(csv(tmp_path / "log.csv", mixed), episode="run_id")


def test_pieces_of_a_recording_share_its_group(tmp_path: Path) -> None:
    lines = rows()
    del lines[2]
    log = csv(tmp_path / "log.csv", lines)
    with pytest.raises(DataError, match=r"0.2 s pass after line 3, row 1"):
        tc.data.open(log, episode="run_id")
    episodes = tc.data.open(log, episode="run_id", gaps="split")
    assert episodes.lengths.tolist() == [2, 2, 4, 3] and list(episodes.groups) == ["b", "b", "a", "c"]
    with pytest.warns(UserWarning, match=r"filled in missing numbers in .*: x 1, flag 1"):
        filled = tc.data.open(log, episode="run_id", gaps="interpolate")
    assert signal(filled[0]) == [0, 1, 2, 3, 4]


def test_rows_keep_their_names_where_others_are_filled_in(tmp_path: Path) -> None:
    times = [*(k / 10 for k in range(13) if k != 2), *(1.2 + 0.12 * k for k in range(1, 9))]
    lines = [*rows()[:5], *(f"a,{time:.2f},1,1" for time in times)]
    with pytest.raises(DataError, match=r"not evenly spaced: line 13, row 11 \(from 0\)"):
        tc.data.open(csv(tmp_path / "log.csv", lines), episode="run_id", gaps="interpolate")


def test_what_is_filled_is_counted_once(tmp_path: Path) -> None:
    lines = rows()
    lines[0], lines[9] = "b,100.0,,0", "c,80.0,,0"
    log = csv(tmp_path / "log.csv", lines)
    with pytest.warns(UserWarning, match=r"missing numbers in .*: x 2 \(fill\)\.$"):
        tc.data.open(log, episode="run_id", fill={"x": 0.0})


def test_several_files_may_use_the_same_names(tmp_path: Path) -> None:
    csv(tmp_path / "one.csv", rows())
    csv(tmp_path / "two.csv", rows(200.0))
    groups = tc.data.open(tmp_path, episode="run_id").groups
    assert len(set(groups)) == 6 and [group.split()[1] for group in groups] == [*RUNS] * 2


@pytest.mark.parametrize(
    "ids", [[3, 3, 1, 1], [3.5, 3.5, 1.0, 1.0], ["3", "3", "ä b", "ä b"], [True, True, False, False]]
)
def test_names_are_of_any_type(ids: list[object], tmp_path: Path) -> None:
    for number, column in enumerate((pa.array(ids), pa.array(ids).dictionary_encode())):
        table = pa.table({"t": [0.0, 0.1, 0.0, 0.1], "run": column, "x": [1.0, 2.0, 3.0, 4.0]})
        pq.write_table(table, tmp_path / f"{number}.parquet")
        episodes = tc.data.open(tmp_path / f"{number}.parquet", episode="run")
        assert list(episodes.groups) == [str(ids[0]), str(ids[2])] and signal(episodes[1]) == [3, 4]


@pytest.mark.parametrize("missing", ["", "nan"])
def test_a_row_without_a_name_is_refused(missing: str, tmp_path: Path) -> None:
    log = csv(tmp_path / "log.csv", [*rows(), f"{missing},0.0,1,1"])
    with pytest.raises(DataError, match=r"field 'run_id': line 14, row 12 .* does not say which recording"):
        tc.data.open(log, episode="run_id")


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no such column\. Did you mean 'run_id'\?"):
        tc.data.open(csv(tmp_path / "log.csv", rows()), episode="runid")
    for option in ({"columns": ("x", "run_id")}, {"actions": ("run_id",)}, {"time": "run_id"}):
        with pytest.raises(ConfigError, match="'run_id' tells episodes apart"):
            Signals(episode="run_id", **option)  # type: ignore[arg-type]


def test_recordings_of_other_rates_are_named(tmp_path: Path) -> None:
    lines = [*rows(), "d,0,1,1", "d,1,1,1"]
    with pytest.raises(DataError, match=r"expected 10 samples a second, like run_id b; got 1 in run_id d\."):
        tc.data.open(csv(tmp_path / "log.csv", lines), episode="run_id")


def test_hashes_of_datasets_without_the_option_stay(tmp_path: Path) -> None:
    log = csv(tmp_path / "log.csv", ["b,0.0,1,1", "b,0.1,2,1"])
    plain = tc.data.open(log, columns=("x",))
    assert plain.hash() == tc.data.open(log, columns=("x",), episode=None).hash()
    assert plain.hash() != tc.data.open(log, columns=("x",), episode="run_id").hash()


def test_the_command_line_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = csv(tmp_path / "log.csv", rows())
    main(["data", "info", str(log), "--set", "episode=run_id"])
    assert "episodes      3, of 3 to 5" in capsys.readouterr().out
    main(["data", "convert", str(log), str(tmp_path / "data"), "--set", "episode=run_id"])
    assert list(tc.data.open(tmp_path / "data").groups) == ["b", "a", "c"]


def test_a_clip_reads_every_recording(tmp_path: Path) -> None:
    clips = tc.data.open(csv(tmp_path / "log.csv", rows()), episode="run_id", columns=("x",)).clips(3)
    first = {float(v) for v in np.asarray(clips.batch(0, 0, 64).observation["signal"])[:, 0].ravel()}
    assert first == {0, 1, 2, 10, 11, 20}
