"""Probes neither choose nor score on other pieces of a recording that they are fitted on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tacit as tc
from probing.exact import Exact, recordings
from tacit.data import Episodes, from_episodes
from tacit.errors import DataError
from tacit.models import WorldModel
from tacit.probing.few_labels import draw_labels
from tacit.probing.probes import Linear
from tacit.probing.probes._probe import validation_split


@pytest.fixture(scope="module")
def pieces() -> Episodes:
    """Thirty episodes, three of each recording."""
    made = recordings(30, length=5)
    return from_episodes(
        [replace(episode, group=f"file {index // 3}") for index, episode in enumerate(made)], made.spec
    )


def test_features_are_split_like_their_episodes(pieces, tmp_path):
    first, second = pieces.split(0.7, seed=3)
    stored = tc.embeddings.embed(Exact(), pieces, tmp_path / "latents").features
    assert stored.groups == pieces.groups
    for features in (tc.probing.features(Exact(), pieces), stored):
        fit, test = features.split(0.7, seed=3)
        numbers = [{pieces.groups[number] for number in part.episode} for part in (fit, test)]
        assert numbers == [set(first.groups), set(second.groups)] and not numbers[0] & numbers[1]
        whole = features.select(np.arange(len(features)))
        assert np.unique(whole.without(fit).episode).tolist() == np.unique(test.episode).tolist()


def test_settings_are_chosen_on_other_recordings(pieces):
    features = tc.probing.features(Exact(), pieces)
    for seed in range(5):
        held = validation_split(features.units, seed)
        chosen, fitted = ({pieces.groups[n] for n in features.episode[rows]} for rows in (held, ~held))
        assert len(chosen) == 2 and not chosen & fitted
    one = features.select(np.isin(features.episode, (0, 1, 2)))
    with pytest.raises(DataError, match="not pieces of one recording; got 1"):
        Linear()(one, features.without(one), "position")


def test_other_pieces_of_fitted_recordings_raise(pieces):
    fit, test = pieces.select(range(0, 13)), pieces.select(range(13, 30))
    with pytest.raises(DataError, match="2 of 17 test episodes are also fitted on, or pieces of a recording that is"):
        tc.probing.probe(Exact(), fit_on=fit, test_on=test)
    with pytest.raises(DataError, match=r"2 of 17 episodes of 'test' .* pieces of a recording"):
        Linear()(tc.probing.features(Exact(), fit), tc.probing.features(Exact(), test), "position")


def test_intervals_and_few_labels_count_recordings(pieces):
    fit, test = (tc.probing.features(Exact(), part) for part in pieces.split(0.7, seed=3))
    assert Linear()(fit, test, "position").estimate.n == 3
    classes = {"class": np.arange(len(fit)) % 2}
    rows, others = draw_labels(classes["class"], fit.units, 1, 1, seed=0)
    groups = [pieces.split(0.7, seed=3)[0].groups[fit.episode[row]] for row in (*rows, *others)]
    assert len(set(groups)) == len(groups)


def test_rows_without_groups_are_independent_by_episode():
    plain = tc.probing.Features(torch.zeros(4, 2), {}, np.array([3, 3, 5, 9]))
    assert plain.units.tolist() == [3, 3, 5, 9]


def test_imagination_is_averaged_over_recordings(pieces):
    model = WorldModel.for_spec(pieces.spec, latent=4, encoders={"vector": "identity"})
    assert tc.evaluation.open_loop(model, pieces, horizon=1).error[0].n == 10
