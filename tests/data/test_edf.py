"""EDF and BDF files, read as the ``pyedflib`` package wrote them."""

import sys
from pathlib import Path

import numpy as np
import pyedflib
import pytest

import tacit as tc
from tacit.errors import DataError, MissingExtra


def write(
    path: Path, rates: tuple[int, ...] = (100, 100), seconds: int = 4, kind: int = pyedflib.FILETYPE_EDFPLUS
) -> list[np.ndarray]:
    """Write signals of these rates and return them as they are stored, rounded to whole digital steps."""
    rng = np.random.default_rng(len(path.name))
    signals = [rng.uniform(-180, 180, rate * 4) for rate in rates]
    with pyedflib.EdfWriter(str(path), len(rates), file_type=kind) as writer:
        for place, rate in enumerate(rates):
            header = pyedflib.highlevel.make_signal_header(
                f"lead {place}", dimension="uV", sample_frequency=rate, physical_min=-200, physical_max=200
            )
            writer.setSignalHeader(place, header)
        writer.writeSamples(signals)
        if kind in (pyedflib.FILETYPE_EDFPLUS, pyedflib.FILETYPE_BDFPLUS):
            writer.writeAnnotation(1.0, -1, "a note")
    return signals


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.edf", pyedflib.FILETYPE_EDFPLUS), ("b.EDF", pyedflib.FILETYPE_EDF), ("c.bdf", pyedflib.FILETYPE_BDFPLUS)],
)
def test_signals_are_those_that_were_written(tmp_path: Path, name: str, kind: int) -> None:
    written = write(tmp_path / name, kind=kind)
    episodes = tc.data.open(tmp_path / name)
    assert episodes.spec.modalities["signal"] == tc.Modality("series", (2,), rate=100.0)
    assert episodes.lengths.tolist() == [400]
    found = episodes[0].observation["signal"]
    with pyedflib.EdfReader(str(tmp_path / name)) as reader:
        theirs = np.stack([reader.readSignal(place) for place in range(2)], axis=1)
    np.testing.assert_array_equal(found, theirs.astype(np.float32))
    assert np.abs(found - np.stack(written, axis=1)).max() <= 400 / (2**16 - 1)  # a digital step
    assert tc.data.check(tmp_path / name) == []
    assert tc.data.info(tmp_path / name).format == "signals"


def test_files_of_a_folder_are_episodes_and_columns_choose_signals(tmp_path: Path) -> None:
    for name in ("x.edf", "yy.edf"):
        write(tmp_path / name)
    whole, one = tc.data.open(tmp_path), tc.data.open(tmp_path, columns=("lead 1",), fps=50)
    assert len(whole) == len(one) == 2
    np.testing.assert_array_equal(one[1].observation["signal"], whole[1].observation["signal"][:, 1:])
    assert one.spec.fps == 50
    with pytest.raises(DataError, match=r"x.edf, field 'lead1': there is no such column. Did you mean 'lead 1'"):
        tc.data.open(tmp_path, columns=("lead1",))
    with pytest.raises(DataError, match=r"a WFDB or EDF file has no columns that can be labels"):
        tc.data.open(tmp_path, labels=("lead 0",))


def test_mixed_rates_are_refused_with_the_choice(tmp_path: Path) -> None:
    write(tmp_path / "a.edf", (100, 100, 10))
    with pytest.raises(
        DataError, match=r"different rates \(lead 0 100, lead 1 100, lead 2 10 samples a second\).*columns="
    ):
        tc.data.open(tmp_path)
    assert tc.data.open(tmp_path, columns=("lead 2",)).spec.modalities["signal"].rate == 10


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, part: float) -> None:
    write(tmp_path / "a.edf")
    whole = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "a.edf").write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DataError, match=r"a.edf, field 'record': .*(truncated|the file has|expected a header)"):
        tc.data.open(tmp_path)


@pytest.mark.parametrize(
    ("place", "text", "problem"),
    [
        (236, "-1      ", "the header counts -1, so its recorder did not close the file"),
        (236, "many    ", "a number of data records; got 'many'"),
        (252, "9999", "expected the headers of 9999 signals"),
        (192, "EDF+D", "EDF.D"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, place: int, text: str, problem: str) -> None:
    write(tmp_path / "a.edf")
    data = bytearray((tmp_path / "a.edf").read_bytes())
    data[place : place + len(text)] = text.encode()
    (tmp_path / "a.edf").write_bytes(bytes(data))
    with pytest.raises(DataError, match=problem):
        tc.data.open(tmp_path)


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.edf")
    monkeypatch.setitem(sys.modules, "pyedflib", None)
    with pytest.raises(MissingExtra, match=r"Reading EDF files needs the package 'pyedflib'.*edf"):
        tc.data.open(tmp_path)
