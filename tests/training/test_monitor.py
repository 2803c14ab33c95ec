"""The collapse monitor: what it measures, when it speaks, when it keeps quiet."""

from pathlib import Path

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.diagnostics import effective_rank
from tacit.masking import RandomPatches
from tacit.models import MaskedModel
from tacit.nn import collectives
from tacit.objectives import MaskedPrediction, Prediction, SIGReg, Spread, TimeSimilarity, VICReg
from tacit.objectives.sigreg import collapsed, epps_pulley, floor
from tacit.training import CollapseWarning, DrawMasks
from tacit.training.monitor import Monitor, measure
from training import small


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_effective_rank() -> None:
    values = torch.linspace(-1, 1, 50)[:, None]
    assert effective_rank(values * torch.tensor([1.0, 2.0, -1.0])) == pytest.approx(1.0, abs=1e-6)
    assert effective_rank(torch.full((50, 3), 7.0)) == 1.0
    corners = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert effective_rank(torch.cat([corners, -corners])) == pytest.approx(3.0, rel=1e-6)
    latents = normal(100, 4) * torch.tensor([1.0, 2.0, 3.0, 4.0])
    share = np.linalg.eigvalsh(np.cov(latents.double().numpy().T))
    share = share / share.sum()
    assert effective_rank(latents) == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-6)


def test_gaussian_latents_are_healthy() -> None:
    health = measure(normal(64, 8, 16))
    assert health.effective_rank > 14
    assert health.min_std == pytest.approx(1.0, abs=0.1)
    assert health.sigreg == pytest.approx(1.0, abs=0.3)
    assert health.motion == pytest.approx(7 / 8, abs=0.05)
    assert health.complaint("gaussian") == ""


def test_what_stands_still_has_no_motion() -> None:
    assert measure(normal(64, 1, 16).expand(-1, 8, -1)).motion == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("latents", "asked", "complaint"),
    [
        (torch.ones(16, 4, 8), "", "on a line"),
        (normal(16, 4, 1).expand(-1, -1, 8), "", "on a line"),
        (normal(16, 4, 8) * torch.tensor([1.0] * 7 + [1e-4]), "", "a channel has standard deviation"),
        (normal(16, 4, 8) * 0.05, "unit", "standard deviation 0.05 where 1 is healthy"),
        (normal(16, 4, 8) * 0.05, "", ""),
        (normal(16, 4, 8) * 0.01 + 3, "", "vary by 0.33% of their size"),
        (normal(16, 4, 8) * 0.3, "gaussian", "times the SIGReg floor"),
        (normal(16, 4, 8) * 0.3 + 5, "unit", ""),
        (normal(16, 4, 8) * 20, "gaussian", ""),
    ],
)
def test_collapse_is_put_into_words(latents: torch.Tensor, asked: Spread, complaint: str) -> None:
    found = measure(latents).complaint(asked)
    assert complaint in found
    assert bool(found) == bool(complaint)


def test_a_single_point_scores_what_it_is_said_to() -> None:
    assert collapsed(100) == pytest.approx(100 * 0.40204757973, rel=1e-9)
    assert collapsed(100) == pytest.approx(epps_pulley(torch.zeros(100, 1), torch.ones(1, 1)).item(), rel=1e-6)
    assert measure(torch.zeros(20, 5, 3)).sigreg == pytest.approx(collapsed(100) / floor(100), rel=1e-5)


