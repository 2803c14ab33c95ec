import copy
import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.line import Still, Walker
from tacit.errors import DataError
from tacit.evaluation import closed_loop
from tacit.reports import new_record, plain, planning_record, validate
from tacit.statistics import wilson
from tacit.testing.worlds import LineWorld
from tacit.types import TaskRules


@pytest.fixture(scope="module")
def record():
    runs = {
        "success": closed_loop(Walker(), LineWorld(), 20),
        "random": closed_loop(Still(), LineWorld(), 20),
    }
    return new_record(
        "eval",
        seeds={"train": [0, 1], "tasks": 1},
        config={"rules": TaskRules(1.0, 5, "last", "m"), "to": Path("/home/someone/runs/a"), "std": {"mean": 1.0}},
        dataset_hash="abc",
        planning=planning_record(runs),
        effective_rank=np.float64(3.5),
        seconds={"train": 1.5},
    )


def test_a_record_has_the_provenance_of_its_numbers(record):
    assert record["schema"] == "tacit-report-1"
    assert {"python", "tacit", "torch", "numpy"} <= set(record["versions"])
    assert record["dataset"] == {"hash": "abc"}
    assert record["seeds"] == {"train": [0, 1], "tasks": 1}
    assert record["config"]["rules"] == {"radius": 1.0, "budget": 5, "success_at": "last", "unit": "m"}
    assert record["config"]["to"] == "a"
    assert "/home" not in json.dumps(record)
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_every_rate_has_its_interval_and_number(record):
    planning = record["planning"]
    for name in ("success", "random"):
        assert set(planning[name]) == {"rate", "low", "high", "n"}
        assert planning[name]["n"] == 20
        assert len(planning["details"][name]["tasks"]) == 20
    assert planning["success"]["rate"] == 1.0
    assert planning["against"]["random"]["difference"] == 1.0
    task = planning["details"]["success"]["tasks"][0]
    assert task["solved"]
    assert 1 <= task["first_inside"] <= 12
    assert planning["details"]["random"]["tasks"][0]["first_inside"] is None


def test_runs_on_other_tasks_are_not_compared():
    runs = {"success": closed_loop(Walker(), LineWorld(), 5), "random": closed_loop(Still(), LineWorld(), 5, seed=2)}
    with pytest.raises(DataError, match="'random' has other tasks"):
        planning_record(runs)
    with pytest.raises(DataError, match="'success'"):
        planning_record({"random": runs["random"]})


def changed(record, path, value):
    """A copy in which the entry at ``path`` is ``value``, or gone for None."""
    other = copy.deepcopy(record)
    at = other
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return other


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("git",), None, "needs the entry 'git'"),
        (("plannning",), {}, "Did you mean 'planning'"),
        (("schema",), "tacit-report-9", "tacit-report-1"),
        (("seconds",), 3.0, "'seconds' of a report has the wrong type"),
        (("planning", "success", "low"), None, "exactly rate, low, high and n"),
        (("planning", "success", "n"), 0, "at least one"),
        (("planning", "random", "rate"), 0.9, "out of order"),
        (("planning", "success", "high"), 1.5, "out of order"),
        (("planning", "success"), {}, "needs the rate 'success'"),
        (("effective_rank",), float("nan"), "effective_rank is nan"),
        (("config", "out"), "/home/someone/out", "machine's path"),
        (("config", "out"), "C:\\Users\\someone", "machine's path"),
        (("config", "what"), {1: 2}, "keys of a report are strings"),
        (("config", "what"), object(), "JSON does not have"),
    ],
)
def test_a_broken_record_is_refused_by_name(record, path, value, message):
    with pytest.raises(DataError, match=message):
        validate(changed(record, path, value))


def test_plain_values():
    assert plain({"rate": wilson(1, 2), "x": np.arange(2), "bad": float("inf"), "unit": "m/s"}) == {
        "rate": {"rate": 0.5, "low": pytest.approx(0.0945, abs=1e-4), "high": pytest.approx(0.9055, abs=1e-4), "n": 2},
        "x": [0, 1],
        "bad": None,
        "unit": "m/s",
    }
    with pytest.raises(DataError, match="object"):
        plain(object())
