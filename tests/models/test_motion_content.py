"""A model of motion and content: what it answers, that it learns both, and the recipe that puts the terms together."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import tacit as tc
from tacit._config import from_json, to_json
from tacit.errors import ConfigError, SpecError
from tacit.models import MotionContent
from tacit.objectives import Invariance, Photometric, Prediction, Smoothness, VICReg
from tacit.recipes import MCJEPA
from tacit.training import MakeViews
from tacit.types import Clip, FlowForecast, ForecastRequest, Modality, Spec

IMAGES = Spec({"pixels": Modality("pixels", (3, 32, 32))})
SMALL = {"widths": (6, 8, 10), "depths": (1, 1, 1), "kernel": 3, "head_width": 8, "expander": (12,), "embedding": 7}


def made(**options: object) -> MotionContent:
    torch.manual_seed(0)
    model = MotionContent.for_spec(IMAGES, **{**SMALL, **options}).eval()
    torch.nn.init.normal_(model.flow_head.out.weight)  # so that it tells some flow
    return model


def clip(count: int = 4, views: bool = True, seed: int = 0) -> Clip:
    draw = torch.Generator().manual_seed(seed)
    pair = torch.randint(0, 256, (count, 2, 3, 32, 32), generator=draw, dtype=torch.uint8)
    seen = (
        255 * torch.rand(count, 2, 3, 32, 32, generator=draw),
        255 * torch.rand(count, 1, 3, 16, 16, generator=draw),
    )
    nothing = torch.empty(count, 1, 0), torch.zeros(count), torch.zeros(count)
    return Clip({"pixels": pair}, *nothing, views=seen if views else ())


def test_it_answers_with_levels_from_coarse_to_fine() -> None:
    model, batch = made(), clip()
    motion = model.forecast(batch, ForecastRequest(directions=2))
    assert motion.latents.shape == (4, 3, 7)
    assert motion.num_global == 2
    torch.testing.assert_close(motion.images, batch.observation["pixels"] / 255.0)
    assert [tuple(level.shape) for level in motion.features] == [(4, 2, 10, 4, 4), (4, 2, 8, 8, 8), (4, 2, 6, 16, 16)]
    assert [tuple(flow.shape) for flow in motion.flows] == [(4, 2, 2, size, size) for size in (4, 8, 16)]
    assert motion.flow.shape == (4, 2, 2, 32, 32)
    finest = F.interpolate(2 * motion.flows[-1][:, 1], (32, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(motion.flow[:, 1], finest)
    assert motion.flow.abs().mean() > 0.1


def test_views_are_embedded_in_their_order() -> None:
    model, batch = made(), clip()
    motion = model.forecast(batch)
    assert motion.flow.shape[1] == 0
    assert (motion.features, motion.flows) == ((), ())
    for view, images in ((1, batch.views[0][:, 1]), (2, batch.views[1][:, 0])):
        alone = model.expander(model.encode({"pixels": images}))
        torch.testing.assert_close(motion.latents[:, view], alone, rtol=1e-4, atol=1e-5)


def test_directions_look_at_each_other() -> None:
    model, batch = made(), clip()
    both = model.forecast(batch, ForecastRequest(directions=2))
    back = model.forecast(batch, ForecastRequest(directions=1))
    torch.testing.assert_close(both.flow[:, :1], back.flow, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.flow(batch.observation), back.flow[:, 0])
    swapped = {"pixels": batch.observation["pixels"].flip(1)}
    torch.testing.assert_close(model.flow(swapped), both.flow[:, 1], rtol=1e-4, atol=1e-5)
    for level, (one, other) in enumerate(zip(both.features, back.features, strict=True)):
        torch.testing.assert_close(one, other, msg=f"level {level}")
        first = model._pyramid(batch.observation["pixels"][:, 0])[level]
        torch.testing.assert_close(one[:, 0], first, rtol=1e-4, atol=1e-4)


def test_it_encodes_images_and_the_last_of_a_window() -> None:
    model = made()
    pair = clip().observation["pixels"]
    tokens = model.encode({"pixels": pair}, tokens=True)
    assert tokens.shape == (4, 16, 10)
    assert model.encoder.grid == (4, 4)
    torch.testing.assert_close(model.encode({"pixels": pair}), tokens.mean(1))
    torch.testing.assert_close(model.encode({"pixels": pair[:, 1]}), tokens.mean(1))
    assert model.encode({"pixels": pair[:, 1].numpy()[:, :, :24]}).shape == (4, 10)


def test_flows_are_single_precision_under_bf16() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        motion = made().forecast(clip(), ForecastRequest(directions=1))
    assert motion.flow.dtype == motion.flows[0].dtype == torch.float32


def moving(count: int, seed: int, side: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth noise ``[N, 2, 1, side, side]`` that moves by up to three pixels, and where the second came from."""
    draw = torch.Generator().manual_seed(seed)
    noise = F.interpolate(torch.randn(count, 1, 10, 10, generator=draw), (side + 6, side + 6), mode="bicubic")
    levels = (128 + 60 * noise).clamp(0, 255).to(torch.uint8)
    vector = torch.randint(-3, 4, (count, 2), generator=draw)
    second = [
        one[:, 3 + y : 3 + y + side, 3 + x : 3 + x + side] for one, (x, y) in zip(levels, vector.tolist(), strict=True)
    ]
    return torch.stack([levels[:, :, 3:-3, 3:-3], torch.stack(second)], dim=1), vector.float()


