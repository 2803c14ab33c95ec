"""Derived seeds: values that data on disk and exact resume depend on."""

import numpy as np

from tacit._seeds import SCORES, CounterStream, TrainingStream, counter_rng, derive_seed, draw_seeds


def test_derived_seeds_have_their_recorded_values() -> None:
    assert derive_seed(3, 7) == 2580024465
    assert derive_seed(3, SCORES, 7) == 3790309359
    assert derive_seed(3, TrainingStream.MODEL, 7, 0, bits=63) == 2219947408961387175
    assert derive_seed(3, 7, bits=64) == 9565533078676835473
    assert draw_seeds(3, 2) == [1576890651, 2902887791]


def test_counter_streams_have_their_recorded_values() -> None:
    assert counter_rng(3, CounterStream.CLIPS, 7).integers(0, 1000, 4).tolist() == [960, 72, 853, 626]
    assert counter_rng(3, CounterStream.MASKS, 2).integers(0, 1000, 4).tolist() == [765, 492, 419, 800]


def test_neighbouring_positions_of_a_stream_share_no_numbers() -> None:
    draws = [counter_rng(0, CounterStream.CLIPS, step).integers(0, 2**62, 500) for step in range(3)]
    assert len(np.unique(draws)) == 1500
