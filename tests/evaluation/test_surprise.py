"""Surprise: energies as a plain loop finds them, in the windows that hold the event and in no other."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from torch.nn import functional as F

from tacit.data import from_episodes
from tacit.errors import ConfigError, DataError
from tacit.evaluation.surprise import Surprise, detection, surprise
from tacit.models import MaskedModel
from tacit.statistics.intervals import wilson
from tacit.types import Episode, Modality, Spec, Statistics

VIDEOS = Spec({"pixels": Modality("pixels", (1, 8, 8))})
SERIES = Spec({"ecg": Modality("series", (2,), rate=40.0)}, fps=10.0)
SMALL = {"width": 24, "depth": 1, "heads": 2, "predictor_width": 24, "predictor_depth": 1, "predictor_heads": 2}
EVENT = 7


def made(spec=VIDEOS, **options):
    torch.manual_seed(0)
    model = MaskedModel.for_spec(spec, **{**SMALL, "patch": 4, "frames": 6, **options})
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def videos(*lengths, seed=0):
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, 256, (length, 1, 8, 8), dtype=np.uint8) for length in lengths]
    return [Episode({"pixels": frames}, np.zeros((len(frames) - 1, 0), np.float32)) for frames in drawn]


@pytest.mark.parametrize("target", ["ema", "pixels"])
@pytest.mark.parametrize(("share", "seen"), [(0.67, 8), (0.3, 4), (0.99, 8)])
def test_energies_equal_those_of_a_plain_loop(target, share, seen):
    model = made(target=target, normalised_pixels=False).train()
    model.set_statistics(Statistics({"pixels": (0.3,)}, {"pixels": (0.2,)}))
    episodes = from_episodes(videos(8, 5, 6), VIDEOS)
    found = surprise(model, episodes, share=share, batch=2)
    assert model.training
    assert [len(energies) for energies in found.energies] == [3, 0, 1]
    np.testing.assert_array_equal(found.last[0], [5, 6, 7])
    model.eval()
    mean, std = model.statistics_of("pixels")
    tokens = torch.arange(12)[None]
    for number, start in ((0, 0), (0, 1), (0, 2), (2, 0)):
        window = torch.from_numpy(np.array(episodes[number].observation["pixels"][start : start + 6]))
        window = window.transpose(0, 1)[None]
        with torch.no_grad():
            context = model.encoder(window, mean, std, tokens[:, :seen])
            predicted = model.predictor(context, tokens[:, :seen], tokens[:, seen:])
            if target == "ema":
                came = F.layer_norm(model.target_encoder(window, mean, std), (24,))[:, seen:]
            else:
                # A tubelet of two frames, four patches of 4 x 4: the last axes are channel, frame, row and column.
                normal = ((window - mean) / std).reshape(1, 1, 3, 2, 2, 4, 2, 4)
                came = normal.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(1, 12, 32)[:, seen:]
        expected = (predicted - came).abs().mean().item()
        assert found.energies[number][start] == pytest.approx(expected, rel=1e-4)


def test_an_event_changes_the_windows_that_contain_it_and_no_other():
    possible = videos(12)[0]
    pixels = possible.observation["pixels"].copy()
    pixels[EVENT] = 255 - pixels[EVENT]
    odd = replace(possible, observation={"pixels": pixels})
    found = surprise(made(), from_episodes([possible, odd], VIDEOS))
    assert not np.allclose(*found.energies)
    holds = (found.last[0] >= EVENT) & (found.last[0] - 5 <= EVENT)
    assert (np.abs(found.energies[0] - found.energies[1]) > 1e-4)[holds].all()
    np.testing.assert_allclose(found.energies[0][~holds], found.energies[1][~holds], rtol=1e-5)


def test_energies_are_found_by_the_step_at_which_a_window_ends():
    energies = (np.array([3.0, 5.0, 1.0]), np.array([]), np.array([2.0]))
    last = (np.array([5, 6, 7]), np.array([], np.int64), np.array([5]))
    found = Surprise(energies, last, 0.75)
    np.testing.assert_array_equal(found.at(5), [3, np.nan, 2])
    np.testing.assert_array_equal(found.at([6, 5, 6]), [5, np.nan, np.nan])
    np.testing.assert_array_equal(found.at(4), [np.nan] * 3)
    np.testing.assert_array_equal(found.mean, [3, np.nan, 2])
    np.testing.assert_array_equal(found.largest, [5, np.nan, 2])


def test_windows_are_as_far_apart_as_asked_in_each_episode():
    episodes = from_episodes(videos(9, 8), VIDEOS)
    every, some = (surprise(made(), episodes, stride=stride) for stride in (1, 3))
    np.testing.assert_array_equal(some.last[0], [5, 8])
    np.testing.assert_array_equal(some.last[1], [5])
    for episode in range(2):
        np.testing.assert_allclose(some.energies[episode], every.energies[episode][::3], rtol=1e-5)


def test_signals_have_a_future_too():
    rng = np.random.default_rng(0)
    beats = [
        Episode({"ecg": rng.normal(size=(28, 2)).astype(np.float32)}, np.zeros((6, 0), np.float32)) for _ in range(2)
    ]
    episodes = from_episodes(beats, SERIES)
    found = surprise(made(SERIES, frames=2, patch=2), episodes, share=0.5)
    np.testing.assert_array_equal(found.last, [[2, 3, 4, 5, 6]] * 2)  # the first step has no samples behind it
    assert np.isfinite(found.mean).all()


@pytest.mark.parametrize("ties", [False, True])
def test_pairs_and_auroc_agree_with_scipy(ties):
    rng = np.random.default_rng(1)
    possible, impossible = rng.normal(size=60), rng.normal(0.8, 1.0, size=60)
    if ties:
        possible, impossible = possible.round(), impossible.round()
    found = detection(possible, impossible)
    statistic = scipy.stats.mannwhitneyu(impossible, possible).statistic
    assert found.auroc.mean == pytest.approx(statistic / 60**2)
    assert found.auroc.low < found.auroc.mean < found.auroc.high
    assert found.paired == wilson(int((impossible > possible).sum()), 60)
    # Of 60 pairs an AUROC has a standard error of about 0.05 (Hanley and McNeil, 1982).
    assert 0.1 < found.auroc.high - found.auroc.low < 0.3


def test_detection_of_known_pairs():
    values = np.arange(20.0)
    assert detection(values, values + 100).auroc.mean == detection(values, values + 100).paired.rate == 1.0
    assert detection(values, values - 100).auroc.mean == detection(values, values - 100).paired.rate == 0.0
    # Each video is a little more surprising than its own twin: pairs tell, the whole hardly does.
    close = detection(values, values + 1e-6)
    assert close.paired.rate == 1.0
    assert close.auroc.mean == pytest.approx(0.525)
    same = detection(values, values)
    assert (same.paired.rate, same.auroc.mean) == (0.0, 0.5)


def test_impossible_measurements_raise():
    episodes = from_episodes(videos(8), VIDEOS)
    with pytest.raises(ConfigError, match="videos or signals"):
        surprise(made(frames=1), episodes)
    with pytest.raises(ConfigError, match="0 < share < 1"):
        surprise(made(), episodes, share=1.0)
    with pytest.raises(ConfigError, match="stride"):
        surprise(made(), episodes, stride=0)
    with pytest.raises(DataError, match="clips of 6"):
        surprise(made(), from_episodes(videos(5), VIDEOS))
    broken = made()
    with torch.no_grad():
        broken.predictor.mask.fill_(torch.nan)
    with pytest.raises(DataError, match="episode 0 that ends at step 5"):
        surprise(broken, episodes)
    with pytest.raises(ConfigError, match="one shape"):
        detection(np.zeros(3), np.zeros(4))
    with pytest.raises(ConfigError, match="finite"):
        detection(np.array([np.nan]), np.zeros(1))
