"""Trainings to a budget of operations, verdicts on probes, and charts."""

import numpy as np
import pytest

import tacit as tc
from tacit import studies
from tacit.studies.budgets import train_to_budget, updates
from tacit.studies.charts import Panel, chart
from tacit.studies.probe_scores import ProbeScores, baseline_verdicts, commands

SPEC = tc.Spec({"state": tc.Modality("vector", (2,))}, tc.Box((-1.0,) * 2, (1.0,) * 2))


def test_updates_are_halved():
    assert updates(studies.Budget(operations=1000.0), 10.0, 3) == (100, [25, 50, 100])
    assert updates(studies.Budget(operations=1.0), 10.0, 2) == (4, [2, 4])  # at least one for each point
    with pytest.raises(tc.errors.ConfigError, match="one of operations"):
        updates(studies.Budget(), 1.0, 1)


def test_a_training_ends_at_its_budget(tmp_path):
    with tc.data.Writer(tmp_path / "data" / "walks", SPEC) as writer:
        for seed in range(10):
            action = np.random.default_rng(seed).uniform(-1, 1, (15, 2)).astype(np.float32)
            state = np.concatenate([np.zeros((1, 2), np.float32), action.cumsum(axis=0)])
            writer.add(tc.Episode({"state": state}, action))
    options = {"model.latent": 8, "training.batch_size": 4, "policy_steps": 0}

    def trained(budget):
        run = studies.Run("one", None, 0, budget, tmp_path / "data", tmp_path / str(budget.operations), tmp_path)
        return train_to_budget(run, "general", options, "walks", lambda model: {"latent": model.config.latent}, 2)

    one = trained(studies.Budget(operations=1.0))
    found = trained(studies.Budget(operations=6 * one.operations_a_step))
    assert found.operations_a_step > 1000
    assert (one.steps, found.steps) == (4, 6)
    assert [(point["step"], point["latent"]) for point in found.points] == [(3, 8), (6, 8)]
    assert found.points[1]["operations"] == 6 * found.operations_a_step
    assert "DATA/walks" in found.command
    assert set(found.values()) == {"command", "operations_a_step", "steps", "seconds", "points"}


def score(mean, half=0.01):
    return {"mean": mean, "low": mean - half, "high": mean + half}


def test_a_recipe_has_to_beat_both_baselines_with_every_seed():
    def of(recipe, *trained, target="class"):
        return [ProbeScores(recipe, target, score(one), score(0.5), score(0.6)) for one in trained]

    scores = [*of("good", 0.7, 0.7), *of("once", 0.7, 0.61), *of("new", 0.9), *of("good", 0.1, 0.1, target="other")]
    text, targets = baseline_verdicts(scores, seeds=2)
    verdicts = {target.quantity: (target.measured, target.verdict) for target in targets}
    assert verdicts == {
        "recipe good": ("class", "met"),
        "recipe new": ("nothing with every seed", "so far, 1 seed(s)"),
        "recipe once": ("nothing with every seed", "missed"),
    }
    assert "| good | class | 0.700 [0.690, 0.710], 0.700 [0.690, 0.710] |" in text
    assert "| once | class | 0.700 [0.690, 0.710], 0.610 [0.600, 0.620] |" in text
    assert [line.split(" | ")[-1] for line in text.splitlines()[2:]] == ["yes |", "no |", "so far, 1 seed(s) |", "no |"]


def test_commands_are_those_of_seed_0():
    runs = {name: studies.RunResult({}, {"command": name}) for name in ("b/0", "a/0", "a/1")}
    assert commands(runs).splitlines()[2:] == ["```text", "a/0", "b/0", "```"]


def test_a_chart_has_a_panel_and_a_legend_of_each_line():
    points = [{"mean": 0.2, "low": 0.1, "high": 0.3}, {"mean": 0.4, "low": 0.3, "high": 0.5}]
    panels = [Panel(title, {"first": ([1, 10], points), "second": ([1, 10], points)}, 0.25) for title in ("A", "B")]
    first = chart(panels, "cost", "score", "{:g}".format)
    assert first == chart(panels, "cost", "score", "{:g}".format)
    text = first.decode()
    assert text.count('<g id="axes_') == 2
    assert text.count('<g id="legend_') == 1
