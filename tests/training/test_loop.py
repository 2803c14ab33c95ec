"""The loop: what it promises of determinism, resuming, logging and refusing."""

import itertools
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tacit as tc
from tacit import checkpoint
from tacit._seeds import derive_seed
from tacit.checkpoint import Part
from tacit.errors import CheckpointError, ConfigError, TrainingError
from tacit.objectives import Prediction, SIGReg, Term
from tacit.training import EvalHook, ResumeWarning, TrainingConfig, read_log
from tacit.training.processes import run_lock
from tacit.training.state import State, continued_run
from tacit.types import Clip, Forecast, MaskedForecast
from training import masked, small


def weights(model: torch.nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def without_time(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], list[dict[str, object]], Path]:
    """Weights, log and directory of a run that nothing interrupted."""
    to = tmp_path_factory.mktemp("whole")
    model, report = small.run(to)
    return weights(model), without_time(list(report.log)), to


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path: Path, whole: tuple) -> None:
    step = int(np.random.default_rng(11).integers(8, small.STEPS))
    done = subprocess.run([sys.executable, small.__file__, str(tmp_path), str(step)], capture_output=True, timeout=300)
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    saved = checkpoint.load(tmp_path, ["training"]).parts["training"].config["step"]
    assert 0 < saved == step // 7 * 7
    model, report = small.run(tmp_path)
    assert weights(model) == whole[0]
    assert without_time(list(report.log)) == whole[1]
    spent = [row["seconds"] for row in report.log]
    assert spent == sorted(spent) and spent[0] > 0, "what was spent before the kill counts"
    files = sorted(file.name for file in (whole[2] / "checkpoint").iterdir())
    assert "checkpoint.json" in files and files == sorted(file.name for file in (tmp_path / "checkpoint").iterdir())
    for name in files:
        assert (tmp_path / "checkpoint" / name).read_bytes() == (whole[2] / "checkpoint" / name).read_bytes(), name


def test_the_run_is_a_function_of_the_seed_alone(tmp_path: Path, whole: tuple) -> None:
    before = torch.get_rng_state()
    torch.manual_seed(99)
    elsewhere, _ = small.run(tmp_path / "a", prefetch=7, log_every=3, checkpoint_every=1000)
    assert weights(elsewhere) == whole[0]
    other, _ = small.run(tmp_path / "b", seed=4)
    assert weights(other) != whole[0]
    torch.set_rng_state(before)
    small.run(tmp_path / "c", steps=1)
    assert torch.equal(torch.get_rng_state(), before), "the caller's generator is left alone"


def test_the_model_of_the_run_is_the_trained_one(whole: tuple) -> None:
    assert weights(tc.checkpoint.load_model(whole[2])) == whole[0]


def test_a_finished_run_is_not_trained_again(whole: tuple) -> None:
    model, report = small.run(whole[2])
    assert weights(model) == whole[0]
    assert report.seconds < 5
    assert without_time(list(report.log)) == whole[1]


def test_a_complete_run_goes_on_for_more_steps(tmp_path: Path) -> None:
    small.run(tmp_path, steps=10)
    _, report = small.run(tmp_path, steps=14)
    assert (report.first, report.steps) == (10, 14)
    assert [row["step"] for row in report.log] == [0, 5, 9, 10, 13]
    part = tc.checkpoint.load(tmp_path).parts["training"]
    assert part.config["step"] == 14
    assert part.config["run"]["extended"] == [10]
    _, again = small.run(tmp_path, steps=14)
    assert again.first == 14
    small.run(tmp_path, steps=15)
    assert tc.checkpoint.load(tmp_path).parts["training"].config["run"]["extended"] == [10, 14]
    with pytest.raises(CheckpointError, match="steps=15"):
        small.run(tmp_path, steps=14)
    with pytest.raises(CheckpointError, match="lr="):
        small.run(tmp_path, steps=16, lr=0.1)


