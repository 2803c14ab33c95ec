"""Encoder and head trained together on labels."""

import numpy as np
import pytest

import tacit as tc

SPEC = tc.Spec({"pixels": tc.Modality("pixels", (1, 16, 16))})


def images(count, seed, length=1):
    """Return noise whose class is the width of its stripes."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        pixels = rng.integers(0, 80, (length, 1, 16, 16), dtype=np.uint8)
        pixels[..., np.arange(16) // (number % 4 + 1) % 2 == 0] += 120
        labels = {"class": np.full(length, number % 4)}
        found.append(tc.Episode({"pixels": pixels}, np.empty((length - 1, 0), np.float32), labels=labels))
    return tc.data.from_episodes(found, SPEC)


def model():
    return tc.models.MaskedModel.for_spec(SPEC, "nano", patch=4, width=24, depth=2, heads=2, seed=0)


def test_it_learns_classes_that_an_untrained_one_does_not_know():
    train, held_out = images(64, seed=1), images(40, seed=2)
    classifier = tc.probing.Classifier(model(), train, batch=16, lr=3e-3)
    before = classifier.score(held_out)
    first = classifier.loss(0).item()
    classifier.learn(range(80), 80)
    assert classifier.loss(0).item() < 0.3 * first
    assert before.rate <= 0.6
    assert classifier.score(held_out).rate == 1.0
    assert classifier.model.target_encoder is None


def test_the_same_seed_gives_the_same_training_in_parts():
    train = images(16, seed=1)
    whole, parts = (tc.probing.Classifier(model(), train, batch=8) for _ in range(2))
    whole.learn(range(4), 4)
    parts.learn(range(3), 4)
    parts.learn(range(3, 4), 4)
    assert whole.loss(9).item() == parts.loss(9).item()


def test_episodes_of_several_images_are_refused():
    with pytest.raises(tc.errors.ConfigError, match="one image; got up to 3"):
        tc.probing.Classifier(model(), images(4, 0, length=3))


def test_an_unknown_label_is_refused():
    with pytest.raises(tc.errors.ConfigError, match=r"no label 'clas'\. Did you mean 'class'"):
        tc.probing.Classifier(model(), images(4, 0), "clas")