def test_it_learns_to_see_motion_without_being_told(tmp_path: Path) -> None:
    spec = Spec({"pixels": Modality("pixels", (1, 24, 24))})
    frames, _ = moving(256, seed=0)
    videos = tc.data.from_episodes(
        [tc.Episode({"pixels": video.numpy()}, np.empty((1, 0), np.float32)) for video in frames], spec
    )
    torch.manual_seed(0)
    sizes = {"widths": (12, 16, 16), "depths": (1, 1, 1), "kernel": 3, "head_width": 24, "expander": (16,)}
    model = MotionContent.for_spec(spec, **sizes, embedding=8)
    views = MakeViews(tc.augmentation.MultiCrop((2,), ((24, 24),), ((0.5, 1.0),)))
    objective = Photometric(levels="all") + 10 * Smoothness() + Invariance() + VICReg()
    held_out, true = moving(64, seed=1)

    def error() -> float:
        with torch.no_grad():
            told = model.flow({"pixels": held_out})
        return (told - true[:, :, None, None])[:, :, 4:-4, 4:-4].square().sum(1).sqrt().mean().item()

    before = error()
    report = tc.train(
        model, objective, videos.clips(2), steps=110, seed=0, to=tmp_path, transforms=(views,), batch_size=16, lr=4e-3
    )
    assert before > 2.0
    assert error() < 0.5 * before
    assert report.log[-1]["loss/invariance"] < report.log[0]["loss/invariance"] * 3
    loaded = tc.checkpoint.load_model(tmp_path, kind=MotionContent)
    torch.testing.assert_close(loaded.flow({"pixels": held_out}), model.flow({"pixels": held_out}))


def test_what_does_not_fit_is_refused() -> None:
    model = made()
    with pytest.raises(SpecError, match=r"train it with transforms=\[MakeViews"):
        model.forecast(clip(views=False), ForecastRequest(directions=1))
    single = clip()
    single = Clip({"pixels": single.observation["pixels"][:, :1]}, *[torch.zeros(4)] * 3, views=single.views)
    assert model.forecast(single).flow.shape[1] == 0
    with pytest.raises(SpecError, match="windows of 2 observation"):
        model.forecast(single, ForecastRequest(directions=1))
    with pytest.raises(SpecError, match="the model reads 'pixels'"):
        model.flow({"state": torch.zeros(1, 2, 3)})
    with pytest.raises(ConfigError, match="no camera"):
        MotionContent.for_spec(Spec({"state": Modality("vector", (3,))}))
    with pytest.raises(ConfigError, match=r"no option 'widhts'\. Did you mean 'widths'"):
        MotionContent.for_spec(IMAGES, widhts=(1,))
    with pytest.raises(ConfigError, match="no size called 'huge'"):
        MotionContent.for_spec(IMAGES, "huge")
    with pytest.raises(ConfigError, match="frameskip is at least 1"):
        MotionContent.for_spec(IMAGES, frameskip=0)
    with pytest.raises(ConfigError, match="reads a Forecast; this model makes a FlowForecast"):
        Prediction().check(MotionContent.forecast_type)


def test_the_recipe_weighs_its_terms_as_it_says() -> None:
    objective = MCJEPA().build_objective()
    weights = {term.name: weight for term, weight in objective.terms()}
    assert weights == pytest.approx(
        {
            "photometric": 1.0,
            "flow_regression": 1.0,
            "smoothness": 75.0,
            "cycle": 0.2,
            "pyramid_variance": 1.0,
            "invariance": 100 * 25 * 4,
            "variance": 100 * 25,
            "covariance": 100 * 2 * 255,
        }
    )
    assert set(MCJEPA.MOTION) | {"invariance", "variance", "covariance"} == set(weights)
    assert objective.request() == ForecastRequest(directions=2)
    objective.check(FlowForecast)
    assert MCJEPA().build_model(IMAGES, seed=0).config.embedding == 256


def test_every_term_of_the_recipe_can_be_left_out() -> None:
    for name in (*MCJEPA.MOTION, "invariance", "variance", "covariance"):
        recipe = MCJEPA().with_options({f"weights.{name}": 0})
        weights = {term.name: weight for term, weight in recipe.build_objective().terms()}
        assert [other for other, weight in weights.items() if weight == 0] == [name]
        assert from_json(MCJEPA, to_json(recipe)).build_objective().describe() == recipe.build_objective().describe()
    with pytest.raises(ConfigError, match=r"no term is called 'smothness'\. Did you mean 'smoothness'"):
        MCJEPA(weights={"smothness": 1.0}).build_objective()


def test_the_recipe_trains_every_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    videos = tc.data.from_episodes(
        [
            tc.Episode({"pixels": rng.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)}, np.empty((3, 0), np.float32))
            for _ in range(3)
        ],
        IMAGES,
    )
    recipe = MCJEPA(model=SMALL, steps=3).with_options({"training.batch_size": 4, "training.warmup": 0.0})
    recipe = recipe.with_options({"objective": [*to_json(recipe.objective[:-1]), {"name": "vicreg", "weight": 0.1}]})
    model = recipe.build_model(videos.spec, seed=0)
    before = {name: value.clone() for name, value in model.named_parameters()}
    report = recipe.train(model, videos, seed=0, to=tmp_path)
    assert np.isfinite(report.log[-1]["loss"])
    still = [name for name, value in model.named_parameters() if value.equal(before[name])]
    assert not still