def test_an_extended_run_that_is_killed_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    for place in ("whole", "killed"):
        small.run(tmp_path / place, steps=10)
    whole, _ = small.run(tmp_path / "whole", steps=24)
    clips = small.Deadly(small.episodes(spec=small.BOTH), 4, 1, tuple(small.BOTH.modalities))

    class Stop(Exception):
        pass

    def batches(size: int, seed: int, *, start: int = 0, **options: int) -> Iterator[Clip]:
        for step, clip in enumerate(small.Clips.batches(clips, size, seed, start=start, **options), start=start):
            if step == 17:
                raise Stop
            yield clip

    clips.batches = batches
    with pytest.raises(Stop):
        small.run(tmp_path / "killed", clips, steps=24)
    resumed, report = small.run(tmp_path / "killed", steps=24)
    assert report.first == 14
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_an_unfinished_run_keeps_its_number_of_steps(tmp_path: Path) -> None:
    small.run(tmp_path, steps=10)
    place = tmp_path / "checkpoint"
    saved = tc.checkpoint.load(place).parts["training"]
    unfinished = tc.checkpoint.Part({**saved.config, "step": 7}, saved.tensors)
    tc.checkpoint.save(place, tc.checkpoint.load_model(place), {"training": unfinished})
    with pytest.raises(CheckpointError, match="steps=10"):
        small.run(tmp_path, steps=14)


def test_a_checkpoint_is_written_when_the_last_one_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(State, "save", lambda state, _path: saved.append(state.step))
    clock = itertools.count(step=10)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    small.run(tmp_path, steps=12, checkpoint_every=100, checkpoint_seconds=35.0)
    assert saved == [0, 4, 8, 12]
    saved.clear()
    small.run(tmp_path / "by steps", steps=12, checkpoint_every=100, checkpoint_seconds=None)
    assert saved == [0, 12]


def test_a_run_starts_with_given_weights(tmp_path: Path) -> None:
    first, _ = small.run(tmp_path / "first", steps=3)
    second, _ = small.run(tmp_path / "second", steps=1, start=tmp_path / "first", lr=0.0, fit_statistics=False)
    for name, value in first.named_parameters():
        assert torch.equal(value, dict(second.named_parameters())[name]) or name.startswith("target_encoder"), name
    with pytest.raises(CheckpointError, match="start="):
        small.run(tmp_path / "second", steps=1, lr=0.0, fit_statistics=False)
    with pytest.raises(CheckpointError, match="nowhere"):
        small.run(tmp_path / "third", start=tmp_path / "nowhere")
    assert not (tmp_path / "third").exists()


