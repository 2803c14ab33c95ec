"""The world model's contract: shapes, units, targets, what it refuses, and the fast path behind the public call."""

import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tacit._config import from_json, to_json
from tacit.errors import ConfigError, SpecError
from tacit.models import WorldModel, WorldModelConfig, encoders, predictors
from tacit.nn import linear
from tacit.nn.kernels import Packed
from tacit.types import Box, Clip, Context, Discrete, ForecastRequest, Modality, Spec, Statistics

BOX = Box((-1.0, -2.0), (1.0, 2.0))
PIXELS = Spec({"pixels": Modality("pixels", (3, 64, 64))}, BOX)
MANY = Spec(
    {
        "front": Modality("pixels", (3, 24, 40)),
        "state": Modality("vector", (5,)),
        "audio": Modality("series", (2,), rate=25.0),
    },
    Discrete(3),
    fps=10.0,
)
PREDICTORS = {
    "mlp": {"predictor": "mlp"},
    "gru": {"predictor": predictors.GRU(final_norm=True), "latent_norm": True, "action_width": 16},
    "transformer": {"predictor": {"name": "transformer", "history": 3, "out_width": 24}, "action_width": 16},
}


def clip_for(model: WorldModel, batch: int = 3, steps: int = 6) -> Clip:
    config, observation = model.config, {}
    for name, modality in config.spec.modalities.items():
        samples = (config.spec.samples(name, config.frameskip),) if modality.kind == "series" else ()
        shape = (batch, steps, *samples, *modality.shape)
        pixels = modality.kind == "pixels"
        observation[name] = torch.randint(0, 256, shape, dtype=torch.uint8) if pixels else torch.randn(shape)
    action = torch.rand(batch, steps - 1, config.action_size) * 2 - 1
    return Clip(observation, action, torch.zeros(batch, dtype=torch.long), torch.zeros(batch, dtype=torch.long))


def random_weights(model: WorldModel, scale: float = 0.1) -> WorldModel:
    torch.manual_seed(1)
    for parameter in model.predictor.parameters():
        nn.init.normal_(parameter, std=scale)
    return model


