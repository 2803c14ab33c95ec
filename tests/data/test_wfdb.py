"""WFDB records, read by the ``wfdb`` package."""

import shutil
import struct
import subprocess
import sys
import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from tacit.errors import DataError, MissingExtra

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of pandas, which the package uses in an old way
    import wfdb

GOLDEN = Path(__file__).parents[1] / "golden" / "wfdb"


def told(missing: int, rows: int) -> AbstractContextManager[object]:
    """Expects the warning that a number is missing in so many rows, where there are any."""
    if not missing:
        return nullcontext()
    return pytest.warns(UserWarning, match=rf"left out {missing} of {rows} rows in .*: {missing} lack a finite number")


@pytest.mark.parametrize("name", ["r16", "r212", "one212", "gains"])
def test_records_are_as_the_wfdb_package_reads_them(tmp_path, name):
    for file in GOLDEN.glob(f"{name}.*"):
        shutil.copy(file, tmp_path)
    with np.load(GOLDEN / "expected.npz") as expected:
        right = expected[name]
    holes = np.isnan(right).any(axis=1)
    if holes.any():
        with pytest.raises(DataError, match=r"hea, field 'lead 0': row 7 \(from 0\)"):
            tc.data.open(tmp_path)
    with told(int(holes.sum()), len(right)):
        episodes = tc.data.open(tmp_path, gaps="split")
    assert episodes.spec.fps == (250.0 if name == "gains" else 100.0)
    found = np.concatenate([episode.observation["signal"] for episode in episodes])
    np.testing.assert_array_equal(found, right[~holes].astype(np.float32))


def test_a_changed_record_is_another_dataset(tmp_path):
    for file in GOLDEN.glob("gains.*"):
        shutil.copy(file, tmp_path)
    header = tmp_path / "gains.hea"
    header.write_text(header.read_text().replace("3372 0 ii", "").replace("65348 0 abp", ""))  # no checksums
    before = tc.data.open(tmp_path)
    first = before.hash()
    clip = before.clips(1).batch(0, 0, 400).observation["signal"]
    data = bytearray((tmp_path / "gains.dat").read_bytes())
    data[4] ^= 1
    (tmp_path / "gains.dat").write_bytes(bytes(data))
    after = tc.data.open(tmp_path)
    assert after.hash() != first
    assert not np.array_equal(after.clips(1).batch(0, 0, 400).observation["signal"], clip)


def twins(folder: Path, first: str, second: str) -> tuple[Path, np.ndarray]:
    """A record of two signals with these names, and their samples."""
    samples = np.stack([np.arange(20), 100 - np.arange(20)], axis=1)
    samples.astype("<i2").tofile(folder / "r.dat")
    lines = [
        f"r.dat 16 1/mV 12 0 {samples[0, place]} {samples[:, place].sum()} 0 {name}"
        for place, name in enumerate((first, second))
    ]
    (folder / "r.hea").write_text("\n".join(["# made up", "r 2 250 20", *lines, "#the end"]))
    return folder / "r.hea", samples


def test_two_signals_of_one_name_are_two_channels(tmp_path):
    path, samples = twins(tmp_path, "ECG", "ECG")
    np.testing.assert_array_equal(tc.data.open(path)[0].observation["signal"], samples)
    with pytest.raises(DataError, match=r"r.hea, field 'ECG': 2 signals have that name. Rename them"):
        tc.data.open(path, columns=("ECG",))
    samples[3, 0] = -(2**15)  # the sample that stands for none
    samples.astype("<i2").tofile(tmp_path / "r.dat")
    path.write_text(path.read_text().replace(" 190 0 ECG", f" {samples[:, 0].sum()} 0 ECG"))
    with pytest.raises(DataError, match=r"field 'ECG': row 3 \(from 0\) has no finite number"):
        tc.data.open(path)


def test_the_name_of_a_signal_may_hold_a_number_sign(tmp_path):
    path, samples = twins(tmp_path, "lead #1", "lead #2")
    np.testing.assert_array_equal(tc.data.open(path)[0].observation["signal"], samples)
    second = tc.data.open(path, columns=("lead #2",))
    np.testing.assert_array_equal(second[0].observation["signal"], samples[:, 1:])


def header(text: str):
    """Replace the header of the record."""
    return lambda folder: (folder / "gains.hea").write_text(text)