def test_the_number_of_threads_is_restored(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        small.run(tmp_path / "one", steps=1, threads=1)
        assert torch.get_num_threads() == 2
        small.run(tmp_path / "suited", steps=1, threads=None)
        assert tc.checkpoint.load(tmp_path / "suited").parts["training"].config["surroundings"]["threads"] == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_progress_is_shown_where_somebody_watches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small.run(tmp_path, steps=2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("tacit._progress.interactive", lambda: True)
    _, report = small.run(tmp_path, steps=2)
    out, err = capsys.readouterr()
    assert not out
    assert "is complete at step 2 of 2" in " ".join(err.split())
    assert str(report).startswith("2 steps from step 2 in ")
    assert "loss/prediction" in str(report)


def test_another_run_in_the_same_place_is_refused(whole: tuple) -> None:
    for options, key in (
        ({"lr": 0.5}, "lr"),
        ({"seed": 9}, "seed"),
        ({"clips": small.episodes(5, spec=small.BOTH).clips(4)}, "episodes"),
    ):
        with pytest.raises(CheckpointError, match=rf"of a run with {key}=.*resume=False"):
            small.run(whole[2], **options)


def test_a_place_in_which_another_process_trains_is_refused(tmp_path: Path) -> None:
    with run_lock(tmp_path / "run"), pytest.raises(CheckpointError, match="another process is training in"):
        small.run(tmp_path / "run", steps=2)
    assert not checkpoint.exists(tmp_path / "run" / "checkpoint")
    for _ in range(2):  # it is free again once a training has ended
        small.run(tmp_path / "run", steps=2)


def test_other_threads_are_warned_about(tmp_path: Path) -> None:
    small.run(tmp_path, steps=2)
    place = tmp_path / "checkpoint"
    saved = checkpoint.load(place).parts["training"]
    surroundings = {**saved.config["surroundings"], "threads": 64}
    altered = Part({**saved.config, "surroundings": surroundings}, saved.tensors)
    checkpoint.save(place, checkpoint.load_model(place), {"training": altered})
    with pytest.warns(ResumeWarning, match="threads was 64 and is 1"):
        small.run(tmp_path, steps=2)


def test_the_log_is_on_the_disk_before_each_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real, log, manifest = os.fsync, tmp_path / "log.jsonl", tmp_path / ".checkpoint.new" / "checkpoint.json"

    def fsync(handle: int) -> None:
        real(handle)
        now = os.fstat(handle)
        synced.extend(path.name for path in (log, manifest) if path.exists() and os.path.samestat(now, path.stat()))

    monkeypatch.setattr(os, "fsync", fsync)
    small.run(tmp_path, steps=14)
    # The first checkpoint comes before any step.
    assert synced == ["checkpoint.json", *["log.jsonl", "checkpoint.json"] * 2]


def test_the_log_has_every_term_before_and_after_weighting(whole: tuple) -> None:
    rows = read_log(whole[2])
    assert [row["step"] for row in rows] == [*range(0, small.STEPS, 5), small.STEPS - 1]
    for row in rows:
        terms = {"prediction": 1.0, "sigreg": 0.1, "inverse_dynamics": 0.1}
        for name, weight in terms.items():
            assert row[f"weighted/{name}"] == pytest.approx(weight * row[f"loss/{name}"], rel=1e-6)
        assert row["loss"] == pytest.approx(sum(row[f"weighted/{name}"] for name in terms), rel=1e-5)
        assert {"lr", "gradient_norm", "seconds", "effective_rank", "min_std", "motion", "sigreg_floor_ratio"} <= set(
            row
        )


def test_it_learns(tmp_path: Path) -> None:
    learner = small.model()
    clips = small.episodes(20).clips(4)
    objective = Prediction() + 0.09 * SIGReg(64)
    report = tc.train(learner, objective, clips, steps=300, seed=0, to=tmp_path, lr=3e-3, log_every=20, threads=1)
    first, last = report.log[0], report.log[-1]
    assert last["loss/sigreg"] < 0.3 * first["loss/sigreg"]
    assert last["effective_rank"] > 2
    clip = clips.batch(5, 0, 256)
    with torch.no_grad():
        forecast = learner.forecast(clip)
    error = (forecast.predictions[0] - forecast.targets[:, 1:]).square().mean()
    copy = (forecast.latents[:, :-1] - forecast.targets[:, 1:]).square().mean()
    assert error < 0.2 * copy
    assert learner.statistics.mean["state"] == pytest.approx(clips.episodes.statistics().mean["state"], rel=1e-4)


class Broken(Term):
    """Not a number from some forecasts on, in its value or only in its gradient."""

    def __init__(self, where: str, after: int) -> None:
        super().__init__("broken")
        self.where, self.after, self._calls = where, after, 0

    def loss(self, forecast: Forecast, _seed: int, /) -> torch.Tensor:
        self._calls += 1
        if self._calls <= self.after:
            return forecast.latents.mean() * 0
        if self.where == "value":
            return forecast.latents.mean() * math.nan
        return (forecast.latents * 0).square().sum().sqrt()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            "value",
            r"step 12: the loss of term 'broken' is nan; the last good checkpoint is .*checkpoint \(of step 10\)",
        ),
        ("gradient", r"step 12: the gradient of term 'broken' by model\..* is not finite; .* \(of step 10\)"),
    ],
)
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, where: str, message: str) -> None:
    learner, clips = small.model(), small.episodes().clips(3)
    with pytest.raises(TrainingError, match=message):
        tc.train(
            learner,
            Prediction() + Broken(where, 12),
            clips,
            steps=30,
            seed=0,
            to=tmp_path,
            checkpoint_every=5,
            threads=1,
        )
    kept = checkpoint.load_model(tmp_path)
    assert all(value.isfinite().all() for value in kept.state_dict().values())
    assert checkpoint.load(tmp_path).parts["training"].config["step"] == 10


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    clips = small.episodes().clips(3)
    with pytest.raises(ConfigError, match=r"train takes clips, episodes\.clips"):
        tc.train(small.model(), Prediction(), small.episodes(), steps=1, seed=0, to=tmp_path)
    with pytest.raises(ConfigError, match="need at least 4"):
        tc.train(small.model(), Prediction(steps=3), clips, steps=1, seed=0, to=tmp_path)
    with pytest.raises(ConfigError, match="frameskip=2"):
        tc.train(small.model(frameskip=2), Prediction(), clips, steps=1, seed=0, to=tmp_path)
    with pytest.raises(ConfigError, match="Did you mean 'batch_size'"):
        tc.train(small.model(), Prediction(), clips, steps=1, seed=0, to=tmp_path, batchsize=3)
    with pytest.raises(ConfigError, match="steps >= 1"):
        tc.train(small.model(), Prediction(), clips, steps=0, seed=0, to=tmp_path)
    with pytest.raises(ConfigError, match="lr is between"):
        TrainingConfig(lr=-1.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what torch.compile imports
def test_compiled_modules_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    clips, how = small.episodes().clips(3), {"steps": 1, "seed": 0}
    whole = torch.compile(small.model())
    with pytest.raises(ConfigError, match=r"the model is the result of torch\.compile"):
        tc.train(whole, small.objective(), clips, to=tmp_path / "run", **how)
    part = small.model()
    part.predictor = torch.compile(part.predictor)
    with pytest.raises(ConfigError, match=r"predictor is the result of torch\.compile"):
        tc.train(part, small.objective(), clips, to=tmp_path / "run", **how)
    with pytest.raises(ConfigError, match=r"takes a model of tacit\.models.*got Linear"):
        tc.train(torch.nn.Linear(2, 2), small.objective(), clips, to=tmp_path / "run", **how)
    assert not (tmp_path / "run").exists()


def test_epochs_and_bare_functions_are_refused_with_what_to_do(tmp_path: Path) -> None:
    clips, how = small.episodes().clips(3), {"steps": 1, "seed": 0, "to": tmp_path / "run"}
    with pytest.raises(ConfigError, match=rf"give steps=.*{len(clips)} windows"):
        tc.train(small.model(), small.objective(), clips, epochs=3, **how)
    with pytest.raises(ConfigError, match=r"got function.*EvalHook"):
        tc.train(small.model(), small.objective(), clips, hooks=[lambda model: {}], **how)
    assert not (tmp_path / "run").exists()


def test_the_same_script_gives_the_same_loss(tmp_path: Path) -> None:
    losses = []
    for name in ("a", "b"):
        torch.rand(len(losses) + 1)  # whatever drew random numbers before
        model = tc.models.WorldModel.for_spec(small.STATE, latent=6)
        report = tc.train(model, small.objective(), small.episodes().clips(3), steps=2, seed=0, to=tmp_path / name)
        losses.append([row["loss"] for row in report.log])
    assert losses[0] == losses[1]
    other = tc.models.WorldModel.for_spec(small.STATE, latent=6, seed=1)
    assert not torch.equal(
        next(other.parameters()), next(tc.models.WorldModel.for_spec(small.STATE, latent=6).parameters())
    )
    before = torch.get_rng_state()
    tc.models.WorldModel.for_spec(small.STATE)
    assert torch.equal(before, torch.get_rng_state())
    with pytest.raises(ConfigError, match="seed of the weights"):
        tc.models.WorldModel.for_spec(small.STATE, seed=-1)


def test_vectors_are_not_decayed() -> None:
    from tacit.training.state import State

    state = State(small.model(), small.objective(), TrainingConfig(weight_decay=0.3), {})
    for group in state.optimizer.param_groups:
        assert group["weight_decay"] == (0.3 if group["params"][0].ndim >= 2 else 0.0)
        assert len({p.ndim >= 2 for p in group["params"]}) == 1


def test_learning_rate_and_target_decay() -> None:
    config = TrainingConfig(lr=2.0, warmup=0.1, lr_end=0.25, ema=(0.9, 1.0))
    rates = [config.lr_at(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([2.0 * (i + 1) / 10 for i in range(10)])
    assert rates[10] == 2.0
    assert rates[55] == pytest.approx(2.0 * (0.25 + 0.75 / 2))
    assert rates[-1] == pytest.approx(0.5, rel=0.01)
    assert sorted(rates[10:], reverse=True) == rates[10:]
    assert {TrainingConfig(lr=2.0, warmup=0.0, schedule="constant").lr_at(step, 100) for step in range(100)} == {2.0}
    assert [config.ema_decay_at(step, 101) for step in (0, 50, 100)] == pytest.approx([0.9, 0.95, 1.0])


def test_the_target_follows_the_encoder(tmp_path: Path) -> None:
    learner, _ = small.run(tmp_path, steps=3, ema=(0.0, 0.0))
    for target, source in zip(learner.target_encoder.parameters(), learner.encoder.parameters(), strict=True):
        assert torch.equal(target, source)


def test_a_step_is_adamw_on_the_clipped_gradient(tmp_path: Path) -> None:
    clips = small.episodes().clips(3)
    options = {"lr": 0.01, "weight_decay": 0.1, "clip_norm": 0.05, "warmup": 0.0, "schedule": "constant"}
    learner, objective = small.model(), Prediction() + 0.1 * SIGReg(16)
    tc.train(learner, objective, clips, steps=1, seed=2, to=tmp_path, batch_size=8, threads=1, **options)
    expected = small.model()
    expected.set_statistics(clips.episodes.statistics())
    expected.train()
    objective(expected.forecast(clips.batch(2, 0, 8)), derive_seed(2, 2, 0, bits=63)).total.backward()
    norm = torch.sqrt(sum(p.grad.square().sum() for p in expected.parameters()))
    assert norm > 0.05
    for before, after in zip(expected.parameters(), learner.parameters(), strict=True):
        gradient = before.grad * 0.05 / norm
        decayed = before * (1 - 0.01 * 0.1) if before.ndim >= 2 else before
        torch.testing.assert_close(after, decayed - 0.01 * gradient / (gradient.abs() + 1e-8), rtol=1e-4, atol=1e-6)


def test_bf16_keeps_weights_and_losses_in_float32(tmp_path: Path) -> None:
    learner, report = small.run(tmp_path, steps=5, precision="bf16")
    assert {p.dtype for p in learner.parameters()} == {torch.float32}
    assert math.isfinite(report.log[-1]["loss"])


def test_schedules_rise_stay_and_fall() -> None:
    published = TrainingConfig(lr=1.0, warmup=0.1, schedule="constant", cooldown=0.2, lr_start=0.2, lr_end=0.0)
    rates = [published.lr_at(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.2 + 0.8 / 10) and rates[9] == pytest.approx(1.0)
    assert rates[10:80] == [1.0] * 70
    falling = np.diff(rates[79:])
    assert falling == pytest.approx(np.full(20, falling[0])) and 0 < rates[-1] < 0.1
    decays = TrainingConfig(weight_decay=0.04, weight_decay_end=0.4, stretch=1.25)
    assert decays.weight_decay_at(0, 80) == pytest.approx(0.04)
    assert decays.weight_decay_at(79, 80) < 0.4 == pytest.approx(decays.weight_decay_at(99, 80))
    assert TrainingConfig(weight_decay=0.3).weight_decay_at(5, 10) == 0.3
    assert decays.ema_decay_at(79, 80) < 1.0


@dataclass(frozen=True)
class Noise:
    """A transform that adds noise to the state."""

    size: float

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        state = clip.observation["state"]
        noise = torch.randn(state.shape, generator=torch.Generator().manual_seed(seed + rank))
        return replace(clip, observation={**clip.observation, "state": state + self.size * noise})


def test_transforms_are_part_of_the_run_and_functions_of_the_step(tmp_path: Path, whole: tuple) -> None:
    silent, _ = small.run(tmp_path / "none", transforms=(Noise(0.0),))
    assert weights(silent) == whole[0]
    noisy, _ = small.run(tmp_path / "a", transforms=(Noise(0.1),))
    again, _ = small.run(tmp_path / "b", transforms=(Noise(0.1),), prefetch=5)
    assert weights(noisy) == weights(again) != whole[0]
    for changed in ((Noise(0.2),), ()):
        with pytest.raises(CheckpointError, match="transforms"):
            small.run(tmp_path / "a", transforms=changed)


@dataclass(frozen=True)
class Noting:
    """A transform that notes the seeds that it is given."""

    name: str
    seeds: list[int] = field(default_factory=list, repr=False)

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        assert rank == 0
        self.seeds.append(seed)
        return clip


def test_what_is_random_differs_from_step_to_step_and_is_a_function_of_seed_and_step(tmp_path: Path) -> None:
    def draws(to: str, seed: int) -> tuple[list[int], list[float], list[int], list[int]]:
        term, first, second = small.Drawing(), Noting("first"), Noting("second")
        clips, transforms = small.episodes().clips(3), (first, second)
        options = {"steps": 6, "batch_size": 4, "threads": 1, "transforms": transforms}
        tc.train(small.model(), Prediction() + term, clips, seed=seed, to=tmp_path / to, **options)
        return term.seeds, term.drawn, first.seeds, second.seeds

    one, again, other = draws("one", 3), draws("again", 3), draws("other", 4)
    assert one == again
    for mine, theirs in zip(one, other, strict=True):
        assert len(set(mine)) == len(set(theirs)) == 6
        assert not set(mine) & set(theirs)
    assert not set(one[2]) & set(one[3]), "two transforms draw each for itself"


def test_masks_and_crops_differ_from_step_to_step(tmp_path: Path) -> None:
    masks, crops = masked.record(tmp_path, steps=3)
    assert len(masks) == len(crops) == 3
    for first, second in itertools.pairwise(masks):
        assert first.shape != second.shape or not torch.equal(first, second)
    for first, second in itertools.pairwise(crops):
        assert not torch.equal(first, second)


def test_the_loop_follows_the_schedules_of_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tacit.training import loop

    seen: list[tuple[float, float]] = []
    stays: list[float] = []
    real = loop.optimizer_step

    def noted(optimizer: torch.optim.Optimizer, *arguments: object, **options: object) -> tuple[torch.Tensor, bool]:
        result = real(optimizer, *arguments, **options)
        seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]))
        return result

    monkeypatch.setattr(loop, "optimizer_step", noted)
    learner = small.model(target="ema")
    monkeypatch.setattr(learner, "update_target", stays.append)
    options = {"lr": 1.0, "lr_start": 0.5, "lr_end": 0.0, "warmup": 0.4, "schedule": "constant", "cooldown": 0.2}
    decays = {"weight_decay": 0.1, "weight_decay_end": 0.3, "ema": (0.5, 0.9)}
    to, clips = tmp_path, small.episodes().clips(3)
    tc.train(learner, Prediction(), clips, steps=5, seed=0, to=to, batch_size=4, threads=1, **options, **decays)
    assert [lr for lr, _ in seen] == pytest.approx([0.75, 1.0, 1.0, 1.0, 0.5])
    # A half cosine: a quarter of the way in steps is 0.146 of the way in decay.
    assert [decay for _, decay in seen] == pytest.approx([0.1, 0.129289, 0.2, 0.270711, 0.3], abs=1e-6)
    assert stays == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])