def test_a_complaint_waits_for_no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes may find different health, so what follows from it is found by each alone."""
    health = measure(normal(16, 4, 8) * 0.3)
    monkeypatch.setattr(collectives, "world_size", lambda: 2)
    monkeypatch.setattr(collectives, "_reduced", lambda _x: pytest.fail("a process waits for another"))
    assert "times the SIGReg floor" in health.complaint("gaussian")


def test_it_warns_once_and_only_when_it_lasts() -> None:
    monitor, good, bad = Monitor("gaussian", patience=10, steps=4000), normal(16, 4, 8), torch.zeros(16, 4, 8)
    assert "warning" not in monitor.check(0, bad)
    assert "warning" not in monitor.check(9, bad)
    for step in (10, 500, 809):
        assert "warning" in monitor.check(step, bad)
    with pytest.warns(CollapseWarning, match="collapsed since step 10, seen at step 810"):
        monitor.check(810, bad)
    entries = monitor.check(820, bad)
    assert "warning" in entries
    assert "recovered" not in entries
    entries = monitor.check(830, good)
    assert "warning" not in entries
    assert entries["recovered"] == "the latents are healthy again, after 820 steps"
    assert "recovered" not in monitor.check(840, good)
    monitor.check(850, bad)
    with pytest.warns(CollapseWarning, match="since step 850"):
        monitor.check(1650, bad)


def test_latents_that_recover_are_no_warning() -> None:
    monitor, good, bad = Monitor("gaussian", patience=100, steps=1000), normal(16, 4, 8), torch.zeros(16, 4, 8)
    for step in range(0, 300, 50):
        monitor.check(step, bad)
    assert "recovered" in monitor.check(300, good)
    monitor.check(999, bad)  # once, at the end


def test_a_short_run_that_ends_collapsed_is_a_warning() -> None:
    monitor, bad = Monitor("gaussian", patience=100, steps=201), torch.zeros(16, 4, 8)
    for step in (0, 50, 100, 150):
        monitor.check(step, bad)
    with pytest.warns(CollapseWarning, match="since step 100, seen at step 200"):
        monitor.check(200, bad)


def test_a_training_that_collapses_says_so(tmp_path: Path) -> None:
    clips, options = small.episodes().clips(3), {"steps": 150, "seed": 0, "lr": 3e-3, "log_every": 10, "threads": 1}
    with pytest.warns(CollapseWarning):
        report = tc.train(
            small.model(),
            Prediction() + 10.0 * TimeSimilarity() + 1e-4 * SIGReg(16),
            clips,
            to=tmp_path / "a",
            **options,
        )
    assert "warning" in report.log[-1]
    report = tc.train(small.model(), Prediction() + 0.1 * SIGReg(16), clips, to=tmp_path / "b", **options)
    assert not any("warning" in row for row in report.log)


def test_a_training_that_starts_narrow_recovers_without_a_warning(tmp_path: Path) -> None:
    options = {"steps": 181, "seed": 0, "lr": 2.5e-4, "batch_size": 16, "log_every": 20, "threads": 1}
    objective = Prediction() + VICReg(over="pooled")
    report = tc.train(small.model(), objective, small.episodes().clips(3), to=tmp_path, **options)
    rows = {int(row["step"]): row for row in report.log}
    assert "standard deviation" in str(rows[100]["warning"])
    (recovered,) = (step for step, row in rows.items() if "recovered" in row)
    assert rows[recovered]["recovered"] == f"the latents are healthy again, after {recovered - 100} steps"
    assert not any("warning" in row for step, row in rows.items() if step >= recovered)


def test_a_training_without_a_regulariser_warns_before_its_half(tmp_path: Path) -> None:
    """Nothing asks these latents for unit variance, and predicting them is easiest where they are all alike."""
    options = {"steps": 601, "seed": 0, "lr": 3e-3, "batch_size": 16, "log_every": 50, "threads": 1}
    with pytest.raises(CollapseWarning, match="since step 100, seen at step 300"):  # warnings are errors here
        tc.train(small.model(), Prediction(), small.episodes().clips(3), to=tmp_path, **options)


@pytest.mark.parametrize("positions", ["sincos", "learned", "rope"])
@pytest.mark.parametrize("target", ["ema", "pixels"])
def test_a_masked_model_that_sees_nothing_is_found_out(tmp_path: Path, positions: str, target: str) -> None:
    """Its tokens differ from place to place and from mask to mask all the same."""
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, 16, 16))})
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 3, 16, 16), dtype=np.uint8)
    nobody = np.zeros((0, 0), np.float32)
    clips = tc.data.from_episodes([tc.types.Episode({"pixels": one}, nobody) for one in images], spec).clips(1)
    options = {"width": 36, "depth": 2, "heads": 2, "predictor_width": 36, "predictor_depth": 1, "predictor_heads": 2}
    torch.manual_seed(0)
    model = MaskedModel.for_spec(spec, patch=4, positions=positions, target=target, **options)
    masks = [DrawMasks(RandomPatches(), model.grid)]
    run = {"steps": 102, "seed": 0, "batch_size": 8, "log_every": 1, "threads": 1, "transforms": masks}
    report = tc.train(model, MaskedPrediction(), clips, lr=1e-4, to=tmp_path / "seeing", **run)
    assert not any("warning" in row for row in report.log)

    torch.nn.init.zeros_(model.encoder.patches.weight)
    advice = "the copy of the encoder .*ema nearer to 1" if target == "ema" else "smaller learning rate"
    with pytest.warns(CollapseWarning, match=advice):
        tc.train(model, MaskedPrediction(), clips, lr=0.0, to=tmp_path / "blind", **run)


def test_the_rank_of_few_wide_latents_is_that_of_their_covariance() -> None:
    torch.manual_seed(0)
    latents = torch.randn(20, 50, dtype=torch.float64) @ torch.diag(torch.linspace(0.1, 2, 50, dtype=torch.float64))
    values = torch.linalg.eigvalsh(torch.cov(latents.T)).clamp(min=0)
    shares = values / values.sum()
    entropy = -(shares[shares > 1e-12] * shares[shares > 1e-12].log()).sum()
    assert effective_rank(latents) == pytest.approx(float(entropy.exp()), rel=1e-6)
    assert effective_rank(latents.T) != pytest.approx(effective_rank(latents), rel=1e-3)
