"""Scores against hand-computed values and naive implementations."""

from dataclasses import replace

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.guard import Ensemble, LatentNorm, NearestNeighbors, PredictionEnergy
from tacit.guard import nearest_neighbors as module
from tacit.memory import DiskStore, entries
from tacit.testing.guard import sensed

PARTS = {"pixels": slice(0, 4), "pose": slice(4, 6)}


def test_prediction_energy_is_the_mean_square_of_each_part_so_many_blocks_back():
    given = sensed(parts=PARTS)
    gap = (given.latents - given.forecasts[:, 2]).astype(float)
    wanted = np.stack([(gap[:, :4] ** 2).mean(1), (gap[:, 4:] ** 2).mean(1)], axis=1)
    np.testing.assert_allclose(PredictionEnergy(3)(given), wanted, rtol=1e-6)
    np.testing.assert_allclose(PredictionEnergy(3)(replace(given, parts={})), (gap**2).mean(1), rtol=1e-6)


def test_a_latent_inside_the_sphere_is_as_unusual_as_one_outside():
    score = LatentNorm((10.0,), (2.0,))
    latents = np.zeros((4, 6), np.float32)
    latents[:, 0] = (6.0, 10.0, 14.0, -14.0)
    np.testing.assert_allclose(score(replace(sensed(), latents=latents)), [2, 0, 2, 2])


def test_the_norm_is_fitted_to_each_part():
    latents = np.random.default_rng(0).normal(3, 1, (500, 6)).astype(np.float32)
    score = LatentNorm.fit(latents, PARTS)
    norms = np.linalg.norm(latents[:, :4], axis=1)
    assert score.radius[0] == pytest.approx(norms.mean(), rel=1e-5)
    assert score.scale[0] == pytest.approx(norms.std(), rel=1e-4)
    assert len(score.radius) == 2


@pytest.mark.parametrize("chunk", [2**24, 2 * 300])
def test_the_search_for_neighbors_is_exact(chunk, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", chunk)
    draw = np.random.default_rng(1)
    recorded, metric = draw.normal(5, 1, (300, 6)).astype(np.float32), draw.normal(size=(6, 6)).astype(np.float32)
    queries = np.concatenate([recorded[:2] + 1e-3, recorded[5:7] + 3]).astype(np.float32)
    found = NearestNeighbors(recorded, metric, 4)(replace(sensed(), latents=queries))
    for query, distance in zip(queries.astype(float), found, strict=True):
        nearest = np.argsort(np.linalg.norm(recorded - query, axis=1))[:4]
        assert distance == pytest.approx(np.linalg.norm((query - recorded[nearest].mean(axis=0)) @ metric), rel=1e-4)


def test_an_offset_across_the_recorded_surface_is_more_unusual_than_one_along_it():
    draw = np.random.default_rng(2)
    recorded = np.zeros((2000, 6), np.float32)
    recorded[:, 0], recorded[:, 1] = draw.uniform(-1, 1, 2000), draw.normal(0, 1e-3, 2000)
    score = NearestNeighbors.fit(recorded, {})
    latents = np.zeros((4, 6), np.float32)
    latents[1, 0], latents[2, 1], latents[3, 5] = 0.01, 0.01, 0.01
    usual, along, across, dead = score(replace(sensed(), latents=latents))
    assert across > 5 * max(usual, along)
    assert dead > across
    offsets = module._offsets(recorded[1000:, :2], recorded[:1000, :2], 3)
    np.testing.assert_allclose(np.cov((offsets @ module._whitening(offsets)).T), np.eye(2), atol=0.05)


def test_recorded_latents_are_drawn_by_the_seed():
    latents = np.random.default_rng(3).normal(size=(100, 2)).astype(np.float32)
    some = [NearestNeighbors.fit(latents, {}, most=10, seed=seed).recorded for seed in (0, 0, 1)]
    assert len(some[0]) == 10
    assert np.array_equal(some[0], some[1])
    assert not np.array_equal(some[0], some[2])


@pytest.mark.parametrize("parts", [{}, PARTS])
def test_a_memory_gives_the_distances_of_its_latents(parts, tmp_path):
    draw = np.random.default_rng(5)
    latents = draw.normal(2, 1, (300, 6)).astype(np.float32)
    given = replace(sensed(parts=parts), latents=np.concatenate([latents[:2] + 0.5, np.full((2, 6), np.nan)]))
    with DiskStore.create(tmp_path / "memory", latent_size=6, blocks=1, block_size=1, segment_entries=64) as store:
        store.append(entries(latents, np.zeros((300, 1, 1))))
        score = NearestNeighbors.fit(store, parts)
        wanted = NearestNeighbors(latents, score.whitening)(given)
        np.testing.assert_allclose(score(given), wanted, rtol=1e-6)
        assert np.isfinite(wanted[:2]).all() and np.isnan(wanted[2:]).all()
        np.testing.assert_array_equal(score.whitening, NearestNeighbors.fit(latents, parts).whitening)
        store.append(entries(given.latents[:2], np.zeros((2, 1, 1))))
        np.testing.assert_allclose(score(given), wanted, rtol=1e-6)  # that of its snapshot
        assert np.isnan(score(replace(given, latents=given.latents * np.nan))).all()
        with pytest.raises(ConfigError, match="neighbors=999"):
            NearestNeighbors(store, score.whitening, 999)


def test_disagreement_is_the_variance_between_members():
    given = sensed(latent=2, block=1)
    weights = np.zeros((2, 3, 1))
    weights[:, 2] = 1.0  # the hidden unit is the block where it is above 0
    output = np.zeros((2, 1, 2))
    output[0, 0] = (1.0, 3.0)
    score = Ensemble(np.zeros(3), np.ones(3), weights, np.zeros((2, 1)), output, np.zeros((2, 2)))
    block = np.maximum(given.block[:, 0], 0)
    np.testing.assert_allclose(score(given), ((block / 2) ** 2 + (3 * block / 2) ** 2) / 2, rtol=1e-5)
    assert np.isnan(score(replace(given, before=None, block=None))).all()


def test_scores_refuse_what_does_not_fit():
    with pytest.raises(ConfigError, match="steps >= 1"):
        PredictionEnergy(0)
    with pytest.raises(ConfigError, match="forecast of 9 blocks"):
        PredictionEnergy(9)(sensed())
    with pytest.raises(ConfigError, match="neighbors"):
        NearestNeighbors(np.zeros((3, 2)), np.eye(2), 4)
    with pytest.raises(ConfigError, match="need 6 latents"):
        NearestNeighbors.fit(np.zeros((5, 2), np.float32), {})
    with pytest.raises(ConfigError, match="size 2"):
        NearestNeighbors(np.zeros((9, 2)), np.eye(2))(sensed())
    with pytest.raises(ConfigError, match="scales above 0"):
        LatentNorm.fit(np.ones((9, 2), np.float32), {})
    with pytest.raises(ConfigError, match="two members"):
        Ensemble(*(np.zeros(shape) for shape in [(3,), (3,), (1, 3, 2), (1, 2), (1, 2, 2), (1, 2)]))
