"""Features of models and of what they are compared with, in memory and on disk."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import tacit as tc
from probing.exact import Exact, recordings
from tacit.data import from_episodes
from tacit.embeddings import embedding
from tacit.errors import ConfigError, DataError, SpecError
from tacit.models import JointEmbedding, MaskedModel, WorldModel
from tacit.probing.encoder import frozen
from tacit.probing.probes.dense import per_token
from tacit.types import Episode, Modality, Spec

IMAGES = Spec({"pixels": Modality("pixels", (3, 16, 16))})
NANO = {"width": 24, "depth": 1, "heads": 2, "patch": 4}


def squares(count=60, seed=0, length=1):
    """Recordings of bright squares, their class the quarter that they lie in; images where the length is 1."""
    rng, episodes = np.random.default_rng(seed), []
    for _ in range(count):
        quarter = rng.integers(0, 4, length)
        pixels = rng.integers(0, 60, (length, 3, 16, 16)).astype(np.uint8)
        maps = np.zeros((length, 16, 16), np.int64)
        for step, (down, across) in enumerate(zip(quarter // 2 * 8, quarter % 2 * 8, strict=True)):
            pixels[step, :, down + 2 : down + 6, across + 2 : across + 6] += 180
            maps[step, down : down + 8, across : across + 8] = 1
        labels = {"class": quarter, "map": maps, "bright": pixels.mean((1, 2, 3)).astype(np.float32)[:, None]}
        episodes.append(Episode({"pixels": pixels}, np.zeros((length - 1, 0), np.float32), labels=labels))
    return from_episodes(episodes, IMAGES)


class Patches(nn.Module):
    """Tokens are the means of quarters, counted; a stub of a model with tokens."""

    def __init__(self, stop_after=10**9):
        super().__init__()
        self.config = SimpleNamespace(spec=IMAGES, inputs=("pixels",), frameskip=1)
        self.gain = nn.Parameter(torch.ones(1))
        self.encoded, self.modes, self._stop_after = 0, [], stop_after

    def encode(self, observation, tokens=False):
        self.modes.append(self.training)
        if self.encoded >= self._stop_after:
            raise KeyboardInterrupt
        pixels = observation["pixels"].float() / 255
        self.encoded += len(pixels)
        out = nn.functional.avg_pool2d(pixels, 8).flatten(2).transpose(1, 2) * self.gain
        return out if tokens else out.flatten(1)


def test_features_come_in_order_with_their_labels():
    episodes = recordings(5, length=7)
    found = tc.probing.features(Exact(), episodes)
    expected = np.concatenate([episode.observation["vector"][:, :2] for episode in episodes])
    np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(found.targets["position"], expected)
    np.testing.assert_array_equal(found.episode, np.repeat(np.arange(5), 7))
    some = tc.probing.features(Exact(), episodes, frames=9, seed=1)
    assert len(some) == 9 and len(np.unique(some.values[:, 0])) == 9
    np.testing.assert_array_equal(some.targets["position"], some.values)


@pytest.mark.parametrize("kind", [MaskedModel, JointEmbedding])
def test_models_of_images_return_latents_and_tokens(kind):
    episodes = squares(6)
    model = kind.for_spec(IMAGES, "nano", **NANO).train()
    pooled, tokens = tc.probing.features(model, episodes), tc.probing.features(model, episodes, tokens=True)
    assert tuple(pooled.values.shape) == (6, 24)
    assert (tuple(tokens.values.shape), tokens.grid) == ((6, 16, 24), (4, 4))
    assert model.training and pooled.grid is None
    image = torch.from_numpy(episodes[3].observation["pixels"])
    with torch.no_grad():
        torch.testing.assert_close(tokens.values[3], model.eval().encode({"pixels": image}, tokens=True)[0])


def test_a_model_of_videos_encodes_whole_windows_with_the_last_label():
    episodes = squares(4, length=3)
    model = MaskedModel.for_spec(IMAGES, "nano", frames=2, **NANO)
    found = tc.probing.features(model, episodes)
    assert tuple(found.values.shape) == (8, 24)
    np.testing.assert_array_equal(found.targets["class"], np.concatenate([e.labels["class"][1:] for e in episodes]))


def test_tokens_of_videos_and_raw_patches_have_their_grid():
    episodes = squares(6, length=4)
    model = MaskedModel.for_spec(IMAGES, "nano", frames=4, **NANO)
    assert tc.probing.features(model, episodes, tokens=True).grid == model.grid == (2, 4, 4)
    found = tc.probing.feature_sources(model, fit_on=episodes[:4], test_on=episodes[4:], tokens=True)
    assert {name: fit.grid for name, (fit, _) in found.items()} == {
        "model": (2, 4, 4), "untrained": (2, 4, 4), "raw": (4, 4, 4)
    }  # fmt: skip
    assert found["raw"][0].values.shape[:2] == (4, 64)


def test_raw_videos_have_the_windows_of_their_labels():
    """A brightness of the last frame, which raw pixels tell exactly where they are of the same window."""
    rng, made = np.random.default_rng(0), []
    for _ in range(30):
        pixels = rng.integers(0, 256, (6, 1, 1, 1)).astype(np.uint8) * np.ones((1, 3, 16, 16), np.uint8)
        bright = pixels.mean((1, 2, 3))[:, None].astype(np.float32)
        made.append(Episode({"pixels": pixels}, np.zeros((5, 0), np.float32), labels={"bright": bright}))
    videos = from_episodes(made, IMAGES)
    model = MaskedModel.for_spec(IMAGES, "nano", frames=4, **NANO)
    model.set_statistics(videos.statistics())
    found = tc.probing.feature_sources(model, fit_on=videos[:20], test_on=videos[20:])
    assert tc.probing.compare(found, "bright")["raw"].score > 0.999


def test_a_world_model_encodes_its_modalities_in_evaluation_mode():
    episodes = recordings(4, length=6)
    model = WorldModel.for_spec(episodes.spec, latent=8).train()
    found = tc.probing.features(model, episodes)
    assert model.training and tuple(found.values.shape) == (24, 8)
    with torch.no_grad():
        torch.testing.assert_close(
            found.values[:6], model.eval().encode({"vector": episodes[0].observation["vector"]}), atol=1e-6, rtol=1e-5
        )


def test_an_answer_of_another_shape_is_refused():
    model = Patches()
    model.encode = lambda observation, tokens=False: torch.zeros(len(observation["pixels"]), 3)
    with pytest.raises(SpecError, match=r"shape \[3, n, D\]"):
        tc.probing.features(model, squares(3), tokens=True)


def test_latents_that_are_not_finite_are_refused():
    model = Patches()
    nn.init.constant_(model.gain, float("nan"))
    with pytest.raises(DataError, match="not finite, the first in a window of episode 0"):
        tc.probing.features(model, squares(3))


def test_the_input_itself_is_a_source_of_features():
    episodes = squares(8)
    model = MaskedModel.for_spec(IMAGES, "nano", **NANO)
    model.set_statistics(episodes.statistics())
    raw = tc.probing.RawInput(model.config, model.statistics, grid=(2, 4), patch=2)
    pooled, tokens = tc.probing.features(raw, episodes), tc.probing.features(raw, episodes, tokens=True)
    assert tuple(pooled.values.shape) == (8, 3 * 4 * 8)
    assert tuple(tokens.values.shape) == (8, 8, 3 * 2 * 2)
    image = episodes[5].observation["pixels"][0] / 255.0
    mean, std = (np.array(part["pixels"])[:, None, None] for part in (model.statistics.mean, model.statistics.std))
    small = ((image - mean) / std).reshape(3, 4, 4, 8, 2).mean((2, 4))
    np.testing.assert_allclose(pooled.values[5], small.ravel(), atol=1e-5)
    np.testing.assert_allclose(tokens.values[5, 6], small[:, 2:4, 4:6].ravel(), atol=1e-5)
    vector = WorldModel.for_spec(recordings(2).spec)
    plain = tc.probing.features(tc.probing.RawInput(vector.config, vector.statistics), recordings(2))
    assert tuple(plain.values.shape) == (60, 3)
    with pytest.raises(ConfigError, match="only images have patches"):
        tc.probing.features(tc.probing.RawInput(vector.config, vector.statistics), recordings(2), tokens=True)


def test_the_untrained_twin_has_other_weights_and_the_same_statistics():
    episodes = recordings(4)
    model = WorldModel.for_spec(episodes.spec, seed=2)
    model.set_statistics(episodes.statistics())
    state = torch.get_rng_state()
    twins = [tc.probing.untrained_model(model, seed) for seed in (0, 0, 1)]
    assert torch.equal(state, torch.get_rng_state())
    assert twins[0].statistics == model.statistics
    digests = [tc.embeddings.model_digest(twin) for twin in (*twins, model)]
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_a_model_is_compared_with_its_baselines():
    fit, test = squares(80).split(0.75, seed=0)
    model = MaskedModel.for_spec(IMAGES, "nano", **NANO)
    model.set_statistics(fit.statistics())
    results = tc.probing.compare(tc.probing.feature_sources(model, fit_on=fit, test_on=test), "class")
    assert list(results.results) == ["model", "untrained", "raw", "constant"]
    assert results["raw"].score > 0.9 > 0.6 > results["constant"].score
    tokens = tc.probing.feature_sources(model, fit_on=fit, test_on=test, tokens=True)
    dense = tc.probing.compare(tokens, "map", tc.probing.probes.Dense(tc.probing.probes.Linear((0.01,))))
    assert dense["raw"].rows_test == dense["model"].rows_test == 20 * 16
    assert dense["constant"].mean_iou == pytest.approx(0.375)
    entry = {"map": tc.reports.probe_record(dense)}
    record = tc.reports.new_record("probe", seeds={"probe": 0}, config={}, probe=entry)
    assert "predicted" not in record["probe"]["map"]["model"]
    section = tc.reports.comparison_section([results, dense])
    assert len(section.table.rows) == 8
    with pytest.raises(DataError, match=r"test.without\(fit\)"):
        tc.probing.compare(tc.probing.feature_sources(model, fit_on=fit, test_on=fit.select([0, 1])), "class")


def test_quantities_of_images_are_probed_and_classes_raise():
    fit, test = squares(40).split(0.75, seed=0)
    model = JointEmbedding.for_spec(IMAGES, "nano", **NANO)
    report = tc.probing.probe(model, fit_on=fit, test_on=test, target="bright")
    assert report.health.latent_size == 24 and np.isnan(report.health.straightness)
    assert tc.reports.plain(tc.reports.probe_record(report))["straightness"] is None
    with pytest.raises(ConfigError, match=r"use tacit\.probing\.compare"):
        tc.probing.probe(model, fit_on=fit, test_on=test, target="class")


def test_a_split_of_features_is_that_of_their_episodes():
    episodes = recordings(11, length=5)
    fit, test = tc.probing.features(Exact(), episodes).split(0.7, seed=3)
    first, second = episodes.split(0.7, seed=3)
    np.testing.assert_array_equal(fit.values[torch.arange(len(fit))], tc.probing.features(Exact(), first).values)
    np.testing.assert_array_equal(test.values[torch.arange(len(test))], tc.probing.features(Exact(), second).values)
    np.testing.assert_array_equal(test.targets["position"], tc.probing.features(Exact(), second).targets["position"])
    whole = tc.probing.features(Exact(), episodes)
    assert whole.without(fit).episode.tolist() == test.episode.tolist()
    with pytest.raises(ConfigError, match="two episodes"):
        tc.probing.Features(np.zeros((1, 2), np.float32)).split(0.5, 0)


@pytest.mark.parametrize(("dtype", "tokens"), [("float32", False), ("float16", True), ("bfloat16", True)])
def test_latents_on_disk_are_those_in_memory(tmp_path, monkeypatch, dtype, tokens):
    monkeypatch.setattr(embedding, "SHARD", 7 * 12 * getattr(torch, dtype).itemsize)
    episodes, model = squares(20, length=2), Patches().train()
    split = tc.embeddings.Split(0.8, 3)
    made = tc.embeddings.embed(model, episodes, tmp_path / "latents", tokens=tokens, dtype=dtype, split=split)
    assert model.training and not any(model.modes)
    memory = tc.probing.features(model, episodes, tokens=tokens)
    found = tc.embeddings.open_embedding(tmp_path / "latents")
    assert found.header == made.header
    assert (found.header.rows, found.header.shape, found.header.dtype) == (40, (4, 3) if tokens else (12,), dtype)
    assert (found.header.digest, found.header.dataset) == (tc.embeddings.model_digest(model), episodes.hash())
    assert sum(name.startswith("values") for name in found.header.files) == 6
    order = torch.from_numpy(np.random.default_rng(0).permutation(40))
    assert torch.equal(found.features.values[order], memory.values[order].to(getattr(torch, dtype)))
    for name, target in memory.targets.items():
        assert found.features.targets[name].dtype == target.dtype
        np.testing.assert_array_equal(found.features.targets[name], target)
    np.testing.assert_array_equal(found.features.episode, memory.episode)
    assert found.features.hashes == memory.hashes
    assert sorted(set(found.split()[1].episode)) == sorted(set(memory.split(0.8, 3)[1].episode))
    assert [path.name for path in tmp_path.iterdir()] == ["latents"]
    found.verify()


def test_a_probe_predicts_the_same_from_disk_and_from_memory(tmp_path):
    episodes, model = squares(60), Patches()
    stored = tc.embeddings.embed(model, episodes, tmp_path / "latents", tokens=True).split(0.75, 0)
    memory = tc.probing.features(model, episodes, tokens=True).split(0.75, 0)
    for probe in (
        tc.probing.probes.Linear(),
        tc.probing.probes.KNN(),
        tc.probing.probes.Attentive(lrs=(1e-3,), weight_decays=(0.0,), epochs=1),
    ):
        readings = [probe(*parts, "class") for parts in (stored, memory)]
        np.testing.assert_array_equal(readings[0].predicted, readings[1].predicted)
    assert tc.probing.probes.Dense()(*stored, "map").score > 0.9


def test_an_interrupted_embedding_continues_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "SHARD", 8 * 12 * 4)
    episodes, to = squares(30), tmp_path / "latents"
    with pytest.raises(KeyboardInterrupt):
        tc.embeddings.embed(Patches(stop_after=20), episodes, to)
    assert not to.exists()
    with pytest.raises(DataError, match="was never finished"):
        tc.embeddings.open_embedding(to)
    changed = Patches()
    nn.init.constant_(changed.gain, 2.0)
    with pytest.raises(DataError, match="another digest"):
        tc.embeddings.embed(changed, episodes, to)
    (tmp_path / ".latents.unfinished" / ".values-00003.safetensors").write_bytes(b"half")
    again = Patches()
    found = tc.embeddings.embed(again, episodes, to)
    assert again.encoded == 1 + 30 - 24
    assert torch.equal(found.features.values[torch.arange(30)], tc.probing.features(again, episodes).values)
    with pytest.raises(DataError, match="exists already"):
        tc.embeddings.embed(again, episodes, to)


def test_an_embedding_interrupted_at_its_end_is_not_repeated(tmp_path, monkeypatch):
    episodes, to, sync = squares(30), tmp_path / "latents", embedding.sync

    def stop(path):
        if path.is_dir():
            raise KeyboardInterrupt
        sync(path)

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "sync", stop)
        with pytest.raises(KeyboardInterrupt):
            tc.embeddings.embed(Patches(), episodes, to)
    again = Patches()
    tc.embeddings.embed(again, episodes, to).verify()
    assert again.encoded == 1  # to see its shape
    assert {path.name for path in to.iterdir()} == {"embedding.json", "rows.safetensors", "values-00000.safetensors"}


def test_what_an_interruption_loses_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "SHARD_ROWS", 8)
    assert len(tc.embeddings.embed(Patches(), squares(30), tmp_path / "latents").header.files) == 4 + 1


def test_modes_of_parts_come_back():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    model[0].eval()
    with frozen(model):
        assert not model[1].training
    assert model.training and model[1].training and not model[0].training


def test_tokens_have_the_share_of_the_image_that_they_cover(tmp_path):
    spec = Spec({"pixels": Modality("pixels", (1, 20, 34))})
    rng = np.random.default_rng(0)
    made = [
        Episode(
            {"pixels": rng.integers(0, 256, (1, 1, 20, 34), dtype=np.uint8)},
            np.empty((0, 0), np.float32),
            labels={"map": np.tile(np.arange(34) // 8, (1, 20, 1))},
        )
        for _ in range(4)
    ]
    episodes = from_episodes(made, spec)
    model = MaskedModel.for_spec(spec, "nano", patch=8)
    stored = tc.embeddings.embed(model, episodes, tmp_path / "latents", tokens=True)
    for found in (tc.probing.features(model, episodes, tokens=True), stored.features):
        assert found.grid == (2, 4) and found.covered == (16 / 20, 32 / 34)
        assert per_token(found.target("map"), 8, found.grid, found.covered)[0].tolist() == [0, 1, 2, 3] * 2


def test_raw_patches_cover_the_area_of_the_tokens():
    """A brightness of each pixel, which raw patches tell exactly where they are cut from the same places."""
    spec = Spec({"pixels": Modality("pixels", (1, 15, 31))})
    rng = np.random.default_rng(0)
    made = []
    for _ in range(60):
        image = rng.integers(0, 256, (1, 1, 15, 31), dtype=np.uint8)
        labels = {"bright": image[:, 0] / 255.0}
        made.append(Episode({"pixels": image}, np.empty((0, 0), np.float32), labels=labels))
    fit_on, test_on = from_episodes(made, spec).split(0.8, seed=0)
    model = MaskedModel.for_spec(spec, "nano", patch=8)
    found = tc.probing.feature_sources(model, fit_on=fit_on, test_on=test_on, tokens=True)
    assert tc.probing.probes.Dense()(*found["raw"], "bright").r2 > 0.98


def test_damage_is_detected(tmp_path):
    tc.embeddings.embed(Patches(), squares(10), tmp_path / "latents")
    shard, header = tmp_path / "latents" / "values-00000.safetensors", tmp_path / "latents" / "embedding.json"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DataError, match="digest is not the one recorded"):
        tc.embeddings.open_embedding(tmp_path / "latents").verify()
    shard.write_bytes(whole[:-4])
    with pytest.raises(DataError, match="its size differs"):
        tc.embeddings.open_embedding(tmp_path / "latents")
    shard.unlink()
    with pytest.raises(DataError, match="damaged"):
        tc.embeddings.open_embedding(tmp_path / "latents")
    shard.write_bytes(whole)
    record = json.loads(header.read_text())
    record["content"]["rows"] = 11
    header.write_text(json.dumps(record))
    with pytest.raises(DataError, match="changed after it was written"):
        tc.embeddings.open_embedding(tmp_path / "latents")
    header.unlink()
    with pytest.raises(DataError, match=r"no embedding\.json"):
        tc.embeddings.open_embedding(tmp_path / "latents")


def test_what_does_not_fit_the_stored_type_is_refused(tmp_path):
    model = Patches()
    nn.init.constant_(model.gain, 1e6)
    with pytest.raises(DataError, match="do not fit float16"):
        tc.embeddings.embed(model, squares(4), tmp_path / "latents", dtype="float16")
    with pytest.raises(ConfigError, match="float32, float16, bfloat16"):
        tc.embeddings.embed(model, squares(4), tmp_path / "latents", dtype="int8")
