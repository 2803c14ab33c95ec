"""Functions of scripts in processes of their own, and paired times."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tacit as tc
from tacit.studies.environments import Script, install_revision
from tacit.studies.speed import Stopwatch, busy_processes, cpu_seconds, in_turn, median, ratio_of_medians

SCRIPT = """
import os, sys, time
import helper

def describe(number, folder):
    print("noise on the output")
    return [number + 1, folder, os.environ["OMP_NUM_THREADS"], os.environ.get("EXTRA"), sys.executable, helper.NAME,
            "tacit" in sys.modules]

def fail():
    raise ValueError("broken on purpose")

def busy(seconds):
    time.sleep(0.2)  # not CPU time, and not part of the work
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass

    def work():
        until = time.process_time() + seconds
        while time.process_time() < until:
            pass

    return work
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "helper.py").write_text("NAME = 'helper'")
    (tmp_path / "work.py").write_text(SCRIPT)
    return Script(tmp_path / "work.py", variables={"EXTRA": "yes"})


def test_a_function_gets_its_arguments_and_needs_no_tacit(script):
    assert script.call("describe", 2, Path("a b")) == [3, "a b", "1", "yes", sys.executable, "helper", False]


def test_a_failed_function_shows_its_output(script):
    with pytest.raises(tc.errors.ConfigError, match=r"fail\(\) of work\.py failed in (.|\n)*broken on purpose"):
        script.call("fail")


def test_the_time_of_a_callable_is_that_of_one_call_without_its_making(script):
    seconds = script.cpu_seconds("busy", 0.02, calls=3, rounds=2)
    assert len(seconds) == 2
    assert all(0.015 < one < 0.1 for one in seconds), seconds


def test_a_revision_is_unpacked_once_and_installed(tmp_path, monkeypatch):
    repository, calls = tmp_path / "repository", []
    repository.mkdir()
    (repository / "file.txt").write_text("old")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    monkeypatch.setattr("tacit.studies.environments.install", lambda *words: calls.append(words) or Path("python"))
    for _ in range(2):
        assert install_revision(repository, "HEAD~0", tmp_path) == Path("python")
    place = tmp_path / "HEAD_before0" if (tmp_path / "HEAD_before0").exists() else tmp_path / "HEAD_0"
    assert (place / "file.txt").read_text() == "old"
    assert calls[0] == (place / ".venv", [str(place)])


def test_works_run_in_turn():
    order = []
    found = in_turn({"a": lambda: order.append("a") or 1, "b": lambda: order.append("b") or 2}, 3)
    assert order == ["a", "b"] * 3
    assert found == {"a": [1, 1, 1], "b": [2, 2, 2]}


def test_ratios_are_of_pairs_and_robust():
    found = ratio_of_medians([2.0, 4.0, 6.0, 200.0, 2.0], [1.0, 2.0, 3.0, 1.0, 1.0])
    assert found.mean == 2.0
    assert found.low == 2.0
    assert found.n == 5
    with pytest.raises(tc.errors.ConfigError, match="in pairs; got 1 and 2"):
        ratio_of_medians([1.0], [1.0, 2.0])
    assert median([[1.0, 9.0], [2.0]]) == 2.0


def test_busy_processes_compute_and_end():
    before = os.times()
    with busy_processes(1):
        time.sleep(0.5)
    after = os.times()
    assert after.children_user - before.children_user > 0.1


def test_cpu_seconds_are_of_one_call_after_a_warm_up():
    calls = []
    assert len(cpu_seconds(lambda: calls.append(1), 3, 4)) == 3
    assert len(calls) == 16


def test_a_stopwatch_parts_wall_from_cpu_time():
    watch = Stopwatch()
    time.sleep(0.15)
    watch.end("sleep")
    watch.end("nothing")
    assert watch.seconds["sleep_wall"] >= 0.1
    assert watch.seconds["sleep_cpu"] <= 0.1
    assert watch.seconds["nothing_wall"] == 0.0
