"""A WFDB record in several segments, in one folder with the headers of its segments, is one recording."""

import numpy as np

import tacit as tc

SAMPLES = 1000


def test_the_samples_of_all_segments_are_read(tmp_path):
    rng, right = np.random.default_rng(0), []
    for name in ("part1", "part2"):
        samples = rng.integers(-1000, 1000, (SAMPLES, 2)).astype("<i2")
        (tmp_path / f"{name}.dat").write_bytes(samples.tobytes())
        right.append(samples / 200)
        sums = [int(np.int64(samples[:, place].sum()).astype(np.int16)) for place in range(2)]
        lines = [f"{name} 2 250 {SAMPLES}"]
        for place, lead in enumerate(("II", "V1")):
            lines.append(f"{name}.dat 16 200(0)/mV 16 0 {samples[0, place]} {sums[place]} 0 {lead}")
        (tmp_path / f"{name}.hea").write_text("\n".join(lines) + "\n")
    (tmp_path / "whole.hea").write_text(f"whole/2 2 250 {2 * SAMPLES}\npart1 {SAMPLES}\npart2 {SAMPLES}\n")
    (episode,) = tc.data.open(tmp_path)
    np.testing.assert_allclose(episode.observation["signal"], np.concatenate(right), rtol=1e-6)