RECORDS = {
    "a flipped bit": (lambda folder: flip(folder / "gains.dat"), "do not add up to the checksum: gains.dat is damaged"),
    "a short file": (
        lambda folder: (folder / "gains.dat").write_bytes(struct.pack("<6h", *range(6))),
        "expected 20 samples in gains.dat; it ends after 3, so it is cut short",
    ),
    "no samples": (lambda folder: (folder / "gains.dat").unlink(), "No such file"),
    "a segment that is not there": (header("gains/2 1 250 100\na 50\nb 50"), "the header a.hea cannot be read"),
    "a record of itself": (header("gains/2 1 250 100\ngains 50\ngains 50"), "other than the record itself"),
    "a file elsewhere": (header("gains 1 250\n../gains.dat 16 200"), "expected a WFDB header"),
    "very many samples": (header("gains 1 250 1000000000000\ngains.dat 16 200"), "it ends after 40, so it is cut"),
    "no signals": (header("gains 0 250 20"), "expected 0 signals or segments; it lists 0"),
    "nonsense": (header("hello"), "expected a WFDB header"),
    "too few lines": (header("gains 3 250\ngains.dat 16 200"), "expected 3 signals or segments; it lists 1"),
    "a broken line": (header("gains 1 250\ngains.dat"), "expected a WFDB header"),
}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[10] ^= 4
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record_is_named(tmp_path, name):
    for file in GOLDEN.glob("gains.*"):
        shutil.copy(file, tmp_path)
    damage, message = RECORDS[name]
    damage(tmp_path)
    with pytest.raises(DataError, match=rf"gains.hea, field 'record': .*{message}"):
        tc.data.open(tmp_path)
    assert tc.data.check(tmp_path)[0].field == "record"


def written(folder: Path, name: str, samples: np.ndarray, fmt: str, gain: float = 10.0) -> np.ndarray:
    """Write a record with the package and return it as the package reads it."""
    folder.mkdir(exist_ok=True)
    count = samples.shape[1]
    wfdb.wrsamp(
        name,
        fs=100,
        units=["mV"] * count,
        sig_name=[f"lead {place}" for place in range(count)],
        d_signal=samples.astype(np.int64),
        fmt=[fmt] * count,
        adc_gain=[gain] * count,
        baseline=[3] * count,
        write_dir=str(folder),
    )
    return wfdb.rdrecord(str(folder / name)).p_signal


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("fmt", ["80", "16", "24", "32", "212", "508", "516", "524"])
def test_every_format_is_read(tmp_path, fmt):
    rng = np.random.default_rng(int(fmt))
    right = written(tmp_path, "r", rng.integers(-100, 100, (60, 2)), fmt)
    (episode,) = tc.data.open(tmp_path)
    np.testing.assert_array_equal(episode.observation["signal"], right.astype(np.float32))


