"""Images at another size: when a dataset is read, in the spec, and when a model acts on the recorded frames."""

from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tacit as tc
from cases.lerobot_layout import camera, vector, write_lerobot
from tacit._config import from_json, to_json
from tacit._resize import fitted, resized
from tacit.data.storage import combine
from tacit.errors import ConfigError, SpecError

STEPS, HEIGHT, WIDTH = 9, 96, 128
FRONT = "observation.images.front"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """Two episodes of a camera whose frames differ in every place."""
    root = tmp_path_factory.mktemp("size") / "set"
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (2, STEPS, HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    frames = coarse.repeat(8, axis=2).repeat(8, axis=3)
    features = {FRONT: camera("video", HEIGHT, WIDTH), "observation.state": vector(3), "action": vector(2)}
    episodes = [
        {
            FRONT: list(frames[number]),
            "observation.state": rng.normal(size=(STEPS, 3)),
            "action": rng.uniform(-1, 1, (STEPS, 2)),
        }
        for number in range(2)
    ]
    write_lerobot(root, features, episodes)
    return root


@pytest.mark.parametrize("name", ["lerobot", "hdf5", "png"])
@pytest.mark.parametrize("size", [32, (24, 40)])
def test_frames_are_cut_and_resized_as_images_are(recorded, tmp_path, name, size):
    path = recorded
    if name != "lerobot":
        path = tmp_path / "copy"
        form = "hdf5" if name == "hdf5" else tc.data.formats.LeRobot(lossless=True)
        tc.data.convert(recorded, path, form)
    wanted = (size, size) if isinstance(size, int) else size
    whole, small = tc.data.open(path), tc.data.open(path, size=size)
    modality = small.spec.modalities["front"]
    assert (modality.shape, modality.source) == ((3, *wanted), (HEIGHT, WIDTH))
    for number in range(2):
        frames = whole[number].observation["front"]
        images = [fitted(Image.fromarray(np.moveaxis(frame, 0, -1)), wanted) for frame in frames]
        expected = np.stack([np.moveaxis(np.asarray(image), -1, 0) for image in images])
        np.testing.assert_array_equal(small[number].observation["front"], expected)
        np.testing.assert_array_equal(small[number].observation["state"], whole[number].observation["state"])
    clip = small.clips(2).batch(0, 0, 3)
    first = small[int(clip.episode[0])].observation["front"][int(clip.start[0])]
    np.testing.assert_array_equal(clip.observation["front"][0, 0].numpy(), first)
    assert small.hash() != whole.hash()
    assert len({*small.digests(), *whole.digests()}) == 4
    assert tc.data.open(path, size=(HEIGHT, WIDTH)).spec == whole.spec


def test_a_model_sees_recorded_frames_as_it_was_trained_on_them(recorded):
    whole, small = tc.data.open(recorded), tc.data.open(recorded, size=32)
    model = tc.models.WorldModel.for_spec(small.spec).eval()
    raw, trained = ({n: v[:4] for n, v in episodes[0].observation.items()} for episodes in (whole, small))
    assert torch.equal(model.encode(raw), model.encode(trained))
    stacked = {name: torch.from_numpy(value)[None] for name, value in raw.items()}
    assert torch.equal(model.encode(stacked)[0], model.encode(trained))
    with pytest.raises(SpecError, match="uint8 frames of the recorded size, 96 x 128, are resized by the model"):
        model.encode({**raw, "front": raw["front"][..., :50]})
    with pytest.raises(SpecError, match="uint8"):
        model.encode({**raw, "front": raw["front"].astype(np.float32)})


@pytest.mark.parametrize("kind", ["JointEmbedding", "MaskedModel"])
def test_a_perception_model_does_too(recorded, kind):
    whole, small = tc.data.open(recorded), tc.data.open(recorded, size=32)
    model = getattr(tc.models, kind).for_spec(small.spec, modality="front").eval()
    raw, trained = ({"front": episodes[0].observation["front"][:2]} for episodes in (whole, small))
    with torch.no_grad():
        assert torch.equal(model.encode(raw), model.encode(trained))


def test_an_agent_acts_on_recorded_frames(recorded, tmp_path):
    whole, small = tc.data.open(recorded), tc.data.open(recorded, size=32)
    model = tc.models.WorldModel.for_spec(small.spec)
    planner = tc.planners.CEM(samples=8, iterations=1, elites=2)
    agent = tc.Agent(model, planner, tc.costs.Goal(), horizon=2, fallback="last_action")
    agent.save(tmp_path / "agent")
    for actor in (agent, tc.Agent.load(tmp_path / "agent")):
        actions = []
        for episodes in (whole, small):
            seen, goal = ({n: v[[t]] for n, v in episodes[0].observation.items()} for t in (0, -1))
            action, verdict, _ = actor.act(actor.start(seed=0, goal=goal), seen)
            assert verdict.ok
            actions.append(action)
        np.testing.assert_array_equal(*actions)


def test_a_converted_dataset_keeps_the_recorded_size(recorded, tmp_path):
    for name in ("lerobot", "hdf5"):
        tc.data.convert(recorded, tmp_path / name, name, size=32)
        converted = tc.data.open(tmp_path / name)
        assert converted.spec == tc.data.open(recorded, size=32).spec
        np.testing.assert_array_equal(
            converted[1].observation["front"], tc.data.open(recorded, size=32)[1].observation["front"]
        )


def test_options_go_with_episodes_to_other_processes(recorded):
    episodes = tc.data.open(recorded, size=32, skip="observation.state")
    with get_context("spawn").Pool(1) as pool:
        spec, digest = pool.apply(facts, (episodes,))
    assert spec == episodes.spec
    assert digest == episodes.hash()


def facts(episodes: tc.data.Episodes) -> tuple[tc.Spec, str]:
    return episodes.spec, episodes.hash()


@pytest.mark.parametrize("size", [0, -3, [4], [4, 0], [4, 4, 4], "small", 4.5])
def test_no_such_size(recorded, size):
    with pytest.raises(ConfigError, match="size"):
        tc.data.open(recorded, size=size)


def test_a_source_changes_no_hash_and_no_file_that_does_not_have_it():
    plain = tc.Modality("pixels", (3, 32, 32))
    spec = tc.Spec({"front": plain})
    assert to_json(spec)["modalities"]["front"] == {"kind": "pixels", "shape": [3, 32, 32], "rate": None}
    assert combine(spec, ["a"]) == "d07c5510dd432fb01bb4db225b92cb90c0f28ddfece08057c556e5492be8a02b"
    sourced = tc.Spec({"front": replace(plain, source=(480, 640))})
    assert from_json(tc.Spec, to_json(sourced)) == sourced
    assert combine(sourced, ["a"]) != combine(spec, ["a"])
    for wrong in ({"kind": "vector", "shape": (3,)}, {"kind": "pixels", "shape": (3, 4, 4)}):
        with pytest.raises(SpecError, match="source is"):
            tc.Modality(**wrong, source=(0, 4))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_each_channel_is_resized_alike(channels):
    frames = np.random.default_rng(0).integers(0, 255, (2, 3, channels, 20, 30), dtype=np.uint8)
    out = resized(frames, (8, 8))
    assert out.shape == (2, 3, channels, 8, 8)
    for channel in range(channels):
        image = fitted(Image.fromarray(frames[1, 2, channel]), (8, 8))
        np.testing.assert_array_equal(out[1, 2, channel], np.asarray(image))
