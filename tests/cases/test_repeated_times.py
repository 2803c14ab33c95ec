"""Times that were rounded, so that some repeat, are an even clock."""

import pytest

import tacit as tc

STAMPS = {
    "three samples a packet": (50.0, lambda i: f"{i // 3 * 0.06:.2f}"),
    "milliseconds at 1600 Hz": (1600.0, lambda i: f"{i / 1600:.3f}"),
    "whole seconds at 10 Hz": (10.0, lambda i: f"{i // 10}"),
}


@pytest.mark.parametrize("name", STAMPS)
def test_repeated_times_are_spread(tmp_path, name):
    rate, stamp = STAMPS[name]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["time,x", *(f"{stamp(i)},{i}" for i in range(300))]))
    for options in ({}, {"rate": rate}, {"rate": rate, "columns": ("x",)}):
        episodes = tc.data.open(path, **options)
        assert len(episodes[0].observation["signal"]) == 300
        assert episodes.spec.fps == pytest.approx(rate, rel=1e-3)
