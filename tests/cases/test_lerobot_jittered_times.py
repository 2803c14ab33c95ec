"""Recorded times that jitter are refused with the row and the time that came, or allowed by a tolerance."""

import re

import numpy as np
import pytest

import tacit as tc
from cases.lerobot_layout import vector, write_lerobot
from tacit.errors import ConfigError, DataError

STEPS, FPS = 60, 30


def write(root, times):
    rng = np.random.default_rng(0)
    features = {"observation.state": vector(6), "action": vector(6)}
    write_lerobot(root, features, [{name: rng.normal(size=(STEPS, 6)) for name in features}], fps=FPS, times=times)


def test_the_error_names_row_time_and_a_tolerance_that_fits(tmp_path):
    times = np.arange(STEPS) / FPS + np.random.default_rng(1).normal(size=STEPS) * 0.002
    times[0] = 0.0
    write(tmp_path / "set", times)
    episodes = tc.data.open(tmp_path / "set")
    with pytest.raises(DataError) as caught:
        episodes[0]
    row, came, fits = re.search(r"in row (\d+), .*; got ([\d.]+)\..*tolerance=([\d.]+\d)\.", str(caught.value)).groups()
    late = np.abs(times - np.arange(STEPS) / FPS)
    assert int(row) == int(np.argmax(late > 0.1 / FPS))
    assert float(came) == pytest.approx(times[int(row)], abs=1e-4)
    allowed = tc.data.open(tmp_path / "set", tolerance=float(fits))
    assert allowed[0].observation["state"].shape == (STEPS, 6)
    assert allowed.hash() == episodes.hash()
    with pytest.raises(ConfigError, match="tolerance is a positive number"):
        tc.data.open(tmp_path / "set", tolerance=0.0)


@pytest.mark.parametrize("change", [lambda t: t + (np.arange(STEPS) > 30) / FPS, lambda t: t * 2, lambda t: t * np.nan])
def test_no_tolerance_is_advised_for_missing_steps_or_another_rate(tmp_path, change):
    write(tmp_path / "set", change(np.arange(STEPS) / FPS))
    with pytest.raises(DataError, match="Steps are missing, repeated or at another rate"):
        tc.data.open(tmp_path / "set")[0]
