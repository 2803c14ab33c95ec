"""Hooks: evaluations that change nothing, and reasons to stop."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import tacit as tc
from tacit import checkpoint
from tacit.errors import ConfigError
from tacit.training import EarlyStopping, EvalHook, Hook, ValidationLoss
from training import masked, small
from training.test_loop import weights, without_time


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], list[dict[str, object]]]:
    """Weights and log of a run without hooks."""
    model, report = small.run(tmp_path_factory.mktemp("whole"))
    return weights(model), without_time(list(report.log))


def test_an_evaluation_changes_nothing(tmp_path: Path, whole: tuple) -> None:
    def evaluate(model: tc.models.WorldModel) -> dict[str, float]:
        assert not model.training and not torch.is_grad_enabled()
        return {"drawn": torch.rand(()).item(), "one": 1.0}

    held_out = small.episodes(seed=5, spec=small.BOTH).clips(4)
    hooks = [EvalHook(evaluate, every=15), ValidationLoss(held_out, every=15, batches=2, batch_size=4)]
    model, report = small.run(tmp_path, hooks=hooks)
    assert weights(model) == whole[0]
    assert {row["step"]: row["eval/one"] for row in report.log if "eval/one" in row} == {14: 1.0, 29: 1.0, 39: 1.0}
    assert {row["step"] for row in report.log if "validation/loss" in row} == {14, 29, 39}


@pytest.mark.parametrize("last", [False, True])
def test_a_failing_evaluation_loses_nothing(tmp_path: Path, whole: tuple, last: bool) -> None:
    fails_at = small.STEPS if last else 24

    def evaluate(model: tc.models.WorldModel) -> dict[str, float]:
        raise ZeroDivisionError("no samples")

    with pytest.raises(ZeroDivisionError, match="no samples") as raised:
        small.run(tmp_path, hooks=[EvalHook(evaluate, every=fails_at)])
    assert f"saved up to step {fails_at - 1}" in raised.value.__notes__[0]
    assert checkpoint.load(tmp_path, ["training"]).parts["training"].config["step"] == fails_at
    model, report = small.run(tmp_path, hooks=[EvalHook(lambda model: {"one": 1.0}, every=fails_at)])
    assert weights(model) == whole[0]
    rows = [{key: value for key, value in row.items() if key != "eval/one"} for row in without_time(list(report.log))]
    assert rows == whole[1]


def test_the_validation_loss_is_the_objective_on_held_out_clips(tmp_path: Path) -> None:
    held_out = small.episodes(seed=5).clips(4)
    model, objective = small.model(), tc.objectives.Prediction(steps=2)
    hook = ValidationLoss(held_out, batches=2, batch_size=4, seed=1)
    train = small.episodes().clips(4)
    report = tc.train(model, objective, train, steps=2, seed=0, to=tmp_path, batch_size=4, threads=1, hooks=[hook])
    with torch.no_grad():
        forecasts = [model.forecast(held_out.batch(1, index, 4), objective.request()) for index in range(2)]
        expected = sum(objective(forecast, 0).total.item() for forecast in forecasts) / 2
    assert report.log[-1]["validation/loss"] == pytest.approx(expected, rel=1e-5)
    assert report.log[-1]["validation/prediction"] == pytest.approx(expected, rel=1e-5)


def test_the_validation_loss_of_a_masked_model_draws_its_masks(tmp_path: Path) -> None:
    masks, _ = masked.record(tmp_path, 2, hooks=lambda clips: [ValidationLoss(clips, every=1, batches=1, batch_size=4)])
    losses = [row["validation/loss"] for row in tc.training.read_log(tmp_path)]
    assert len(losses) == 2 and losses[0] != losses[1]
    _, first, _, second = (each for each in masks)
    assert torch.equal(first, second), "every evaluation has the same masks"


class Curve(Hook):
    """A metric that falls up to a step and rises afterwards."""

    every = 2

    def evaluate(self, context: tc.training.HookContext) -> dict[str, float]:
        return {"validation/loss": abs(context.step - 11.0)}


def test_early_stopping_ends_a_run_that_no_longer_improves(tmp_path: Path) -> None:
    hooks = [Curve(), EarlyStopping(patience=3)]
    _, report = small.run(tmp_path, hooks=hooks)  # best after 10 and 12 steps
    assert (report.steps, report.log[-1]["step"]) == (16, 15)
    assert "validation/loss did not improve" in report.stopped
    assert checkpoint.load(tmp_path, ["training"]).parts["training"].config["step"] == 16
    _, again = small.run(tmp_path, hooks=hooks)
    assert (again.first, again.steps, again.stopped) == (16, 16, report.stopped)


def test_a_stopped_run_continues_to_the_same_bytes(tmp_path: Path, whole: tuple) -> None:
    small.run(tmp_path, hooks=[Curve(), EarlyStopping(patience=2)])
    model, report = small.run(tmp_path)
    assert (report.first, report.steps, report.stopped) == (14, small.STEPS, "")
    assert weights(model) == whole[0]


def test_early_stopping_knows_its_direction_and_bad_numbers() -> None:
    rows = [{"step": step, "loss": 1.0, "a/score": value} for step, value in enumerate([0.2, 0.5, "nan", 0.5, 0.4])]
    stop = EarlyStopping("a/score", patience=3, mode="max")
    assert not stop.stop(rows[:4])
    assert "0.5 of step 1 in 3 evaluations" in stop.stop(rows)
    assert "of step 0" in replace(stop, min_delta=0.4).stop(rows)
    assert not replace(stop, metric="later/score").stop(rows)
    with pytest.raises(ConfigError, match="Did you mean 'a/score'"):
        replace(stop, metric="a/scores").stop(rows)
    with pytest.raises(ConfigError, match="does not have"):
        replace(stop, metric="lost").stop(rows)


def test_hooks_that_cannot_work_are_refused(tmp_path: Path) -> None:
    clash = [EvalHook(lambda model: {"a": 1.0}), EvalHook(lambda model: {"a": 2.0})]
    with pytest.raises(ConfigError, match="'eval/a', which another hook"):
        small.run(tmp_path, steps=1, hooks=clash)
    for make in (
        lambda: EvalHook(len, every=-1),
        lambda: EarlyStopping(patience=0),
        lambda: EarlyStopping(mode="least"),
        lambda: ValidationLoss(small.episodes().clips(4), batches=0),
    ):
        with pytest.raises(ConfigError, match="needs"):
            make()
