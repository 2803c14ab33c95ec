import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import tacit as tc
from data.recordings import SPEC, recordings
from tacit.data import batches
from tacit.errors import ConfigError, DataError, SpecError
from tacit.types import Modality, Spec


def counted(lengths: list[int], rate: float) -> tc.data.Episodes:
    """Episodes whose every number says where it belongs: 1000 * episode + row."""
    spec = Spec(
        {
            "pixels": Modality("pixels", (1, 1, 1)),
            "state": Modality("vector", (1,)),
            "beat": Modality("series", (1,), rate),
        },
        tc.Box((0.0,), (1e6,)),
    )

    def rows(index: int, count: int) -> np.ndarray:
        return (1000.0 * index + np.arange(count, dtype=np.float32))[:, None]

    episodes = []
    for index, length in enumerate(lengths):
        observation = {
            "pixels": np.full((length, 1, 1, 1), index, np.uint8),
            "state": rows(index, length),
            "beat": rows(index, spec.samples("beat", length)),
        }
        episodes.append(tc.Episode(observation, rows(index, length - 1)))
    return tc.data.from_episodes(episodes, spec)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 30), min_size=1, max_size=8),
    length=st.integers(1, 4),
    frameskip=st.integers(1, 4),
    rate=st.sampled_from([3.0, 10.0, 25.0, 33.3]),
    seed=st.integers(0, 2**40),
    step=st.integers(0, 2**40),
)
def test_a_clip_is_a_window_of_one_episode(lengths, length, frameskip, rate, seed, step):
    episodes = counted(lengths, rate)
    try:
        clips = episodes.clips(length, frameskip)
    except DataError:
        assert max(lengths) < (length - 1) * frameskip + 1 + frameskip
        return
    clip = clips.batch(seed, step, 7)
    first = 1000.0 * clip.episode[:, None]
    steps = clip.start[:, None] + torch.arange(length) * frameskip
    assert (clip.observation["pixels"][..., 0, 0, 0] == clip.episode[:, None]).all()
    torch.testing.assert_close(clip.observation["state"][..., 0], (first + steps).float())
    assert (steps < torch.tensor(lengths)[clip.episode][:, None]).all()
    moves = clip.start[:, None] + torch.arange((length - 1) * frameskip)
    torch.testing.assert_close(clip.action.reshape(7, -1), (first + moves).float())
    assert clip.action.shape == (7, length - 1, frameskip)
    for row, observation in itertools.product(range(7), range(length)):
        beat = clip.observation["beat"][row, observation, :, 0].numpy() - first[row].item()
        latest = int(np.floor(int(steps[row, observation]) * rate / 10 + 1e-9))
        assert len(beat) == episodes.spec.samples("beat", frameskip)
        np.testing.assert_array_equal(beat, np.arange(latest - len(beat) + 1, latest + 1))


@pytest.mark.parametrize(("rate", "frameskip"), [(100.0, 1), (25.0, 1), (25.0, 3), (3.0, 2), (33.3, 4), (10.0, 2)])
def test_a_series_never_shows_what_comes_after_its_observation(rate, frameskip):
    spec = Spec({"ramp": Modality("series", (1,), rate)}, tc.Box((0.0,), (1.0,)), fps=10.0)
    ramp = (np.arange(spec.samples("ramp", 20), dtype=np.float32) / rate)[:, None]  # the time of each sample
    episode = tc.Episode({"ramp": ramp}, np.zeros((19, 1), np.float32))
    clips = tc.data.from_episodes([episode], spec).clips(2, frameskip)
    clip = clips.cut(*clips.windows(np.arange(len(clips))))
    now = (clip.start[:, None] + torch.arange(2) * frameskip) / 10
    times = clip.observation["ramp"][..., 0]
    assert (times <= now[..., None] + 1e-5).all()
    assert (times[..., -1] > now - 1 / rate - 1e-5).all(), "the latest sample there is"
    each = times.shape[-1]
    first = next(step for step in range(20) if (ramp[:, 0] <= step / 10 + 1e-5).sum() >= each)
    assert clip.start.min() == first, "every window that has its samples"
    assert clip.start.max() == 19 - frameskip


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), step=st.integers(0, 1000), size=st.integers(1, 9))
def test_batch_is_a_pure_function(seed, step, size):
    episodes = tc.data.from_episodes(recordings(6), SPEC)
    clips, again = episodes.clips(3, 2), episodes.clips(3, 2)
    for other in (0, 7, 3):
        again.batch(other, other, 5)
    a, b = clips.batch(seed, step, size), again.batch(seed, step, size)
    assert all(torch.equal(a.observation[name], b.observation[name]) for name in a.observation)
    assert torch.equal(a.action, b.action)
    assert torch.equal(a.start, b.start)
    assert torch.equal(a.episode, b.episode)


def test_windows_are_drawn_uniformly_and_all_of_them():
    clips = counted([5, 2, 9, 3], 10.0).clips(3)
    assert len(clips) == 3 + 0 + 7 + 1
    clip = clips.batch(0, 0, 22_000)
    kinds, counts = np.unique(np.stack([clip.episode, clip.start]), axis=1, return_counts=True)
    assert kinds.shape[1] == 11
    assert abs(counts - 2000).max() < 5 * np.sqrt(2000)


