"""Probes against scikit-learn (tests/golden/probes.npz, version 1.9.1), plain loops and known answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.errors import ConfigError, DataError
from tacit.probing import Features, compare, constant_baseline, features, probes
from tacit.probing.few_labels import draw_labels
from tacit.probing.probes import FewEpisodesWarning, _heads
from tacit.probing.probes._lbfgs import minimise
from tacit.probing.probes._probe import class_indices, selection_loss
from tacit.probing.probes.dense import per_token
from tacit.probing.probes.linear import Linear, ridge
from tacit.statistics import wilson
from tacit.types import Box, Episode, Modality, Spec

LINEAR, DENSE = probes.Linear(), probes.Dense()
GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "probes.npz")


def golden():
    return [
        Features(GOLDEN["x"][rows], {"class": GOLDEN["y"][rows], "number": GOLDEN["q"][rows]})
        for rows in (slice(0, 100), slice(100, 150))
    ]


def blobs(count=600, classes=3, size=8, apart=1.0, seed=0, per_episode=1):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, size))
    label = rng.integers(0, classes, count)
    values = apart * centres[label] + rng.normal(size=(count, size))
    return Features(
        values.astype(np.float32),
        {"class": label, "noise": rng.integers(0, classes, count), "number": values[:, :2].copy()},
        np.arange(count) // per_episode,
    )


def test_logistic_regressions_of_one_pass_have_the_coefficients_of_scikit_learn():
    x = torch.from_numpy(GOLDEN["x"][:100])
    x = (x - x.mean(0)) / x.std(0, correction=0)
    y, l2 = torch.from_numpy(GOLDEN["y"][:100]), torch.from_numpy(GOLDEN["l2"])
    probe = Linear(steps=1000, tolerance=1e-10)
    together = probe._logistic(x, y, l2, x.new_zeros(3, 6, 3))
    for index in range(3):
        coefficients, bias = together[index, :-1].T, together[index, -1] - together[index, -1].mean()
        np.testing.assert_allclose(coefficients, GOLDEN[f"coef_{index}"], atol=1e-6)
        np.testing.assert_allclose(bias, GOLDEN[f"intercept_{index}"], atol=1e-6)
        alone = probe._logistic(x, y, l2[index, None], x.new_zeros(1, 6, 3))
        torch.testing.assert_close(alone[0], together[index], atol=1e-7, rtol=0)


@pytest.mark.parametrize("index", range(3))
def test_the_linear_probe_predicts_classes_as_scikit_learn(index):
    fit, test = golden()
    reading = probes.Linear(l2=(float(GOLDEN["l2"][index]),))(fit, test, "class")
    np.testing.assert_array_equal(reading.predicted, GOLDEN[f"classes_{index}"])
    right = int((GOLDEN[f"classes_{index}"] == GOLDEN["y"][100:]).sum())
    assert reading.accuracy == wilson(right, 50)
    assert reading.score == pytest.approx(right / 50)


def test_the_linear_probe_predicts_quantities_as_scikit_learn():
    fit, test = golden()
    reading = probes.Linear(l2=(0.1,))(fit, test, "number")
    np.testing.assert_allclose(reading.predicted, GOLDEN["ridge"], atol=1e-9)
    error = ((GOLDEN["ridge"] - GOLDEN["q"][100:]) ** 2).sum(0)
    spread = ((GOLDEN["q"][100:] - GOLDEN["q"][100:].mean(0)) ** 2).sum(0)
    assert reading.r2_components == pytest.approx(tuple(1 - error / spread))
    assert reading.r2 == reading.score == pytest.approx((1 - error / spread).mean())
    assert reading.mse == pytest.approx(error.sum() / 100)


def test_the_score_of_a_quantity_does_not_depend_on_units():
    fit, test = golden()
    units = np.logspace(0, 4, GOLDEN["q"].shape[1])
    scaled = [replace(part, targets={"number": part.targets["number"] * units}) for part in (fit, test)]
    same, other = probes.Linear(l2=(0.1,))(fit, test, "number"), probes.Linear(l2=(0.1,))(*scaled, "number")
    assert other.r2 == pytest.approx(same.r2)
    assert other.estimate.low == pytest.approx(same.estimate.low)


def test_an_interval_over_few_episodes_is_a_warning():
    fit, test = golden()
    few = replace(test, episode=np.arange(len(test)) % 5 + 1000)
    with pytest.warns(FewEpisodesWarning, match="over 5 episodes"):
        probes.Linear(l2=(0.1,))(fit, few, "number")


@pytest.mark.parametrize("target", ["class", "number"])
def test_flat_tokens_keep_their_places_and_their_mean_does_not(target):
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(500, 4, 3)).astype(np.float32)
    quantity = tokens[:, 2, 1] - tokens[:, 0, 1]  # in places alone: the mean does not have it
    targets = {"number": quantity, "class": (quantity > 0).astype(np.int64)}
    parts = [Features(tokens, targets).select(np.arange(500) // 400 == part) for part in (0, 1)]
    flat = probes.Linear(pool="flat")(*parts, target)
    assert flat.score > 0.95
    assert probes.Linear()(*parts, target).score < (0.65 if target == "class" else 0.1)
    plain = [replace(part, values=tokens.reshape(500, 12)[part.episode]) for part in parts]
    np.testing.assert_allclose(flat.predicted, probes.Linear()(*plain, target).predicted, atol=1e-12)
    with pytest.raises(ConfigError, match="pool is mean or flat; got 'max'"):
        probes.Linear(pool="max")


@pytest.mark.parametrize("rows", [40, 12])
def test_ridge_solves_the_normal_equations_with_more_rows_and_with_more_columns(rows):
    rng = np.random.default_rng(0)
    x, y, alphas = rng.normal(size=(rows, 20)) + 3, rng.normal(size=(rows, 2)), np.array([1e-3, 0.1, 10.0])
    centred, goals = x - x.mean(0), y - y.mean(0)
    for alpha, found in zip(alphas, ridge(x, y, alphas), strict=True):
        expected = np.linalg.solve(centred.T @ centred / rows + alpha * np.eye(20), centred.T @ goals / rows)
        np.testing.assert_allclose(found.weight, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found(x), centred @ expected + y.mean(0), rtol=1e-9)


def test_nearest_neighbours_vote_as_in_scikit_learn_and_in_a_plain_loop():
    fit, test = golden()
    reading = probes.KNN(k=(9,), temperatures=(0.07,))(fit, test, "class")
    np.testing.assert_array_equal(reading.predicted, GOLDEN["knn"])
    numbers = probes.KNN(k=(4,), temperatures=(0.2,))(fit, test, "number")
    bank = GOLDEN["x"][:100] / np.linalg.norm(GOLDEN["x"][:100], axis=1, keepdims=True)
    for row in range(50):
        cosine = bank @ GOLDEN["x"][100 + row] / np.linalg.norm(GOLDEN["x"][100 + row])
        near = np.argsort(-cosine)[:4]
        weights = np.exp(cosine[near] / 0.2)
        expected = weights @ GOLDEN["q"][near] / weights.sum()
        np.testing.assert_allclose(numbers.predicted[row], expected, rtol=2e-5, atol=1e-5)


def test_settings_are_those_with_the_best_score_on_validation_rows():
    fit, other, test = blobs(60, apart=0.4, seed=1), blobs(300, apart=0.4, seed=2), blobs(50, apart=0.4, seed=3)
    choices = (1e-4, 1e-1, 10.0)
    alone = [probes.Linear(l2=(l2,))(fit, other, "class").score for l2 in choices]
    reading = probes.Linear(l2=choices)(fit, test, "class", validation=other)
    assert len(set(alone)) == 3
    assert reading.settings == {"l2": choices[int(np.argmax(alone))]}
    single = probes.Linear(l2=(reading.settings["l2"],))(fit, test, "class")
    np.testing.assert_array_equal(reading.predicted, single.predicted)
    votes = [probes.KNN(k=(k,))(fit, other, "class").score for k in (1, 30)]
    assert votes[0] != votes[1]
    assert probes.KNN(k=(1, 30))(fit, test, "class", validation=other).settings["k"] == (1, 30)[int(np.argmax(votes))]


def test_afterwards_the_chosen_penalty_is_used_on_every_row():
    fit, test = blobs(50, apart=0.3, seed=1), blobs(200, apart=0.3, seed=2)
    for target in ("class", "number"):
        reading = probes.Linear()(fit, test, target)
        again = probes.Linear(l2=(reading.settings["l2"],))(fit, test, target)
        np.testing.assert_allclose(reading.predicted, again.predicted, atol=1e-3)


def test_the_selection_loss_counts_errors_before_cross_entropy():
    y = torch.tensor([0, 1, 1])
    wrong_but_sure = torch.tensor([[[9.0, 0.0], [0.0, 9.0], [1.0, 0.0]]])
    right_but_unsure = torch.tensor([[[0.1, 0.0], [0.0, 0.1], [0.0, 0.1]]])
    surer = 2 * right_but_unsure
    scores = selection_loss(torch.cat([wrong_but_sure, right_but_unsure, surer, surer * torch.nan]), y)
    assert scores[2] < scores[1] < 1 < scores[0] < 2
    assert scores[3] == torch.inf
    assert selection_loss(surer, torch.tensor([0, 1, -1]))[0] > 1


@pytest.mark.parametrize("name", ["linear", "knn", "mlp", "attentive"])
def test_random_labels_are_predicted_at_chance(name, monkeypatch):
    monkeypatch.setattr(_heads, "LEAST", 100)
    fast = {"attentive": {"lrs": (1e-3,), "weight_decays": (0.01,)}, "mlp": {"lrs": (3e-3,), "width": 16}}.get(name, {})
    reading = probes.load(name)(**fast)(blobs(300, seed=1), blobs(600, seed=2), "noise")
    assert abs(reading.score - 1 / 3) < 0.08
    assert abs(np.mean(reading.recall) - 1 / 3) < 0.08


@pytest.mark.parametrize("name", ["linear", "knn", "mlp", "attentive"])
def test_held_out_rows_are_used_for_scoring_alone(name, monkeypatch):
    monkeypatch.setattr(_heads, "LEAST", 60)
    fast = {"attentive": {"lrs": (1e-3,), "weight_decays": (0.01,)}, "mlp": {"lrs": (3e-3,), "width": 16}}.get(name, {})
    probe, fit, test = probes.load(name)(**fast), blobs(90, seed=1), blobs(40, seed=2)
    whole = probe(fit, test, "class")
    part = probe(fit, test.select(np.arange(5)), "class")
    np.testing.assert_array_equal(whole.predicted[:5], part.predicted)
    loud = Features(100 * test.values + 50, test.targets)
    both = Features(torch.cat([test.values, loud.values]), {"class": np.tile(test.targets["class"][::-1], 2)})
    np.testing.assert_array_equal(probe(fit, both, "class").predicted[:40], whole.predicted)


def test_the_mlp_predicts_products_and_the_linear_probe_does_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(700, 2)).astype(np.float32)
    targets = {"class": (x[:, 0] * x[:, 1] > 0).astype(int), "number": x[:, :1] * x[:, 1:]}
    fit, test = Features(x, targets).select(np.arange(500)), Features(x, targets).select(np.arange(500, 700))
    assert probes.Linear()(fit, test, "class").score < 0.65 < 0.9 < probes.MLP(width=32)(fit, test, "class").score
    assert probes.Linear()(fit, test, "number").r2 < 0.2 < 0.9 < probes.MLP(width=32)(fit, test, "number").r2


def test_a_probe_is_a_function_of_its_seed_and_leaves_the_global_one_alone(monkeypatch):
    monkeypatch.setattr(_heads, "LEAST", 60)
    fit, test = blobs(60, apart=0.3, seed=1), blobs(200, apart=0.3, seed=2)
    torch.manual_seed(0)
    mlp = probes.MLP(lrs=(3e-3,), width=16)
    first = mlp(fit, test, "class", seed=3)
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1))
    again, other = (mlp(fit, test, "class", seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(first.predicted, again.predicted)
    assert (first.predicted != other.predicted).any()


def test_a_class_that_was_not_fitted_on_counts_as_wrong_and_truth_values_are_classes():
    fit, test = blobs(90, apart=5.0, seed=1), blobs(60, apart=5.0, seed=2)
    few = fit.select(fit.targets["class"] != 2)
    reading = probes.Linear()(few, test, "class")
    assert reading.classes == (0, 1)
    assert reading.accuracy.rate == pytest.approx((test.targets["class"] != 2).mean())
    assert class_indices(np.array([[3], [9], [4], [1]]), np.array([1, 3, 4])).tolist() == [1, -1, 2, 0]
    same = Features(fit.values, {"class": fit.targets["class"] == 1})
    truth = Features(test.values, {"class": test.targets["class"] == 1})
    assert probes.Linear()(same, truth, "class").score > 0.95


def test_intervals_are_over_episodes_because_their_rows_are_not_independent():
    fit, test = blobs(200, apart=0.5, seed=1), blobs(200, apart=0.5, seed=2)
    once = probes.Linear(l2=(0.1,))(fit, test, "class")
    copied = Features(
        test.values.repeat(9, 1), {"class": np.tile(test.targets["class"], 9)}, np.tile(np.arange(200), 9)
    )
    many = probes.Linear(l2=(0.1,))(fit, copied, "class")
    assert once.score == pytest.approx(many.score)
    assert many.estimate.n == 200 < many.accuracy.n == 1800
    width = once.accuracy.high - once.accuracy.low
    assert many.estimate.high - many.estimate.low == pytest.approx(width, rel=0.15)
    assert many.accuracy.high - many.accuracy.low < width / 2
    assert str(once) == str(once.accuracy)
    assert "200 episodes" in str(many)


def test_a_feature_nearly_constant_in_fitted_rows_does_not_dominate():
    rng = np.random.default_rng(0)
    values = torch.from_numpy(rng.normal(size=(600, 3)))
    truth = (values @ torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)).numpy()
    truth += rng.normal(size=600)
    values[:, 2] *= 10.0  # in other units
    rare = torch.zeros(600, 1, dtype=torch.float64)
    rare[7], rare[450] = 1e-3, 1.0  # a pixel at the edge of the image, lit by a hair in one fitted row
    whole = torch.cat([values, rare], dim=1)
    fit, test = (Features(whole[some], {"number": truth[some]}) for some in (slice(400), slice(400, None)))
    bare = [Features(values[some], {"number": truth[some]}) for some in (slice(400), slice(400, None))]
    readings = probes.Linear()(fit, test, "number"), probes.Linear()(*bare, "number")
    np.testing.assert_allclose(readings[0].predicted, readings[1].predicted, atol=0.3)


def test_the_constant_probe_predicts_the_most_frequent_class_or_the_mean():
    fit = Features(torch.zeros(4, 2), {"class": np.array([5, 5, 7, 5]), "number": np.array([1.0, 2.0, 3.0, 6.0])})
    test = Features(torch.zeros(2, 2), {"class": np.array([5, 7]), "number": np.array([1.0, 5.0])})
    reading = probes.Constant()(fit, test, "class")
    assert reading.predicted.tolist() == [5, 5]
    assert probes.Constant()(fit, test, "number").predicted.tolist() == [[3.0], [3.0]]
    assert reading.recall == (1.0, 0.0)


def test_few_labels_are_balanced_and_no_episode_is_drawn_twice():
    rng = np.random.default_rng(0)
    classes, episode = rng.integers(0, 4, 480), np.arange(480) // 8
    rows, others = draw_labels(classes, episode, 3, 5, seed=1)
    assert np.bincount(classes[rows]).tolist() == [3] * 4
    assert np.bincount(classes[others]).tolist() == [5] * 4
    assert len(np.unique(episode[np.concatenate([rows, others])])) == 32
    again, fresh = draw_labels(classes, episode, 3, 5, seed=1), draw_labels(classes, episode, 3, 5, seed=2)
    np.testing.assert_array_equal(again[0], rows)
    assert not np.array_equal(fresh[0], rows)
    with pytest.raises(DataError, match="need 400 episodes of each class"):
        draw_labels(classes, episode, 200, 200, seed=0)


def test_more_labels_score_better_and_a_single_setting_needs_no_validation():
    fit, test = blobs(300, apart=0.7, seed=1), blobs(300, apart=0.7, seed=2)
    sources = {"model": (fit, test)}
    results = compare(sources, "class", shots=(1, 20), draws=4).few_labels["model"]
    assert [one.shots for one in results] == [one.validation_shots for one in results] == [1, 20]
    assert results[0].accuracy.mean + 0.1 < results[1].accuracy.mean
    assert results[1].accuracy.mean == pytest.approx(np.mean(results[1].draws))
    assert len(set(results[0].draws)) > 1
    (single,) = compare(sources, "class", probes.Linear(l2=(0.1,)), shots=(2,), draws=2).few_labels["model"]
    assert single.validation_shots == 0 and single.rows_test == 300
    with pytest.raises(DataError, match="is a quantity"):
        compare(sources, "number", shots=(1,))


def test_only_the_few_labels_are_fitted(monkeypatch):
    counts = []
    kept = Linear.fit_predict

    def fit_predict(self, task):
        counts.append((len(task.fit.x), len(task.validation.x), len(task.whole.x)))
        return kept(self, task)

    monkeypatch.setattr(Linear, "fit_predict", fit_predict)
    sources = {"model": (blobs(300, seed=1), blobs(30, seed=2))}
    compare(sources, "class", probes.Linear(), shots=(2,), draws=1)
    compare(sources, "class", probes.Linear(l2=(0.1,)), shots=(2,), draws=1)
    assert counts[0] == (6, 6, 6) and counts[2] == (6, 0, 6)


def test_a_map_becomes_the_most_frequent_class_of_each_cell():
    maps = np.array([[[1, 1, 2, 2], [1, 3, 2, -1], [-1, -1, 4, 4], [-1, -1, 5, 5]]])
    assert per_token(maps, 4).tolist() == [[1, 2, -1, 4]]
    assert per_token(maps, 8, (4, 2)).tolist() == [[1, 2, 1, 2, -1, 4, -1, 5]]
    assert per_token(maps.astype(np.float32), 4).tolist() == [[1.5, 1.25, -1.0, 4.5]]
    tokens = np.zeros((2, 9, 2), np.float32)
    assert per_token(tokens, 9) is tokens
    several = np.zeros((3, 16, 4), np.float32)  # four quantities of each of 4 x 4 tokens, and no map
    assert per_token(several, 16) is several
    assert per_token(np.zeros((3, 16, 16), np.float32), 16).shape == (3, 16)
    assert per_token(np.arange(20)[None, None], 20, (1, 20), (1.0, 0.95)).tolist() == [list(range(20))]
    striped = np.tile(np.arange(10) // 3, (1, 10, 1))  # the last column of pixels belongs to no patch of 3
    assert per_token(striped, 9, (3, 3), (0.9, 0.9)).tolist() == [[0, 1, 2] * 3]
    assert per_token(np.zeros((2, 64, 64), np.float32), 64).shape == (2, 64)
    with pytest.raises(ConfigError, match="form no grid"):
        per_token(maps, 5)
    with pytest.raises(DataError, match="at least 8 x 8"):
        per_token(maps, 64)


def scenes(count, seed):
    """Images of 4 x 4 tokens: those of a square in it carry one sign, the others the other."""
    rng = np.random.default_rng(seed)
    maps = np.zeros((count, 8, 8), np.int64)
    for image, (y, x) in zip(maps, rng.integers(0, 3, (count, 2)) * 2, strict=True):
        image[y : y + 4, x : x + 4] = 1
    label = per_token(maps, 16)
    values = rng.normal(size=(count, 16, 6))
    values[..., 0] += 8 * label - 4
    depth = values[..., 1] * 2 + 1
    maps[:, 7, 7] = -1
    return Features(values.astype(np.float32), {"map": maps, "depth": depth})


def test_the_dense_probe_predicts_every_token():
    fit, test = scenes(40, 0), scenes(30, 1)
    reading = probes.Dense()(fit, test, "map")
    assert reading.rows_test == 30 * 16 and reading.estimate.n == 30
    assert reading.mean_iou > 0.98 and reading.score > 0.99
    assert probes.Dense()(fit, test, "depth").r2 > 0.999
    baseline = constant_baseline(probes.Dense())(fit, test, "map")
    assert baseline.mean_iou == pytest.approx(baseline.score / 2)
    assert probes.Dense(tokens=160)(fit, test, "map").rows_fit == 160
    with pytest.raises(DataError, match="tokens=True"):
        probes.Dense()(blobs(), blobs(seed=1), "class")


def test_a_map_of_a_video_is_predicted_from_the_tokens_of_its_last_frames():
    """Where earlier tokens carry the sign of another image, only those at the end have the map."""
    videos = []
    for count, seed in ((40, 0), (30, 1)):
        last, before = scenes(count, seed), scenes(count, seed + 10)
        videos.append(Features(torch.cat([before.values, last.values], 1), last.targets, grid=(2, 4, 4)))
    reading = probes.Dense()(*videos, "map")
    assert reading.rows_test == 30 * 16 and reading.mean_iou > 0.98
    with pytest.raises(ConfigError, match="2 x 4 x 4"):
        per_token(videos[0].target("map"), 32, (2, 4, 4))


def test_intersection_over_union_of_a_known_map():
    values = torch.tensor([[[-1.0], [-1.0], [1.0], [1.0]]]).repeat(6, 1, 1)
    fit = Features(values, {"map": np.tile([0, 0, 1, 1], (6, 1))})
    test = Features(values[:1], {"map": np.array([[0, 1, 1, 1]])})
    reading = probes.Dense(reader=probes.Linear(l2=(0.01,)))(fit, test, "map")
    assert reading.iou == (1 / 2, 2 / 3)
    assert reading.mean_iou == pytest.approx(7 / 12)
    assert reading.accuracy == wilson(3, 4)


def test_probes_accept_suitable_targets():
    targets = {
        "class": np.zeros(3, int),
        "truth": np.zeros((3, 1), bool),
        "position": np.zeros((3, 2)),
        "map": np.zeros((3, 4, 4), int),
        "depth": np.zeros((3, 4, 4)),
        "tokens": np.zeros((3, 16), int),
        "name": np.full(3, "cat"),
    }
    suit = {probe: {name for name, target in targets.items() if probe.suits(target)} for probe in (LINEAR, DENSE)}
    assert suit[LINEAR] == {"class", "truth", "position"}
    assert suit[DENSE] == {"map", "depth", "tokens"}


def test_unsuitable_targets_raise_with_advice():
    fit, test = blobs(60, seed=1), blobs(30, seed=2)
    with pytest.raises(ConfigError, match="Did you mean 'class'"):
        probes.Linear()(fit, test, "clas")
    still = Features(fit.values, {"class": np.zeros(60, int)})
    with pytest.raises(DataError, match="does not vary over the fitted rows"):
        probes.Linear()(still, test, "class")
    with pytest.raises(DataError, match="probe 'dense'"):
        probes.Linear()(Features(fit.values, {"class": np.zeros((60, 4), int)}), test, "class")
    with pytest.raises(DataError, match="a class is a whole number"):
        probes.Linear()(Features(fit.values, {"class": np.full(60, "cat")}), test, "class")
    with pytest.raises(DataError, match="two episodes"):
        probes.Linear()(Features(fit.values, fit.targets, np.zeros(60, np.int64)), test, "class")
    with pytest.raises(DataError, match="one entry for each"):
        Features(fit.values, {"class": np.zeros(3, int)})
    with pytest.raises(ConfigError, match="at least 1"):
        probes.KNN(k=())
    with pytest.raises(ConfigError, match="learning rates"):
        probes.MLP(lrs=())
    with pytest.raises(ConfigError, match="Did you mean 'linear'"):
        probes.load("linaer")
    assert set(probes.names()) >= {"attentive", "constant", "dense", "knn", "linear", "mlp"}


def test_converged_problems_are_not_evaluated_again():
    scales = torch.tensor([1.0, 30.0, 1000.0], dtype=torch.float64)
    asked = []

    def objective(point, which):
        asked.append(len(which))
        weight = torch.stack([torch.ones_like(scales[which]), scales[which]], dim=1)
        return ((point - 2) ** 2 * weight).sum(1), 2 * (point - 2) * weight

    found = minimise(objective, torch.zeros(3, 2, dtype=torch.float64), steps=200, tolerance=1e-8)
    torch.testing.assert_close(found, torch.full_like(found, 2.0), atol=1e-8, rtol=0)
    assert asked[0] == 3 and min(asked) == 1


def test_the_grid_of_tokens_is_that_of_the_encoder():
    wide = Spec({"pixels": Modality("pixels", (3, 16, 64))}, Box((), ()))
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 64), dtype=np.uint8)
    episodes = tc.data.from_episodes([Episode({"pixels": frames}, np.zeros((1, 0), np.float32))], wide)
    pyramid = tc.models.MotionContent.for_spec(
        wide, widths=(8, 12, 16), depths=(1, 1, 1), kernel=3, expander=(8,), embedding=4
    )
    masked = tc.models.MaskedModel.for_spec(wide, width=24, depth=1, heads=2, patch=8, frames=1)
    for model, grid in ((pyramid, pyramid.encoder.grid), (masked, (2, 8))):
        found = features(model.eval(), episodes, tokens=True)
        assert found.grid == grid and found.values.shape[1] == grid[0] * grid[1] and grid[1] == 4 * grid[0]