@pytest.mark.parametrize("spec", [PIXELS, MANY], ids=["pixels", "many"])
@pytest.mark.parametrize("kind", PREDICTORS)
def test_every_verb_keeps_its_shapes(spec: Spec, kind: str) -> None:
    torch.manual_seed(0)
    model = random_weights(WorldModel.for_spec(spec, frameskip=2, **PREDICTORS[kind])).eval()
    clip, size = clip_for(model), model.config.latent
    latents = model.encode(clip.observation)
    assert latents.shape == (3, 6, size)
    single = {name: value[:, 2].numpy() for name, value in clip.observation.items()}
    torch.testing.assert_close(model.encode(single), latents[:, 2], rtol=1e-4, atol=1e-5)
    assert model.predict(latents[:, :-1], clip.action).shape == (3, 5, size)
    candidates = clip.action[:, None].expand(-1, 4, -1, -1)
    rolled = model.rollout(Context(latents[:, :2], clip.action[:, :1]), candidates[:, :, 1:])
    assert rolled.shape == (3, 4, 4, size)
    alone = model.rollout(Context(latents[:, :2], clip.action[:, :1]), clip.action[:, 1:])
    torch.testing.assert_close(alone, rolled[:, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", PREDICTORS)
def test_forecast_lines_up_with_rollouts_from_every_start(kind: str) -> None:
    torch.manual_seed(0)
    model = random_weights(WorldModel.for_spec(MANY, **PREDICTORS[kind])).eval()
    clip, history = clip_for(model), model.history
    every = model.forecast(clip, ForecastRequest(steps=3))
    torch.testing.assert_close(every.predictions[0], model.predict(every.latents[:, :-1], clip.action))
    assert every.targets is every.latents
    for k, prediction in enumerate(every.predictions, start=1):
        assert prediction.shape == every.targets[:, k:].shape
        for start in range(prediction.shape[1]):
            first = max(start + 1 - history, 0)
            context, past = every.latents[:, first : start + 1], clip.action[:, first:start]
            rolled = model.rollout(Context(context, past), clip.action[:, start : start + k])
            torch.testing.assert_close(prediction[:, start], rolled[:, -1], rtol=1e-4, atol=1e-5)
    first_only = model.forecast(clip, ForecastRequest(steps=3, starts="first"))
    for k in range(3):
        torch.testing.assert_close(first_only.predictions[k], every.predictions[k][:, :1], rtol=1e-4, atol=1e-5)


def test_inputs_are_normalised_inside() -> None:
    torch.manual_seed(0)
    model = WorldModel.for_spec(PIXELS, frameskip=2)
    statistics = Statistics(
        {"pixels": (0.2, 0.4, 0.6), "action": (0.5, -0.5)}, {"pixels": (0.1, 0.2, 0.3), "action": (2.0, 4.0)}
    )
    frames = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    before = model.encode({"pixels": frames})
    model.set_statistics(statistics)
    assert not torch.allclose(model.encode({"pixels": frames}), before)
    for name, values in statistics.mean.items():
        assert model.statistics.mean[name] == pytest.approx(values)
        assert model.statistics.std[name] == pytest.approx(statistics.std[name])
    mean, std = (torch.tensor(part["pixels"]) for part in (statistics.mean, statistics.std))
    features = model.encoder.encoders["pixels"](frames / 255, mean, std)
    torch.testing.assert_close(
        model.encode({"pixels": frames}), model.encoder.projector(features), rtol=1e-3, atol=1e-4
    )
    clip = clip_for(model)
    expected = (clip.action - torch.tensor([0.5, -0.5] * 2)) / torch.tensor([2.0, 4.0] * 2)
    torch.testing.assert_close(model.forecast(clip).actions, expected)
    other = WorldModel.for_spec(PIXELS)
    other.load_state_dict({k: v for k, v in model.state_dict().items() if "normalizer" in k}, strict=False)
    assert other.statistics == model.statistics
    with pytest.raises(SpecError, match=r"'pixels' is missing.*episodes.statistics"):
        model.set_statistics(Statistics({"action": (0.0, 0.0)}, {"action": (1.0, 1.0)}))
    with pytest.raises(SpecError, match="2 components"):
        model.set_statistics(Statistics({**statistics.mean, "pixels": (0.0, 0.0)}, statistics.std))


def test_a_discrete_action_stays_one_hot() -> None:
    model = WorldModel.for_spec(MANY, modalities=("state",))
    model.set_statistics(
        Statistics({"state": (0.0,) * 5, "action": (0.3,) * 3}, {"state": (1.0,) * 5, "action": (0.5,) * 3})
    )
    clip = clip_for(model)
    torch.testing.assert_close(model.forecast(clip).actions, clip.action)


def test_an_ema_target_follows_slowly_and_learns_nothing_itself() -> None:
    torch.manual_seed(0)
    model = WorldModel.for_spec(PIXELS, target="ema", projector_width=32)
    clip = clip_for(model)
    forecast = model.forecast(clip)
    assert forecast.targets is not forecast.latents
    assert not forecast.targets.requires_grad
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.add_(1.0)
    assert model.target_encoder is not None
    before = copy.deepcopy(model.target_encoder)
    model.update_target(0.75)
    moved = zip(model.target_encoder.parameters(), before.parameters(), model.encoder.parameters(), strict=True)
    for now, then, source in moved:
        torch.testing.assert_close(now, 0.75 * then + 0.25 * source)
    shared = WorldModel.for_spec(PIXELS)
    assert shared.forecast(clip_for(shared)).targets.requires_grad
    shared.update_target(0.5)


@pytest.mark.parametrize("kind", PREDICTORS)
def test_planning_runs_packed_by_default_and_falls_back(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = random_weights(WorldModel.for_spec(PIXELS, **PREDICTORS[kind])).eval()
    monkeypatch.setattr(model.predictor, "rows", 3)  # several parts, the last one smaller
    latents, goal = torch.randn(2, 1, 32), torch.randn(2, 1, 32)
    actions = torch.rand(2, 7, 5, model.config.action_size)
    calls = []
    packed = Packed.linear
    monkeypatch.setattr(Packed, "linear", lambda *a: calls.append(1) or packed(*a))
    slow = model.rollout(Context(latents), actions).detach()
    assert not calls, "gradients need the plain layers"
    for mode in (torch.no_grad(), torch.inference_mode()):
        calls.clear()
        with mode:
            fast = model.rollout(Context(latents), actions)
        assert calls, "rollout without gradients on the CPU must run from packed weights"
        energy, expected = ((part[:, :, -1] - goal).square().sum(-1) for part in (fast, slow))
        torch.testing.assert_close(energy, expected, rtol=1e-4, atol=0)
    calls.clear()
    monkeypatch.setattr(linear, "available", lambda: False)
    with torch.no_grad():
        fallback = model.rollout(Context(latents), actions)
    assert not calls
    torch.testing.assert_close(fallback, slow, rtol=1e-4, atol=1e-5)


def test_packed_layers_follow_training() -> None:
    torch.manual_seed(0)
    model = WorldModel.for_spec(PIXELS)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2, fused=True)
    latents, actions = torch.randn(1, 1, 32), torch.rand(1, 4, 3, 2)
    for _ in range(2):
        optimizer.zero_grad()
        model.train().rollout(Context(latents), actions).square().sum().backward()
        optimizer.step()
        expected = model.eval().rollout(Context(latents), actions).detach()
        with torch.no_grad():
            torch.testing.assert_close(model.rollout(Context(latents), actions), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda o: {}, "the model reads front, state, audio"),
        (lambda o: {**o, "front": o["front"].float()}, r"'front' must be uint8.*got torch.float32"),
        (lambda o: {**o, "front": o["front"][..., :20]}, r"'front' must have shape \[B, 3, 24, 40\]"),
        (lambda o: {**o, "front": o["front"][0, 0]}, r"Add a batch axis: value\[None\]"),
        (lambda o: {**o, "state": o["state"].long()}, "'state' must be floating point"),
        (lambda o: {**o, "state": o["state"][:, 0]}, "all modalities share their leading axes"),
        (lambda o: {**o, "audio": o["audio"][:, :, :1]}, r"'audio' must have shape \[B, 5, 2\]"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(change: object, message: str) -> None:
    model = WorldModel.for_spec(MANY, frameskip=2)
    with pytest.raises(SpecError, match=message):
        model.encode(change(dict(clip_for(model).observation)))  # type: ignore[operator]


def test_actions_that_do_not_fit_are_refused_in_words() -> None:
    model = WorldModel.for_spec(PIXELS, frameskip=2)
    latents = torch.zeros(2, 1, 32)
    with pytest.raises(SpecError, match=r"\[2, S, H, 4\], blocks of 2 raw actions of 2; got \[2, 3, 5, 2\]"):
        model.rollout(Context(latents), torch.zeros(2, 3, 5, 2))
    with pytest.raises(SpecError, match=r"latents must have shape \[B, T, 32\]; got \[2, 32\]"):
        model.rollout(Context(latents[:, 0]), torch.zeros(2, 3, 5, 4))
    with pytest.raises(SpecError, match="1 latents have 0 action blocks between them"):
        model.rollout(Context(latents, torch.zeros(2, 2, 4)), torch.zeros(2, 3, 5, 4))
    latents, blocks = torch.randn(2, 3, 32), torch.rand(2, 3, 5, 4)
    torch.testing.assert_close(
        model.eval().rollout(Context(latents), blocks), model.rollout(Context(latents[:, -1:]), blocks)
    )
    looks_back = WorldModel.for_spec(PIXELS, frameskip=2, **PREDICTORS["transformer"])
    with pytest.raises(SpecError, match=r"3 latents have 2 action blocks between them.*\(2, 0, 4\)"):
        looks_back.rollout(Context(latents), blocks)
    with pytest.raises(SpecError, match="allows 1 to 5 steps of prediction; got 6"):
        model.forecast(clip_for(model), ForecastRequest(steps=6))


def test_configuration_survives_json_and_refuses_nonsense() -> None:
    for spec in (PIXELS, MANY):
        config = WorldModel.for_spec(spec, "small", frameskip=3).config
        assert from_json(WorldModelConfig, json.loads(json.dumps(to_json(config)))) == config
    for options, message in (
        ({"size": "tinny"}, "Did you mean 'tiny'"),
        ({"latnet": 3}, "Did you mean 'latent'"),
        ({"history": 2}, "WorldModelConfig has no option 'history'"),
        ({"modalities": ("pixel",)}, "Did you mean 'pixels'"),
        ({"encoders": {"pixels": "mlp"}}, "encoded by 'conv' or 'custom' or 'pretrained' or 'vit'; got MLP"),
        ({"encoders": {"pixel": "vit"}}, "no modality 'pixel'. Did you mean 'pixels'"),
        ({"encoders": {"pixels": {"patches": 4}}}, "the encoder of 'pixels' has no option 'patches'.*'patch'"),
        ({"encoders": {"pixels": 3}}, r"a name, a mapping of options or a configuration"),
        ({"latent": 0}, "at least 1"),
        ({"predictor": "gruu"}, "no predictors called 'gruu'. Did you mean 'gru'"),
        ({"predictor": {"name": "gru", "dropout": 0.1}}, "the predictor has no option 'dropout'"),
        ({"predictor": {"depht": 2}}, "Did you mean 'depth'"),
        ({"predictor": {"name": "transformer", "history": 0}}, "history >= 1; got 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            WorldModel.for_spec(PIXELS, **options)


@pytest.mark.parametrize("kind", ["mlp", "gru", "transformer"])
def test_every_size_takes_every_predictor(kind: str) -> None:
    for size in ("tiny", "small", "base"):
        model = WorldModel.for_spec(MANY, size, predictor=kind, modalities=("state",), projector_width=8)
        assert type(model.config.predictor) is predictors.load(kind)
        assert model.history == (3 if (size, kind) == ("base", "transformer") else 1)


def test_encoders_are_chosen_by_modality_then_by_kind() -> None:
    config = WorldModel.for_spec(MANY, encoders={"vector": "identity", "pixels": {"width": 8}}).config
    assert config.encoders == {
        "front": encoders.Conv(width=8),
        "state": encoders.Identity(),
        "audio": encoders.Conv(),
    }
    named = WorldModel.for_spec(MANY, "small", encoders={"state": {"features": 9}, "vector": "identity"}).config
    assert named.encoders["state"] == encoders.MLP(9)
    assert named.encoders["audio"] == encoders.Conv(32, 512)


def test_the_documented_sizes() -> None:
    millions = {
        size: sum(p.numel() for p in WorldModel.for_spec(PIXELS, size).parameters()) / 1e6
        for size in ("tiny", "small", "base")
    }
    assert millions == pytest.approx({"tiny": 0.3, "small": 1.3, "base": 18.0}, rel=0.1)


@settings(max_examples=8, deadline=None)
@given(batch=st.integers(1, 4), steps=st.integers(2, 5), ahead=st.integers(1, 4), history=st.integers(1, 4))
def test_forecast_shapes(batch: int, steps: int, ahead: int, history: int) -> None:
    model = WorldModel.for_spec(MANY, predictor=predictors.Transformer(history=history), modalities=("state",))
    ahead = min(ahead, steps - 1)
    forecast = model.forecast(clip_for(model, batch, steps), ForecastRequest(ahead))
    assert [p.shape for p in forecast.predictions] == [(batch, steps - k, 32) for k in range(1, ahead + 1)]


def test_a_numpy_observation_is_not_written_to() -> None:
    model = WorldModel.for_spec(PIXELS)
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64), dtype=np.uint8)
    kept = frames.copy()
    model.encode({"pixels": frames})
    frames.setflags(write=False)
    model.encode({"pixels": frames})
    np.testing.assert_array_equal(frames, kept)