def test_steps_and_seeds_give_different_batches():
    clips = counted([300], 10.0).clips(2)
    starts = {tuple(clips.batch(seed, step, 8).start.tolist()) for seed in range(5) for step in range(5)}
    assert len(starts) == 25


def test_neighbouring_steps_share_windows_by_chance_only():
    clips = counted([30_000], 10.0).clips(2)
    starts = [set(clips.batch(0, step, 64).start.tolist()) for step in range(20)]
    shared = sum(len(a & b) for a, b in itertools.pairwise(starts))
    assert shared <= 20  # 19 pairs, 64 * 64 / 30_000 each


def test_prefetched_batches_are_the_same():
    clips = tc.data.from_episodes(recordings(6), SPEC).clips(3)
    stream = iter(clips.batches(size=5, seed=4, start=2))
    for step in (2, 3, 4):
        assert torch.equal(next(stream).action, clips.batch(4, step, 5).action)
    stream.close()


def test_prefetching_passes_errors_on(monkeypatch):
    clips = tc.data.from_episodes(recordings(3), SPEC).clips(3)
    monkeypatch.setattr(clips, "cut", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(iter(clips.batches(size=2)))


def test_batches_out_of_range_are_refused():
    clips = tc.data.from_episodes(recordings(3), SPEC).clips(3)
    for wrong in ({"size": 0}, {"size": 1, "seed": -1}, {"size": 1, "start": -1}, {"size": 1, "steps": -2}):
        with pytest.raises(ConfigError, match="size >= 1"):
            clips.batches(**wrong)


def test_a_data_loader_yields_the_same_batches_in_order():
    clips = tc.data.from_episodes(recordings(6), SPEC).clips(3)
    loader = DataLoader(clips.batches(size=5, seed=4, start=2, steps=5), batch_size=None)
    for _ in range(2):  # every pass begins at the start
        found = [clip.start.tolist() for clip in loader]
        assert found == [clips.batch(4, step, 5).start.tolist() for step in range(2, 7)]


def test_workers_of_a_data_loader_share_the_steps(monkeypatch):
    clips = tc.data.from_episodes(recordings(6), SPEC).clips(3)
    parts = []
    for worker in range(2):
        monkeypatch.setattr(batches, "get_worker_info", lambda worker=worker: SimpleNamespace(id=worker, num_workers=2))
        parts.append([clip.start.tolist() for clip in clips.batches(size=5, seed=4, start=2, steps=5)])
    expected = [clips.batch(4, step, 5).start.tolist() for step in range(2, 7)]
    assert parts == [expected[::2], expected[1::2]]  # a loader takes from its workers in turn


def test_a_batch_can_be_written_to():
    clips = tc.data.from_episodes(recordings(3), SPEC).clips(3)
    before = clips.batch(0, 0, 4)
    clips.batch(0, 0, 4).observation["pixels"].zero_()
    assert torch.equal(before.observation["pixels"], clips.batch(0, 0, 4).observation["pixels"])


@settings(max_examples=20, deadline=None)
@given(drops=st.lists(st.booleans(), min_size=8, max_size=20))
def test_memory_is_used_again_only_when_nothing_lives_in_it(drops):
    clips = tc.data.from_episodes(recordings(5), SPEC).clips(2)
    kept: list[tuple[int, torch.Tensor]] = []
    places = set()
    for step, drop in enumerate(drops):
        pixels = clips.batch(0, step, 4).observation["pixels"]
        places.add(pixels.data_ptr())
        if not drop:  # a view of a view, after its tensor is gone
            kept.append((step, torch.from_numpy(pixels[1:].float().byte().numpy() if step % 2 else pixels[1:].numpy())))
        del pixels
    for step, view in kept:
        assert torch.equal(view, clips.batch(0, step, 4).observation["pixels"][1:])
    assert len(places) <= len(kept) + 1


def test_chosen_modalities_only():
    clips = tc.data.from_episodes(recordings(3), SPEC).clips(2, modalities=("state",))
    assert set(clips.batch(0, 0, 2).observation) == {"state"} == set(clips.spec.modalities)


def test_refusals_teach():
    episodes = tc.data.from_episodes(recordings(3), SPEC)
    with pytest.raises(DataError, match=r"need an episode of 32 observations; the longest of 3 has 8"):
        episodes.clips(31)
    with pytest.raises(SpecError, match="Did you mean 'pixels'"):
        episodes.clips(2, modalities=("pixel",))
    with pytest.raises(ConfigError, match="frameskip >= 1"):
        episodes.clips(2, 0)
    with pytest.raises(DataError, match="leaves episode"):
        episodes.clips(3).cut(np.array([0]), np.array([5]))


def test_one_hot_actions_keep_their_blocks():
    spec = replace(SPEC, action=tc.Discrete(3), modalities={"state": SPEC.modalities["state"]})
    action = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    episode = tc.Episode({"state": np.zeros((5, 3), np.float32)}, action)
    clip = tc.data.from_episodes([episode], spec).clips(3, frameskip=2).batch(0, 0, 1)
    torch.testing.assert_close(clip.action[0], torch.from_numpy(action).reshape(2, 6))