def test_models_are_kept_as_they_were_after_some_steps(tmp_path: Path, whole: tuple) -> None:
    model, _ = small.run(tmp_path / "whole", keep=(16, small.STEPS))
    assert weights(model) == whole[0]
    assert sorted(path.name for path in (tmp_path / "whole" / "kept").iterdir()) == ["16", str(small.STEPS)]

    def stop(found: tc.models.WorldModel) -> dict[str, float]:
        if not stopped:
            stopped.append(weights(found))
            raise KeyboardInterrupt
        return {}

    stopped: list[dict[str, bytes]] = []
    with pytest.raises(KeyboardInterrupt):
        small.run(tmp_path / "killed", hooks=[EvalHook(stop, every=16)], keep=(16, small.STEPS))
    resumed, _ = small.run(tmp_path / "killed", keep=(16, small.STEPS))
    for place in ("whole", "killed"):
        kept = [checkpoint.load_model(tmp_path / place / "kept" / str(step)) for step in (16, small.STEPS)]
        assert [weights(one) for one in kept] == [stopped[0], weights(resumed)]
    with pytest.raises(ConfigError, match=r"keep names step 5, which the run in .* has passed without keeping it"):
        small.run(tmp_path / "whole", keep=(5, small.STEPS))
    with pytest.raises(ConfigError, match=f"keep names step {small.STEPS + 1}, and the training ends after"):
        small.run(tmp_path / "never", keep=(small.STEPS + 1,))
    assert not (tmp_path / "never").exists()


def test_a_term_that_cannot_read_what_the_model_gives_is_refused(tmp_path: Path) -> None:
    class Masked(Term):
        reads = (MaskedForecast,)

    with pytest.raises(ConfigError, match="'masked' reads a MaskedForecast; this model makes a Forecast"):
        tc.train(small.model(), Masked("masked"), small.episodes().clips(4), steps=1, seed=0, to=tmp_path)


def test_runs_of_an_older_version_name_their_transforms_as_today() -> None:
    now = {"steps": 5, "transforms": ["Augment(flip)", "DrawMasks(blocks, (2, 2))", "MakeViews(crops)", "Mine(1)"]}
    before = {"steps": 5, "transforms": ["Augmented(flip)", "Masked(blocks, (2, 2))", "Viewed(crops)", "Mine(1)"]}
    assert continued_run(now, before, 3, Path("run")) == now
    with pytest.raises(CheckpointError, match="transforms"):
        continued_run(now, {**before, "transforms": ["Masked(other)"]}, 3, Path("run"))
