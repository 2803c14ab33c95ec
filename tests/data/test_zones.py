"""Times of a log in time zones: naive, with an offset, named; and clocks that are set back."""

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

import tacit as tc
from tacit.errors import DataError

BERLIN = ZoneInfo("Europe/Berlin")


def write(path, times):
    path.write_text("\n".join(["time,x", *(f"{time},{row}" for row, time in enumerate(times))]) + "\n")
    return path


def local(start, count, minutes=10, zone=BERLIN, form="%Y-%m-%d %H:%M:%S"):
    begin = datetime.datetime.fromisoformat(start).replace(tzinfo=datetime.UTC)
    return [(begin + datetime.timedelta(minutes=minutes * k)).astimezone(zone).strftime(form) for k in range(count)]


FOLD = local("2026-10-24T23:00:00", 30)  # 01:00 to 04:50, and 02:00 to 02:50 twice
FORWARD = local("2026-03-29T00:00:00", 12)  # no time from 02:00 to 02:50


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S"])
@pytest.mark.parametrize("start", ["2026-10-24T23:00:00", "2026-03-29T00:00:00"])
def test_clocks_that_are_set_leave_no_gap_in_their_zone(tmp_path, form, start):
    path = write(tmp_path / "a.csv", local(start, 30, form=form))
    with pytest.raises(DataError):
        tc.data.open(path)
    episodes = tc.data.open(path, time_zone="Europe/Berlin")
    assert episodes.lengths.tolist() == [30] and episodes.spec.fps == pytest.approx(1 / 600)


def test_times_that_run_backwards_are_named_with_advice(tmp_path):
    path = write(tmp_path / "a.csv", FOLD)
    row = next(k for k in range(1, 30) if FOLD[k] < FOLD[k - 1])
    with pytest.raises(DataError, match=rf"line {row + 2}, row {row} .* is not later .* time_zone='Europe/Berlin'"):
        tc.data.open(path)


def test_times_that_run_backwards_split_the_signal_with_a_count(tmp_path):
    path = write(tmp_path / "a.csv", FOLD)
    with pytest.warns(UserWarning, match=r"the time runs backwards 1 times in .*a.csv, line 14, row 12"):
        episodes = tc.data.open(path, gaps="split")
    assert episodes.lengths.tolist() == [12, 18]
    with pytest.raises(DataError, match="is not later"):
        tc.data.open(path, gaps="previous")


def test_a_time_that_clocks_skip_is_refused(tmp_path):
    path = write(tmp_path / "a.csv", [f"2026-03-29 {hour:02d}:30:00" for hour in range(5)])
    with pytest.raises(DataError, match=r"line 4, row 2 .* holds 2026-03-29 02:30:00, which clocks in Europe/Berlin"):
        tc.data.open(path, time_zone="Europe/Berlin")


def test_offsets_say_it_all(tmp_path):
    times = local("2026-10-24T23:00:00", 30, form="%Y-%m-%dT%H:%M:%S%z")
    path = write(tmp_path / "a.csv", [f"{time[:-2]}:{time[-2:]}" for time in times])
    assert tc.data.open(path).lengths.tolist() == [30]
    with pytest.raises(DataError, match="carry their offset from UTC"):
        tc.data.open(path, time_zone="Europe/Berlin")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_a_zone_may_be_named_in_the_times(tmp_path, zone):
    path = write(tmp_path / "a.csv", [f"{t} {zone}" for t in local("2026-10-24T23:00:00", 30, zone=ZoneInfo(zone))])
    assert tc.data.open(path).lengths.tolist() == [30]


def test_an_unknown_or_a_second_zone_is_refused(tmp_path):
    path = write(tmp_path / "a.csv", [f"2026-01-01 00:{m:02d} MESZ" for m in range(9)])
    with pytest.raises(DataError, match=r"whose zone 'MESZ' is not in the time zone database.*time_zone="):
        tc.data.open(path)
    times = [f"2026-01-01 00:{m:02d} UTC" for m in range(9)]
    path = write(tmp_path / "b.csv", [*times[:5], "2026-01-01 00:05", *times[6:]])
    with pytest.raises(DataError, match=r"expected times of one zone; the first row has UTC, and line 7, row 5"):
        tc.data.open(path)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("seed", range(4))
def test_local_times_return_to_utc(tmp_path, zone, seed):
    """Property: what a zone makes of an even clock is even again when the zone is known."""
    rng = np.random.default_rng(seed)
    start = datetime.datetime(2025, 1, 1) + datetime.timedelta(minutes=int(rng.integers(0, 525600)))
    path = write(tmp_path / "a.csv", local(start.isoformat(), 24 * 366 * 2, minutes=30, zone=ZoneInfo(zone)))
    episodes = tc.data.open(path, time_zone=zone)
    assert len(episodes) == 1 and episodes.spec.fps == pytest.approx(1 / 1800, rel=1e-9)


def test_an_hourly_log_repeats_one_row(tmp_path):
    times = local("2026-10-24T20:00:00", 12, minutes=60)
    assert times.count("2026-10-25 02:00:00") == 2
    assert tc.data.open(write(tmp_path / "a.csv", times), time_zone="Europe/Berlin").lengths.tolist() == [12]
