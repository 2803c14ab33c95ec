"""Videos that are stored as folders of frames can be read as videos."""

import numpy as np
from PIL import Image

import tacit as tc

FRAMES = 12


def test_a_folder_of_frames_is_an_episode_in_the_order_of_its_numbers(tmp_path):
    for name in ("bear", "camel"):
        (tmp_path / name).mkdir()
        for number in range(FRAMES):
            image = Image.fromarray(np.full((24, 32, 3), 10 * number, np.uint8))
            image.save(tmp_path / name / f"frame_{number}.png")
    episodes = tc.data.open(tmp_path, reader="videos", fps=10.0)
    assert episodes.lengths.tolist() == [FRAMES, FRAMES]
    for episode in episodes:
        assert episode.observation["pixels"][:, 0, 0, 0].tolist() == [10 * number for number in range(FRAMES)]
