"""CSV files as loggers and spreadsheets write them, and files that are no table."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from tacit.data.readers import _csv, _text
from tacit.errors import ConfigError, DataError

WAVE = np.sin(np.arange(40))


def comma(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


def signal(path: Path, **options: object) -> np.ndarray:
    return tc.data.open(path, **options)[0].observation["signal"]


def text(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("options", [{}, {"decimal": ","}])
def test_decimal_commas_are_found(tmp_path, delimiter, options):
    rows = [delimiter.join((comma(i / 10, 1), comma(v), comma(-2 * v), str(i))) for i, v in enumerate(WAVE)]
    named = text(tmp_path / "named.csv", delimiter.join(("time", "a", "b", "n")), *rows)
    np.testing.assert_allclose(signal(named, **options), np.stack([WAVE, -2 * WAVE, np.arange(40)], 1), atol=1e-3)
    assert tc.data.open(named, **options).spec.fps == 10.0
    bare = text(tmp_path / "bare.csv", *(row.split(delimiter, 1)[1] for row in rows))
    np.testing.assert_allclose(signal(bare, rate=10.0, **options)[:, 0], WAVE, atol=1e-3)


def test_a_single_column_and_quoted_cells_may_have_decimal_commas(tmp_path):
    one = text(tmp_path / "one.csv", "x", *map(comma, WAVE))
    np.testing.assert_allclose(signal(one, rate=10.0)[:, 0], WAVE, atol=1e-3)
    quoted = text(
        tmp_path / "quoted.csv", "time,x", *(f'"{comma(i / 10, 1)}","{comma(v)}"' for i, v in enumerate(WAVE))
    )
    np.testing.assert_allclose(signal(quoted)[:, 0], WAVE, atol=1e-3)


def test_commas_that_appear_late_are_found_too(tmp_path):
    rows = [f"{i};{i}" for i in range(500)] + [f"{i};{i},5" for i in range(500, 600)]
    values = signal(text(tmp_path / "a.csv", "time;x", *rows))
    assert values[499, 0] == 499 and values[500, 0] == 500.5


def test_a_comma_that_may_separate_thousands_is_asked_about(tmp_path):
    path = text(tmp_path / "a.csv", "time;x", "0;1,234", "1;2,345", "2;1,000")
    with pytest.raises(
        DataError, match=r"field 'x': '1,234' in line 2 may be a decimal comma .*decimal=','.*decimal='.'"
    ):
        tc.data.open(path)
    np.testing.assert_allclose(signal(path, decimal=",")[:, 0], [1.234, 2.345, 1.0])
    np.testing.assert_array_equal(signal(path, decimal=".")[:, 0], [1234, 2345, 1000])


def test_thousands_are_separated_by_the_other_sign(tmp_path):
    english = text(tmp_path / "a.csv", "time;x", "0.5;1,234.5", "1.0;12,345", "1.5;7")
    np.testing.assert_array_equal(signal(english)[:, 0], [1234.5, 12345, 7])
    german = text(tmp_path / "b.csv", "time;x;y", "0;1.234,5;1.000", "1;12.345,0;2.000", "2;7,25;3.000")
    np.testing.assert_array_equal(signal(german), [[1234.5, 1000], [12345, 2000], [7.25, 3000]])
    swiss = text(tmp_path / "c.csv", "time;x", "0.0;1'234.5", "0.1;2 345.5")
    np.testing.assert_array_equal(signal(swiss)[:, 0], [1234.5, 2345.5])


def test_a_file_with_both_decimal_signs_is_refused(tmp_path):
    path = text(tmp_path / "a.csv", "time;x", "0.5;0,5", "1.0;0,6")
    with pytest.raises(
        DataError, match=r"field 'x': expected numbers; line 2, row 0 \(from 0\) holds '0,5'.*decimal=','"
    ):
        tc.data.open(path)


@pytest.mark.parametrize(
    ("encoding", "options"),
    [
        ("utf-8", {}),
        ("utf-8-sig", {}),
        ("utf-16", {}),
        ("utf-16-le", {}),
        ("utf-16-be", {}),
        ("utf-32", {}),
        ("cp1252", {}),
        ("latin-1", {}),
        ("cp1251", {"encoding": "cp1251"}),
    ],
)
def test_encodings_are_found(tmp_path, encoding, options):
    path = text(tmp_path / "a.csv", "time;T [°C];p", *(f"{i / 10};{i};{2 * i}" for i in range(30)), encoding=encoding)
    np.testing.assert_array_equal(signal(path, columns=("T [°C]",), **options)[:, 0], np.arange(30))


def test_a_guessed_encoding_is_reported(tmp_path):
    for name in "ab":
        text(tmp_path / f"{name}.csv", "time;Kühlung", *(f"{i / 10};{i}" for i in range(9)), encoding="cp1252")
    with pytest.warns(
        UserWarning, match=r"2 of the files .* read as cp1252 .*line 1 holds 'time;Kühlung.*encoding="
    ) as caught:
        tc.data.open(tmp_path, columns=("Kühlung",))
    assert len(caught) == 1
    tc.data.open(tmp_path, columns=("Kühlung",), encoding="latin-1")
    with pytest.raises(DataError, match=r"line 1 holds bytes that are no text in utf-8 \(fc 68 6c 75\)"):
        tc.data.open(tmp_path, encoding="utf-8")
    for encoding in ("klingon", "base64"):
        with pytest.raises(ConfigError, match=f"encoding is the name of a text encoding.*{encoding}"):
            tc.data.open(tmp_path, encoding=encoding)


def test_a_line_of_units_is_no_row(tmp_path):
    path = text(tmp_path / "a.csv", "time;p;T", "s;bar;°C", "0;1,5;20", "1;1,6;21", "2;1,7;22")
    np.testing.assert_allclose(signal(path), [[1.5, 20], [1.6, 21], [1.7, 22]])
    milli = text(tmp_path / "b.csv", "time,p", "[ms],[bar]", "0,1", "100,2", "200,3")
    assert tc.data.open(milli).spec.fps == 10.0
    words = text(tmp_path / "c.csv", "time,state", "0,high", "1,low")
    with pytest.raises(DataError, match=r"field 'state': expected numbers; line 2, row 0 \(from 0\) holds 'high'"):
        tc.data.open(words)


@pytest.mark.parametrize("name", ["time [ms]", "Time (ms)", "t/ms", "time_ms", "timestamp [ms]"])
def test_the_unit_in_the_name_of_a_time_counts(tmp_path, name):
    path = text(tmp_path / "a.csv", f"{name},x", *(f"{20 * i},{i}" for i in range(9)))
    assert tc.data.open(path).spec.fps == 50.0
    assert tc.data.open(path, time=name).spec.fps == 50.0


@pytest.mark.parametrize(
    "stamps",
    [
        [f"31.01.2026 23:59:{50 + i:02}" for i in range(9)],
        [f"31.01.2026 23:59:{50 + i:02},500" for i in range(9)],
        [f"31/01/2026 12:00:{i:02}" for i in range(9)],
        [f"1/31/2026 12:00:{i:02}" for i in range(9)],
        [f"01/02/2026 12:00:{i:02}" for i in range(9)],  # one day, whichever it is
        ["31.01.2026 23:59:59", *(f"01.02.2026 00:00:{i:02}" for i in range(5))],
        [f"12:00:{i:02}" for i in range(9)],
        [f"2026-01-31T12:00:{i:02}Z" for i in range(9)],
    ],
)
def test_dates_of_several_countries_are_times(tmp_path, stamps):
    path = text(tmp_path / "a.csv", "Zeit;x", *(f"{stamp};{i},5" for i, stamp in enumerate(stamps)))
    assert tc.data.open(path).spec.fps == 1.0
    assert tc.data.open(path).lengths.tolist() == [len(stamps)]


def test_dates_that_may_be_two_days_are_refused(tmp_path):
    path = text(tmp_path / "a.csv", "date;x", "01/02/2026;1", "02/02/2026;2", "03/02/2026;3")
    with pytest.raises(
        DataError, match=r"field 'date': dates such as '01/02/2026' may begin with the day or with the month"
    ):
        tc.data.open(path)
    path = text(tmp_path / "a.csv", "date;x", "30.01.2026;1", "31.02.2026;2")
    with pytest.raises(DataError, match=r"line 3, row 1 \(from 0\) holds '31.02.2026', and there is no such time"):
        tc.data.open(path)
    path = text(tmp_path / "a.csv", "date;x", "30.01.2026;1", "tomorrow;2")
    with pytest.raises(DataError, match=r"line 3, row 1 \(from 0\) holds 'tomorrow'"):
        tc.data.open(path)


def test_lines_are_counted_where_some_are_empty(tmp_path):
    path = text(tmp_path / "a.csv", "", "time,x", "", "0,1", "", "1,2", "2,high", "", "")
    with pytest.raises(DataError, match=r"line 7, row 2 \(from 0\) holds 'high'"):
        tc.data.open(path)
    path = text(tmp_path / "a.csv", "time,x", "0,1\r", "\r", "1,2\r", "2,\r", "3,4\r")
    with pytest.raises(DataError, match=r"line 5, row 2 \(from 0\) has no finite number"):
        tc.data.open(path)


ROUNDED = {
    "three samples a packet": (50.0, lambda i: f"{i // 3 * 0.06:.2f}"),
    "milliseconds at 1600 Hz": (1600.0, lambda i: f"{i / 1600:.3f}"),
    "whole seconds at 10 Hz": (10.0, lambda i: f"{i // 10}"),
    "whole seconds at 3 Hz": (3.0, lambda i: f"{i // 3}"),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_times_that_repeat_are_spread_evenly(tmp_path, name):
    rate, stamp = ROUNDED[name]
    path = text(tmp_path / "a.csv", "time,x", *(f"{stamp(i)},{i}" for i in range(300)))
    for options in ({}, {"rate": rate}, {"rate": rate, "columns": ("x",)}):
        episodes = tc.data.open(path, **options)
        assert episodes.spec.fps == pytest.approx(rate, rel=1e-3)
        np.testing.assert_array_equal(episodes[0].observation["signal"][:, 0], np.arange(300))
    with pytest.raises(
        DataError, match=r"has the same time as the row before.*rate=...: \d+ samples a second do not fit"
    ):
        tc.data.open(path, rate=2 * rate)
    without = tc.data.open(path, time="", rate=7.0)
    assert without.spec.modalities["signal"].shape == (2,)


def test_a_lost_packet_is_a_gap(tmp_path):
    kept = [i for i in range(300) if not 150 <= i < 156]
    path = text(tmp_path / "a.csv", "time,x", *(f"{i // 3 * 0.06:.2f},{i}" for i in kept))
    with pytest.raises(
        DataError, match=r"expected a sample every 0.02 s; 0.14 s pass after line 151, row 149 \(from 0\)"
    ):
        tc.data.open(path)
    assert tc.data.open(path, gaps="split").lengths.tolist() == [150, 144]
    with pytest.warns(UserWarning, match="x 6"):
        filled = signal(path, gaps="interpolate")
    np.testing.assert_allclose(filled[:, 0], np.arange(300), atol=1e-4)


@pytest.mark.parametrize(
    ("stamps", "why"),
    [
        ([0, 1, 1, 2, 3, 4, 5, 6], "may also be 1 samples a second with repeated rows"),
        ([0, 0, 1, 1], "too few times differ"),
        ([0, 0, 1, 1, 2, 2, 3, 3], "others do too"),
        ([0, 0, 0, 0], "too few times differ"),
        ([0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 6, 7, 8, 9, 10, 11], "no even clock fits"),
    ],
)
def test_repeated_times_that_may_mean_several_things_need_a_rate(tmp_path, stamps, why):
    path = text(tmp_path / "a.csv", "time,x", *(f"{stamp},{i}" for i, stamp in enumerate(stamps)))
    with pytest.raises(DataError, match=rf"has the same time as the row before.*{why}.*If rows are repeated, remove"):
        tc.data.open(path)


HOSTILE = {
    "a NUL": (b"time,x\n0,1\n1,\x002\n", r"line 3 holds a NUL byte"),
    "a ragged row": (
        b"time,x\n0,1\n1,2,3\n",
        r"expected 2 cells in each line, as in the first one; line 3 has 3: '1,2,3'",
    ),
    "a short row": (b"time,x\n0,1\n1\n2,3\n", r"line 3 has 1: '1'"),
    "a quote without end": (b'time,x\n0,1\n1,"2\n2,3\n', r"line 3 opens a quote and does not close it"),
    "a last quote": (b'time,x\n0,1\n1,2\n2,"3', r"line 4 opens a quote and does not close it"),
    "very many columns": (
        b",".join(b"c%d" % i for i in range(20000)) + b"\n",
        "expected at most 16384 columns; line 1 has",
    ),
    "a long line": (b"time,x\n0,1\n1," + b"2" * 2**21 + b"\n", "line 3 is longer than 1048576 bytes"),
    "a long last line": (b"time,x\n0,1\n1," + b"2" * 2**21, "line 3 is longer than 1048576 bytes"),
    "a long first line": (b"2" * 2**23, "line 1 is longer than 4194304 bytes"),
    "a long cell": (b"time,x\n0,1\n1," + b"z" * 1000 + b"\n", r"line 3, row 1 \(from 0\) holds 'z{60}...'"),
    "only line ends": (b"\n\n\n", "the file is empty"),
    "random bytes": (np.random.default_rng(0).integers(0, 256, 4096).astype(np.uint8).tobytes(), "line"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_table_is_refused_with_its_line(tmp_path, name):
    data, message = HOSTILE[name]
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(DataError, match=message):
        tc.data.open(tmp_path)


def test_long_files_are_checked_across_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(_text, "CHUNK", 7)
    rows = [f'"{i / 10}",{i}' for i in range(40)]
    path = text(tmp_path / "a.csv", "time,x", *rows)
    assert len(signal(path)) == 40
    rows[25] = '"2.5,25'
    with pytest.raises(DataError, match="line 27 opens a quote"):
        tc.data.open(text(path, "time,x", *rows))
    monkeypatch.setattr(_text, "MAX_LINE", 30)
    rows[25] = "2.5," + "0" * 50
    with pytest.raises(DataError, match="line 27 is longer than 30 bytes"):
        tc.data.open(text(path, "time,x", *rows))


def test_a_very_long_line_is_refused_quickly(tmp_path):
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(300 * 2**20)  # zeros, without a line end
    start = time.perf_counter()
    with pytest.raises(DataError, match="line 1 is longer than"):
        tc.data.open(tmp_path)
    assert time.perf_counter() - start < 5


def test_a_fifo_is_not_read(tmp_path):
    for name in ("a.csv", "a.parquet", "a.png", "a.mp4", "a.hea"):
        folder = tmp_path / name.rpartition(".")[2]
        folder.mkdir()
        os.mkfifo(folder / name)
        with pytest.raises(DataError, match="a device, a FIFO or a socket"):
            tc.data.open(folder)


@pytest.mark.parametrize("cells", [
    ["1"] * 90,
    ["1"] * 60 + ["1.5"] * 30,
    ["1"] * 60 + ["1,5"] * 30,
    [""] * 60 + ["2"] * 30,
    ["2"] * 60 + ["seven"] + ["2"] * 29,
    ["true"] * 60 + ["1"] * 30,
    ["2026-01-01"] * 60 + ["01/02/2026"] * 30,
    ["1"] * 60 + [str(2**70)] * 30,
])  # fmt: skip
def test_types_of_columns_do_not_depend_on_the_blocks_of_a_file(tmp_path, monkeypatch, cells):
    file = tmp_path / "log.csv"
    file.write_text("\n".join(["a;b", *(f"{row};{cell}" for row, cell in enumerate(cells))]))
    whole = _csv.read_csv(file, None, None)
    monkeypatch.setattr(_csv, "BLOCK", 64)
    blocks = _csv.read_csv(file, None, None)
    assert blocks.table.schema == whole.table.schema and blocks.table.equals(whole.table)
    assert (blocks.lines, blocks.units) == (whole.lines, whole.units)


def test_a_file_is_read_once_from_opening_to_saving(tmp_path, monkeypatch):
    file = tmp_path / "log.csv"
    file.write_text("\n".join(["time,a", *(f"{row},{row % 7}" for row in range(50))]))
    read, files = _csv.decoded, []
    monkeypatch.setattr(_csv, "decoded", lambda *given: files.append(given[0]) or read(*given))
    tc.data.save(tc.data.open(file, longest=10), tmp_path / "data")
    assert files == [file]