@pytest.mark.parametrize(("fmt", "stored"), [("61", ">i2"), ("160", "<u2")])
def test_samples_of_another_order_are_read(tmp_path, fmt, stored):
    samples = np.arange(-20, 20).reshape(20, 2)
    (samples + (2**15 if fmt == "160" else 0)).astype(stored).tofile(tmp_path / "r.dat")
    lines = [f"r.dat {fmt} 1(0)/mV 16 0 {column[0]} {column.sum()} 0 lead" for column in samples.T]
    (tmp_path / "r.hea").write_text("\n".join(["r 2 100 20", *lines]) + "\n")
    np.testing.assert_array_equal(tc.data.open(tmp_path)[0].observation["signal"], samples)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_record_of_several_segments_is_one_episode(tmp_path):
    rng = np.random.default_rng(0)
    parts = [written(tmp_path, f"part{n}", rng.integers(-999, 999, (50, 2)), "16", gain=10.0 + n) for n in range(2)]
    (tmp_path / "whole.hea").write_text("whole/2 2 100 100\npart0 50\npart1 50\n")
    (episode,) = tc.data.open(tmp_path)
    np.testing.assert_array_equal(episode.observation["signal"], np.concatenate(parts).astype(np.float32))
    assert tc.data.check(tmp_path) == []
    before = tc.data.open(tmp_path).hash()
    data = bytearray((tmp_path / "part1.dat").read_bytes())
    data[3] ^= 1
    (tmp_path / "part1.dat").write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"whole.hea, field 'record': .*checksum: part1.dat is damaged"):
        tc.data.open(tmp_path)
    assert len(tc.data.open(tmp_path / "part0.hea")[0]) == 50
    written(tmp_path, "part1", rng.integers(-999, 999, (50, 2)), "16")
    assert tc.data.open(tmp_path).hash() != before


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_empty_segments_are_gaps(tmp_path):
    part = written(tmp_path, "part", np.arange(40).reshape(20, 2), "16")
    (tmp_path / "layout.hea").write_text(
        "layout 2 100 0\n~ 0 10(3)/mV 16 0 0 0 0 lead 0\n~ 0 10(3)/mV 16 0 0 0 0 lead 1\n"
    )
    (tmp_path / "whole.hea").write_text("whole/4 2 100 50\nlayout 0\npart 20\n~ 10\npart 20\n")
    with pytest.raises(DataError, match=r"whole.hea, field 'lead 0': row 20 \(from 0\) has no finite number"):
        tc.data.open(tmp_path)
    with told(10, 50):
        episodes = tc.data.open(tmp_path, gaps="split")
    assert episodes.lengths.tolist() == [20, 20] and len(set(episodes.groups)) == 1
    np.testing.assert_array_equal(episodes[1].observation["signal"], part.astype(np.float32))
    (tmp_path / "whole.hea").write_text("whole/4 2 100 4000000040\nlayout 0\npart 20\n~ 4000000000\npart 20\n")
    with pytest.raises(
        DataError, match="expected 40 samples in all, as its segments have; the header counts 8000000080"
    ):
        tc.data.open(tmp_path)


def test_signals_of_several_samples_a_frame_have_a_rate_of_their_own(tmp_path):
    samples = np.arange(60, dtype="<i2").reshape(20, 3)  # two of the first signal and one of the second in a frame
    samples.tofile(tmp_path / "r.dat")
    (tmp_path / "r.hea").write_text("r 2 100 20\nr.dat 16x2 1(0)/mV\nr.dat 16 1(0)/mV\n")
    with pytest.raises(DataError, match=r"field 'rate': .*signal 0 200, signal 1 100 samples a second.*columns="):
        tc.data.open(tmp_path)
    fast = tc.data.open(tmp_path, columns=("signal 0",))
    assert fast.spec.fps == 200.0
    np.testing.assert_array_equal(fast[0].observation["signal"][:, 0], samples[:, :2].reshape(-1))
    assert tc.data.open(tmp_path, columns=("signal 1",)).spec.fps == 100.0


def test_segments_of_other_signals_are_refused(tmp_path):
    for name, leads in (("a", ("I", "II")), ("b", ("II", "I"))):
        np.zeros((5, 2), "<i2").tofile(tmp_path / f"{name}.dat")
        lines = [f"{name}.dat 16 1(0)/mV 16 0 0 0 0 {lead}" for lead in leads]
        (tmp_path / f"{name}.hea").write_text("\n".join([f"{name} 2 100 5", *lines]) + "\n")
    (tmp_path / "whole.hea").write_text("whole/2 2 100 10\na 5\nb 5\n")
    with pytest.raises(DataError, match=r"expected the signals \['I', 'II'\] in b.hea; got \['II', 'I'\]"):
        tc.data.open(tmp_path)


def test_the_package_is_an_extra_that_is_loaded_when_it_is_needed(tmp_path, monkeypatch):
    code = "import sys, tacit as tc; tc.data.readers.load('signals')(); assert 'wfdb' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    for file in GOLDEN.glob("gains.*"):
        shutil.copy(file, tmp_path)
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(MissingExtra, match=r"WFDB records needs the package 'wfdb'.*(extra wfdb|\[wfdb\])"):
        tc.data.open(tmp_path)


def test_a_long_line_of_a_header_is_refused_at_once(tmp_path):
    (tmp_path / "x.hea").write_text("x 1 250 100\n" + "a" * 20_000 + "\n")
    started = time.perf_counter()
    with pytest.raises(DataError, match=r"at most 1000 characters; x\.hea has one of 20000"):
        tc.data.open(tmp_path)
    assert time.perf_counter() - started < 5
