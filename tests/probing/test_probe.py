import dataclasses

import numpy as np
import pytest
import torch

from probing.exact import Exact, recordings
from tacit.data import from_episodes
from tacit.diagnostics import straightness
from tacit.errors import ConfigError, DataError
from tacit.models import MaskedModel, WorldModel
from tacit.probing import health, probe
from tacit.types import Episode, Modality, Spec


def quantities(vector, rng):
    return {
        "noise": rng.normal(size=(len(vector), 2)).astype(np.float32),
        "squared": (vector[:, :1] ** 2).astype(np.float32),
        "still": np.ones((len(vector), 1), np.float32),
        "partly_still": np.concatenate([vector[:, :1], np.ones((len(vector), 1), np.float32)], axis=1),
    }


@pytest.fixture(scope="module")
def parts():
    return recordings(40, labels=quantities).split(0.75, seed=0)


def test_positions_are_predicted_exactly_from_exact_latents(parts):
    train, held_out = parts
    report = probe(Exact(), fit_on=train, test_on=held_out)
    assert report.r2 > 0.9999
    assert min(report.linear.r2_components) > 0.9999
    assert report.linear.pearson == pytest.approx(1.0, abs=1e-4)
    assert report.mlp_r2 > 0.99
    assert 1.5 < report.health.effective_rank <= report.health.latent_size == 2
    assert report.linear.actual.shape == report.linear.predicted.shape == (report.linear.rows_test, 2)
    assert report.linear.rows_test <= held_out.lengths.sum()


def test_a_world_model_is_probed_and_keeps_its_mode(parts):
    train, held_out = parts
    model = WorldModel.for_spec(train.spec, latent=8, encoders={"vector": "identity"}).train()
    report = probe(model, fit_on=train, test_on=held_out)
    assert report.r2 > 0.999
    assert model.training
    exact = Exact().train()
    probe(exact, fit_on=train, test_on=held_out)
    assert exact.training
    assert not any(exact.modes)


def test_noise_has_no_score(parts):
    report = probe(Exact(), fit_on=parts[0], test_on=parts[1], target="noise")
    assert -0.1 < report.r2 < 0.02
    assert report.mlp_r2 < 0.05
    assert abs(report.linear.pearson) < 0.15


def test_nonlinear_quantities_are_found_by_the_mlp_alone(parts):
    report = probe(Exact(), fit_on=parts[0], test_on=parts[1], target="squared")
    assert report.r2 < 0.6
    assert report.mlp_r2 > 0.9


def test_a_component_that_does_not_vary_is_left_out(parts):
    report = probe(Exact(), fit_on=parts[0], test_on=parts[1], target="partly_still")
    assert report.r2 > 0.9999
    assert np.isnan(report.linear.r2_components[1])
    assert report.linear.pearson == pytest.approx(report.linear.pearson_components[0])
    with pytest.raises(DataError, match="does not vary"):
        probe(Exact(), fit_on=parts[0], test_on=parts[1], target="still")


def test_fitted_episodes_among_the_held_out_ones_raise(parts):
    train, held_out = parts
    with pytest.raises(DataError, match="1 of 3 test episodes are also fitted on"):
        probe(Exact(), fit_on=train, test_on=recordings(40, labels=quantities).select([int_of(train), *two(held_out)]))
    with pytest.raises(DataError, match=r"Split with episodes.split"):
        probe(Exact(), fit_on=train, test_on=train)


def int_of(part):
    return part[0].index


def two(part):
    return [part[0].index, part[1].index]


def test_an_unknown_label_or_too_few_episodes_are_refused(parts):
    with pytest.raises(ConfigError, match="Did you mean 'position'"):
        probe(Exact(), fit_on=parts[0], test_on=parts[1], target="postion")
    with pytest.raises(DataError, match="two episodes"):
        probe(Exact(), fit_on=parts[0].select([0]), test_on=parts[1])


def test_the_report_is_a_pure_function_of_the_seed(parts):
    options = {"fit_on": parts[0], "test_on": parts[1], "frames": 200}
    torch.manual_seed(0)
    first = probe(Exact(), seed=3, **options)
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1))
    second, other = probe(Exact(), seed=3, **options), probe(Exact(), seed=4, **options)
    assert numbers(first) == numbers(second) != numbers(other)
    assert first.linear.rows_test <= 200


def numbers(report):
    return report.r2, report.mlp_r2, report.linear.pearson, *dataclasses.astuple(report.health)


def test_straightness_of_lines_and_zigzags():
    line = torch.arange(5.0)[None, :, None] * torch.tensor([1.0, 2.0])
    zigzag = torch.tensor([0.0, 1.0, 0.0, 1.0])[None, :, None]
    corner = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]])
    assert straightness(line) == pytest.approx(1.0)
    assert straightness(zigzag) == pytest.approx(-1.0)
    assert straightness(corner) == pytest.approx(0.0)


@pytest.mark.parametrize(("length", "known"), [(12, False), (13, True)])
def test_a_series_has_a_straightness_where_three_windows_fit(length, known):
    # Three observations 4 steps apart are 9 steps, and the samples of the first one begin 4 before it.
    spec = Spec({"ecg": Modality("series", (1,), rate=40.0)}, fps=10.0)
    rng = np.random.default_rng(0)
    waves = [rng.normal(size=(4 * length, 1)).astype(np.float32) for _ in range(3)]
    episodes = from_episodes([Episode({"ecg": wave}, np.zeros((length - 1, 0), np.float32)) for wave in waves], spec)
    model = MaskedModel.for_spec(spec, "nano", frames=1, frameskip=4, patch=4)
    model.set_statistics(episodes.statistics())
    found = health(model, episodes)
    assert found.frames > 0 and np.isfinite(found.straightness) == known


def test_a_recorded_vector_is_a_target():
    episodes = recordings(12, labels=quantities)
    (name,) = (name for name, modality in episodes.spec.modalities.items() if modality.kind == "vector")
    train, held_out = episodes.split(0.75, seed=0)
    report = probe(Exact(), fit_on=train, test_on=held_out, target=name)
    assert min(report.linear.r2_components[:2]) > 0.9999  # Exact leaves the third out
    assert report.r2 == pytest.approx(np.mean(report.linear.r2_components))


def test_a_report_has_baselines(parts):
    train, held_out = parts
    model = WorldModel.for_spec(train.spec, latent=8)
    model.set_statistics(train.statistics())
    report = probe(model, fit_on=train, test_on=held_out)
    assert report.baselines["untrained"] == pytest.approx(report.r2, abs=1e-9)  # it is untrained, and of the same seed
    assert report.baselines["raw"] > 0.999  # the observation is the position
    text = str(report)
    assert "before training" in text and "raw input      1.0000" in text
    alone = probe(model, fit_on=train, test_on=held_out, baselines=False)
    assert not alone.baselines and "raw input" not in str(alone)
