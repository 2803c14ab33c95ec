"""World models that look with a pretrained encoder: its weights, what of it learns, and V-JEPA 2-AC's predictions."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import tacit as tc
from tacit.errors import ConfigError, SpecError
from tacit.models import ActionConditioned, JointEmbedding, MaskedModel, MotionContent, PerceptionModel, WorldModel
from tacit.models.encoders import Pretrained
from tacit.objectives import Prediction, Rollout
from tacit.types import Box, Clip, Context, ForecastRequest, Modality, Spec

WORLD = Spec({"pixels": Modality("pixels", (3, 16, 16))}, Box((-1.0, -1.0), (1.0, 1.0)))
VIT = {"width": 24, "depth": 2, "heads": 2, "patch": 8}
PYRAMID = {"widths": (8, 12, 24), "depths": (1, 1, 2), "kernel": 3, "expander": (8,), "embedding": 4}
PREDICTOR = {"predictor_width": 24, "predictor_depth": 2, "predictor_heads": 2}


def perception(kind: str = "video") -> PerceptionModel:
    torch.manual_seed(1)
    made: PerceptionModel
    if kind == "motion":
        made = MotionContent.for_spec(WORLD, **PYRAMID)
    elif kind == "views":
        made = JointEmbedding.for_spec(WORLD, **VIT, projector=(8,), embedding=4)
    else:
        made = MaskedModel.for_spec(WORLD, **VIT, **PREDICTOR, frames=4 if kind == "video" else 1)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    made.set_statistics(tc.types.Statistics({"pixels": (0.2, 0.3, 0.4)}, {"pixels": (0.3, 0.3, 0.2)}))
    return made.eval()


def conditioned(kind: str = "video", **options: object) -> ActionConditioned:
    eye = perception(kind)
    torch.manual_seed(0)
    model = ActionConditioned.for_spec(WORLD, perception=eye.config, **{**PREDICTOR, **options})
    for parameter in model.predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.load_from(eye)
    return model.eval()


def clip(steps: int = 5, frameskip: int = 1) -> Clip:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (2, steps, 3, 16, 16), dtype=torch.uint8, generator=generator)
    actions = torch.rand(2, steps - 1, 2 * frameskip, generator=generator) * 2 - 1
    return Clip({"pixels": frames}, actions, torch.zeros(2), torch.zeros(2))


@pytest.mark.parametrize("kind", ["video", "image", "views"])
def test_frames_are_encoded_one_by_one_as_the_perception_model_sees_them(kind: str) -> None:
    eye, model, seen = perception(kind), conditioned(kind), clip().observation
    frame = seen["pixels"][:, 2]
    # A video's encoder sees an image that is held still, and its own mean and deviation.
    encoder = eye.encoder if eye.target_encoder is None else eye.target_encoder
    held = frame[:, :, None].expand(-1, -1, 2, -1, -1) if kind == "video" else frame
    tokens = encoder(held, *eye.statistics_of("pixels"))[:, 1 if kind == "views" else 0 :]
    expected = F.layer_norm(tokens, (24,)).flatten(1)
    model.set_statistics(
        tc.types.Statistics({"pixels": (0.9,) * 3, "action": (0.0, 0.0)}, {"pixels": (0.1,) * 3, "action": (1.0, 1.0)})
    )
    torch.testing.assert_close(model.encode(seen)[:, 2], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.encode({"pixels": frame}), expected, rtol=1e-4, atol=1e-5)


def test_the_second_step_is_predicted_from_the_first_latent_and_the_first_prediction() -> None:
    model, seen = conditioned(), clip()
    with torch.no_grad():
        forecast = model.forecast(seen, ForecastRequest(steps=2))
        latents = forecast.latents
        first = model.predict(latents[:, :-1], seen.action)
        torch.testing.assert_close(forecast.predictions[0], first, rtol=1e-4, atol=1e-5)
        fed = torch.cat([latents[:, :1], first[:, :1]], dim=1)
        second = model.predict(fed, seen.action[:, :2])[:, 1:]
        torch.testing.assert_close(forecast.predictions[1], second, rtol=1e-4, atol=1e-5)
        taught = model.predict(latents[:, :2], seen.action[:, :2])[:, 1:]
        assert not torch.allclose(second, taught, atol=1e-3)
    told = torch.cat([first[:, :1], second], dim=1)
    torch.testing.assert_close(Rollout(2).loss(forecast, 0), (told - latents[:, 1:3]).abs().mean())
    objective = Prediction(distance="l1", starts="mixed") + Rollout(2)
    assert objective.request() == ForecastRequest(2, "mixed")


def test_a_rollout_with_frames_before_it_is_what_the_predictor_says_step_by_step() -> None:
    model, seen = conditioned(history=3), clip()
    candidates = torch.rand(2, 40, 3, 2) * 2 - 1  # more than are imagined at a time
    with torch.no_grad():
        latents = model.encode(seen.observation)[:, :3]
        rolled = model.rollout(Context(latents, seen.action[:, :2]), candidates)
        assert rolled.shape == (2, 40, 3, model.latent_size)
        known, actions = latents, torch.cat([seen.action[:, :2], candidates[:, 33]], dim=1)
        for step in range(3):
            following = model.predict(known, actions[:, : step + 3])[:, -1:]
            torch.testing.assert_close(rolled[:, 33, step], following[:, 0], rtol=1e-3, atol=1e-4)
            known = torch.cat([known, following], dim=1)
        alone = model.rollout(Context(latents, seen.action[:, :2]), candidates[:, 33])
        torch.testing.assert_close(alone, rolled[:, 33], rtol=1e-4, atol=1e-5)


def test_world_models_forecast_mixed_starts_alike() -> None:
    torch.manual_seed(0)
    model, seen = WorldModel.for_spec(WORLD, predictor={"name": "transformer", "history": 3}).eval(), clip()
    with torch.no_grad():
        every, mixed = (
            model.forecast(seen, ForecastRequest(3)),
            model.forecast(seen, ForecastRequest(3, "mixed")),
        )
    torch.testing.assert_close(mixed.predictions[0], every.predictions[0])
    for step in (1, 2):
        torch.testing.assert_close(mixed.predictions[step], every.predictions[step][:, :1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tune", ["frozen", "last", "lora", "all"])
def test_the_places_of_a_pyramid_are_tokens(tune: str, tmp_path: Path) -> None:
    eye, seen = perception("motion"), clip().observation
    acting = conditioned("motion", tune=tune)
    pooled = WorldModel.for_spec(WORLD, encoders={"pixels": Pretrained(eye.config, pool="mean", tune=tune)}).eval()
    pooled.load_from(eye)
    frame = {"pixels": seen["pixels"][:, 2]}
    expected = F.layer_norm(eye.encode(frame, tokens=True), (24,))
    assert expected.shape == (2, 4, 24)
    torch.testing.assert_close(acting.encode(seen)[:, 2], expected.flatten(1), rtol=1e-4, atol=1e-5)
    latent = pooled.encoder.projector(eye.encode(frame))
    torch.testing.assert_close(pooled.encode(frame), latent, rtol=1e-4, atol=1e-5)
    found = {name for name, value in acting.encoder.named_parameters() if value.requires_grad}
    every = {name for name, _ in acting.encoder.named_parameters()}
    assert (
        found
        == {
            "frozen": set(),
            "last": {name for name in every if name.startswith("encoder.levels.2.1.")},
            "lora": {name for name in every if name.endswith((".a", ".b"))},
            "all": every,
        }[tune]
    )
    assert found or tune == "frozen"
    Prediction().loss(acting.train().forecast(clip()), 0).backward()
    tc.checkpoint.save(tmp_path / "model", acting.eval())
    loaded = tc.checkpoint.load_model(tmp_path / "model", kind=ActionConditioned)
    torch.testing.assert_close(loaded.encode(seen), acting.encode(seen))


def test_latents_from_before_stand_for_the_frozen_encoder() -> None:
    model, seen = conditioned(), clip()
    frames = model.frames
    tokens = frames.encode(seen.observation, tokens=True)
    assert tokens.shape == (2, 5, 4, 24)
    torch.testing.assert_close(frames.encode(seen.observation), tokens.mean(dim=2))
    model.encoder.register_forward_hook(lambda *_: pytest.fail("the encoder was asked"))
    with torch.no_grad():
        given = model.forecast(dataclasses.replace(seen, observation={}, latents=tokens), ForecastRequest(2))
        model.encoder._forward_hooks.clear()
        for one, other in zip(given.predictions, model.forecast(seen, ForecastRequest(2)).predictions, strict=True):
            torch.testing.assert_close(one, other)
    with pytest.raises(SpecError, match=r"\[B, T, 4, 24\]; got \[2, 5, 3, 24\]"):
        model.forecast(dataclasses.replace(seen, latents=tokens[:, :, :3]))
    with pytest.raises(ConfigError, match="with tune='lora' they change"):
        conditioned(tune="lora").forecast(dataclasses.replace(seen, latents=tokens))


HAND = Spec({**WORLD.modalities, "hand": Modality("vector", (2,))}, WORLD.action)


def held(frameskip: int = 1, history: int = 1) -> tuple[ActionConditioned, Clip]:
    """A model that sees the pose of a hand, and a clip in which every action moves the hand by itself."""
    model = ActionConditioned.for_spec(
        HAND, perception=perception().config, pose="hand", frameskip=frameskip, history=history, **PREDICTOR
    ).eval()
    for parameter in model.predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.load_from(perception())
    means = {"pixels": (0.5,) * 3, "hand": (0.3, -0.2), "action": (0.1, 0.0)}
    model.set_statistics(tc.types.Statistics(means, {"pixels": (0.2,) * 3, "hand": (0.5, 2.0), "action": (0.4, 0.6)}))
    seen = clip(frameskip=frameskip)
    moved = seen.action.reshape(2, 4, frameskip, 2).sum(2).cumsum(1)
    hand = torch.cat([torch.zeros(2, 1, 2), moved], dim=1) + 0.7
    return model, dataclasses.replace(seen, observation={**seen.observation, "hand": hand})


@pytest.mark.parametrize("frameskip", [1, 3])
def test_actions_move_the_pose_in_imagination(frameskip: int) -> None:
    model, seen = held(frameskip, history=3)
    shown = model.config.feature_size
    with torch.no_grad():
        latents = model.encode(seen.observation)
        assert latents.shape == (2, 5, shown + 2)
        torch.testing.assert_close(
            latents[..., shown:] * torch.tensor([0.5, 2.0]) + torch.tensor([0.3, -0.2]), seen.observation["hand"]
        )
        forecast = model.forecast(seen, ForecastRequest(steps=3))
        for step, told in enumerate(forecast.predictions, 1):
            true = latents[:, step : step + told.shape[1], shown:]
            torch.testing.assert_close(told[..., shown:], true, rtol=1e-4, atol=1e-5)
        # Step by step what the predictor says, which sees the pose: elsewhere it says something else.
        candidates = seen.action[:, None, 2:].repeat(1, 40, 1, 1)
        rolled = model.rollout(Context(latents[:, :3], seen.action[:, :2]), candidates)
        known = latents[:, :3]
        for step in range(2):
            following = model.predict(known, seen.action[:, : step + 3])[:, -1:]
            torch.testing.assert_close(rolled[:, 33, step], following[:, 0], rtol=1e-3, atol=1e-4)
            known = torch.cat([known, following], dim=1)
        elsewhere = torch.cat([latents[..., :shown], latents[..., shown:] + 1.0], dim=-1)
        told = [model.predict(some[:, :-1], seen.action)[..., :shown] for some in (latents, elsewhere)]
        assert not torch.allclose(*told, atol=1e-3)
        tokens = model.frames.encode(seen.observation, tokens=True)
        given = model.forecast(dataclasses.replace(seen, latents=tokens), ForecastRequest(2))
        torch.testing.assert_close(given.latents, latents, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("pose", "spec", "message"),
    [
        ("hant", HAND, "there is no 'hant' to be the pose. Did you mean 'hand'"),
        ("pixels", HAND, "'pixels' is pixels of shape"),
        ("hand", dataclasses.replace(HAND, action=Box((-1.0,), (1.0,))), "an action has 1"),
        ("hand", dataclasses.replace(HAND, action=tc.Discrete(2)), "a continuous action"),
    ],
)
def test_a_pose_that_actions_cannot_move_is_refused(pose: str, spec: Spec, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ActionConditioned.for_spec(spec, perception=perception().config, pose=pose)


@pytest.mark.parametrize(("tune", "learns"), [
    ("frozen", lambda name: False),
    ("last", lambda name: name.startswith(("encoder.blocks.1.", "encoder.norm."))),
    ("lora", lambda name: name.endswith((".a", ".b"))),
    ("all", lambda name: True),
])  # fmt: skip
def test_what_is_tuned_learns_and_the_rest_stays(tune: str, learns: object, tmp_path: Path) -> None:
    eye = perception()
    for model in (
        ActionConditioned.for_spec(WORLD, perception=eye.config, tune=tune, **PREDICTOR),
        WorldModel.for_spec(WORLD, encoders={"pixels": Pretrained(eye.config, tune=tune)}, latent=8),
    ):
        model.load_from(eye)
        inner = model.encoder if isinstance(model, ActionConditioned) else model.encoder.encoders["pixels"].eye
        before = {name: value.clone() for name, value in inner.named_parameters()}
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
        for _ in range(2):  # what LoRA adds is zero at first, and so is the gradient of one of its factors
            Prediction().loss(model.train().forecast(clip()), 0).backward()
            optimizer.step()
        for name, value in inner.named_parameters():
            assert value.requires_grad == learns(name), name
            assert torch.equal(value, before[name]) != learns(name), name
        tc.checkpoint.save(tmp_path / "model", model.eval())
        loaded = tc.checkpoint.load_model(tmp_path / "model", kind=type(model))
        torch.testing.assert_close(loaded.encode(clip().observation), model.encode(clip().observation))


@pytest.mark.parametrize("pool", ["mean", "flat"])
@pytest.mark.parametrize("kind", ["motion", "image"])
def test_a_world_model_sees_what_the_perception_model_makes_of_an_image(kind: str, pool: str) -> None:
    eye = perception(kind)
    model = WorldModel.for_spec(WORLD, encoders={"pixels": Pretrained(eye.config, pool=pool)}, latent=8)
    model.load_from(eye)
    frames = clip(steps=8).observation["pixels"].flatten(0, 1)
    looking = ActionConditioned.for_spec(WORLD, perception=eye.config, **PREDICTOR)
    looking.load_from(eye)
    tokens = looking.encoder(frames)
    features = tokens.mean(dim=1) if pool == "mean" else tokens.flatten(1)
    standard = (features - features.mean(dim=0)) / (features.var(dim=0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(model.train().encode({"pixels": frames}), model.encoder.projector(standard))
    model.eval()
    one = torch.cat([model.encode({"pixels": frame[None]}) for frame in frames])
    torch.testing.assert_close(model.encode({"pixels": frames}), one, rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="no pretrained encoder"):
        WorldModel.for_spec(WORLD).load_from(eye)
    for other in (model, looking):
        with pytest.raises(ConfigError, match="perception="):
            other.load_from(model)
        with pytest.raises(ConfigError, match="got a MaskedModel" if kind == "motion" else "frames=4 instead of 1"):
            other.load_from(perception("video"))
    with pytest.raises(ConfigError, match="pool is 'flat' or 'mean'; got 'max'"):
        Pretrained(eye.config, pool="max")


def test_what_does_not_fit_is_refused() -> None:
    eye = perception()
    grey = Spec({"grey": Modality("pixels", (1, 16, 16))}, WORLD.action)
    small = Spec({"pixels": Modality("pixels", (3, 6, 16))}, WORLD.action)
    for build in (
        lambda spec, config: ActionConditioned.for_spec(spec, perception=config),
        lambda spec, config: WorldModel.for_spec(spec, encoders={"pixels": Pretrained(config)}),
    ):
        with pytest.raises(ConfigError, match="got a WorldModelConfig"):
            build(WORLD, WorldModel.for_spec(WORLD).config)
        with pytest.raises(ConfigError, match=r"reads pixels of 3 channels; .* is pixels of 1"):
            build(grey, eye.config)
        with pytest.raises(ConfigError, match=r"at least 8 px; .* is of \[6, 16\]"):
            build(small, eye.config)
    with pytest.raises(ConfigError, match=r"perception=model\.config"):
        ActionConditioned.for_spec(WORLD)
    with pytest.raises(ConfigError, match="the encoder of 'pixels' needs the option 'perception'"):
        WorldModel.for_spec(WORLD, encoders={"pixels": "pretrained"})
    for option in ("last", "rank"):
        with pytest.raises(ConfigError, match=f"{option}=2 is an option of tune="):
            Pretrained(eye.config, tune="all", **{option: 2})
    for option in ("tune_last", "tune_rank"):
        with pytest.raises(ConfigError, match=f"{option}=2 is an option of tune="):
            ActionConditioned.for_spec(WORLD, perception=eye.config, tune="all", **{option: 2})
    with pytest.raises(ConfigError, match="tune is one of"):
        ActionConditioned.for_spec(WORLD, perception=eye.config, tune="half")
    with pytest.raises(ConfigError, match="starts='mixed'"):
        conditioned().forecast(clip(), ForecastRequest(2, "every"))


def test_health_is_that_of_what_varies_at_a_place() -> None:
    model, seen = conditioned(), clip(steps=4)
    found = model.monitored(seen, model.forecast(seen))
    assert found.shape == (2 * 4, 4, 24)
    tokens = model.encode(seen.observation).view(2, 4, 4, 24)
    torch.testing.assert_close(found.mean(dim=(0, 1)), tokens.mean(dim=(0, 1, 2)))
    same = seen.observation["pixels"][:1, :1].expand(2, 4, -1, -1, -1)
    still = dataclasses.replace(seen, observation={"pixels": same})
    assert model.monitored(still, model.forecast(still)).std(dim=(0, 1)).max() < 1e-5


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize(("tune", "warned"), [("frozen", False), ("all", True)])
def test_only_an_encoder_that_learns_is_said_to_collapse(tune: str, warned: bool, tmp_path: Path) -> None:
    same = np.zeros((6, 3, 16, 16), np.uint8)
    same[0] = 1  # not constant, which would be a warning of another kind
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 2)).astype(np.float32)
    episodes = tc.data.from_episodes([tc.Episode({"pixels": same}, actions)] * 2, WORLD)
    clips, how = episodes.clips(3), {"steps": 103, "seed": 0, "batch_size": 2, "log_every": 1}
    report = tc.train(conditioned(tune=tune), Prediction(), clips, to=tmp_path, **how)
    assert any("warning" in row for row in report.log) == warned
