"""A policy that was written in a notebook records with several workers: the main module has no file to import."""

import subprocess
import sys

import pytest

CELL = """
import tacit as tc

def circle(observation, step, generator):
    return generator.uniform(-1, 1, 2)

print(len(tc.collect("point_mass", "__main__:circle", episodes=40, steps=5, workers=2)), "episodes")
"""


@pytest.mark.parametrize("arguments", [["-c", CELL], ["-"]])
def test_a_policy_of_a_notebook_records_in_workers(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, *arguments], input=CELL, capture_output=True, text=True, timeout=240)
    assert (done.stdout, done.stderr) == ("40 episodes\n", "")
