"""A stress test of an exact agent in a world on a line, where the effect of each change is known."""

import json

import numpy as np
import pytest

import tacit as tc
from tacit.errors import ConfigError
from tacit.evaluation import closed_loop, held_out_tasks
from tacit.statistics import wilson
from tacit.stress import stress_test, suite
from tacit.stress._report import stress_sections
from tacit.stress._stressing import auroc

OPTIONS = {"episodes": 12, "seed": 3, "batch": 6, "progress": False}


@pytest.fixture(scope="module")
def agent():
    return tc.recipes.pretrained("two_rooms")


@pytest.fixture(scope="module")
def found(agent, tmp_path_factory):
    place = tmp_path_factory.mktemp("stress")
    changes = ["shift", "action_gain", "wall_x moved", "brightness"]
    return stress_test(agent, "two_rooms", changes=changes, on=("observation", "both"), to=place, **OPTIONS), place


def test_success_is_that_of_the_same_tasks_one_by_one(agent, found) -> None:
    result, _ = found
    env = tc.envs.TwoRooms(6)
    tasks, _ = held_out_tasks(env, 12, 3)
    clean = closed_loop(agent, env, tasks=tasks, seed=3, batch=6, progress=False)
    assert result.clean == clean.success and result.random.rate < 0.2
    (gain,) = [one for one in result.results if one.case.change == "action_gain"]
    assert gain.success.n == gain.clean.n == gain.paired.n == 12 and gain.case.on == "observation"
    assert gain.paired.difference == pytest.approx(gain.success.rate - gain.clean.rate)


def test_a_factor_is_tested_on_the_tasks_that_it_allows(found) -> None:
    (moved,) = [one for one in found[0].results if one.case.change == "wall_x moved"]
    assert 0 < moved.success.n <= 12 and moved.success.n == moved.clean.n
    assert moved.displacement > 0.01


def test_changes_of_images_can_be_on_the_goal_too(found) -> None:
    cases = {str(one.case): one for one in found[0].results}
    assert set(cases) == {
        "shift 3",
        "shift 3, both",
        "brightness 3",
        "brightness 3, both",
        "wall_x moved 3",
        "action_gain 3",
    }
    assert cases["action_gain 3"].displacement == 0


def test_a_test_goes_on_where_it_stopped_and_is_the_same_in_processes(agent, found, tmp_path) -> None:
    result, place = found
    written = place / "cases" / "action_gain_3.json"
    before = written.stat().st_mtime_ns
    (place / "cases" / "shift_3.json").unlink()
    again = stress_test(
        agent, "two_rooms", changes=["shift", "action_gain"], on=("observation", "both"), to=place, **OPTIONS
    )
    assert written.stat().st_mtime_ns == before
    assert {one for one in again.results if one.case.on == "both"} <= set(result.results)
    assert next(one for one in again.results if str(one.case) == "shift 3") in result.results
    spread = stress_test(agent, "two_rooms", changes=["action_gain", "tint"], to=tmp_path, workers=2, **OPTIONS)
    assert next(one for one in spread.results if one.case.change == "action_gain") in result.results
    with pytest.raises(ConfigError, match="holds a stress test with seed 3; got 4"):
        stress_test(agent, "two_rooms", to=place, **{**OPTIONS, "seed": 4})


def test_a_report_has_a_map_a_table_and_frames(found) -> None:
    sections = stress_sections(found[0], "two_rooms")
    assert [one.title for one in sections] == ["Success under changes", "What the agent sees"]
    assert len(sections[0].table.rows) == 6 and b"<svg" in sections[0].figures[0].data
    json.dumps(tc.reports.plain(found[0].results), allow_nan=False)
    assert str(found[0]).splitlines()[0].startswith("clean")


def test_areas_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    clean, changed = rng.integers(0, 6, 40).astype(float), rng.integers(2, 8, 30).astype(float)
    pairs = changed[:, None] - clean
    assert auroc(clean, changed) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_bad_options_are_refused(agent, tmp_path) -> None:
    for options, message in (
        ({"severities": (6,)}, "severities are 1 to 5"),
        ({"on": ("eyes",)}, "'observation', 'goal' or 'both'"),
        ({"workers": 2}, "a folder"),
        ({"changes": ["colour"]}, "no change or family 'colour'"),
    ):
        with pytest.raises(ConfigError, match=message):
            stress_test(agent, "two_rooms", **{**OPTIONS, **options})
    assert wilson(1, 2).n == len(suite(tc.envs.TwoRooms(), ["noise", "blur"]))
