"""Recipes have the numbers that their methods published: what is here is written out by hand, not read off the code.

Steps and batches are those for small data; schedules are those of the authors at the same share of the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import tacit as tc
from tacit import masking, planners
from tacit.augmentation import Chain, Flip, RandomResizedCrop
from tacit.masking import Blocks, RandomPatches, TubeMask, Tubes
from tacit.planners import CEM, MPPI
from tacit.training import Augment, DrawMasks, MakeViews

SPEC = tc.Spec({"pixels": tc.Modality("pixels", (3, 32, 32))}, tc.Box((-1.0, -1.0), (1.0, 1.0)))


@dataclass(frozen=True)
class Published:
    """What a method published, as far as its recipe has it.

    Attributes:
        steps: Of the recipe, which the numbers of the steps below are of.
        schedule: By step: learning rate, weight decay, and the share of the target that stays (None: no target).
            At the first step, the last of the warm-up, some on the way that tell a cosine from a line, and the last.
        terms: Each with its weight and the options that matter.
        training: Further options of the training.
    """

    steps: int
    schedule: dict[int, tuple[float, float, float | None]]
    terms: tuple[dict[str, Any], ...]
    training: dict[str, Any]


MASKED_L1 = {"term": "MaskedPrediction", "weight": 1.0, "distance": "l1"}
SKETCHED = {"term": "SIGReg", "slices": 1024, "scale_by_n": True}

PUBLISHED = {
    # 2e-4 to 1e-3 over 40 of 300 epochs, cosine to 1e-6; weight decay 0.04 to 0.4, cosine; EMA 0.996 to 1, a line.
    "ijepa": Published(
        10_000,
        {
            0: (2.0e-4, 0.04, 0.996),
            1_332: (1.0e-3, 0.0555, 0.99653),
            2_500: (9.56e-4, 0.0927, 0.997),
            5_000: (6.20e-4, 0.22, 0.998),
            9_999: (1.0e-6, 0.4, 1.0),
        },
        ({"term": "MaskedPrediction", "weight": 1.0, "distance": "smooth_l1"},),
        {"clip_norm": None},
    ),
    # 2e-4 to 6.25e-4 over 40 of 300 epochs, cosine to 1e-6 at epoch 375; weight decay and EMA 0.998 to 1 likewise.
    "vjepa": Published(
        10_000,
        {
            0: (2.0e-4, 0.04, 0.998),
            1_332: (6.25e-4, 0.05, 0.99821),
            2_500: (6.083e-4, 0.0744, 0.9984),
            5_000: (4.71e-4, 0.1644, 0.9988),
            9_999: (7.51e-5, 0.3656, 0.9996),
        },
        (MASKED_L1,),
        {"clip_norm": 10.0},
    ),
    # 1e-4 to 5.25e-4 over 40 of 800 epochs, then constant, and in the cool-down a line that ends at 1e-6, of which
    # one of 1,001 parts is left at the last step; weight decay and EMA constant.
    "vjepa2": Published(
        10_000,
        {
            0: (1.0e-4, 0.04, 0.99925),
            499: (5.25e-4, 0.04, 0.99925),
            2_500: (5.25e-4, 0.04, 0.99925),
            8_999: (5.25e-4, 0.04, 0.99925),
            9_500: (2.63e-4, 0.04, 0.99925),
            9_999: (1.52e-6, 0.04, 0.99925),
        },
        (MASKED_L1,),
        {"clip_norm": None},
    ),
    # 7.5e-5, of which the first step is one of 250 away, to 4.25e-4, constant, and a line to 0, of which one of 251
    # parts is left at the last step.
    "vjepa2_ac": Published(
        5_000,
        {
            0: (7.8e-5, 0.04, None),
            249: (4.25e-4, 0.04, None),
            2_500: (4.25e-4, 0.04, None),
            4_749: (4.25e-4, 0.04, None),
            4_875: (2.117e-4, 0.04, None),
            4_999: (1.69e-6, 0.04, None),
        },
        (
            {"term": "Prediction", "weight": 1.0, "steps": 1, "starts": "mixed", "distance": "l1"},
            {"term": "Rollout", "weight": 1.0, "steps": 2, "distance": "l1"},
        ),
        {},
    ),
    # 5e-4, cosine to a thousandth; lambda 0.05, which the prediction has the rest of.
    "lejepa": Published(
        10_000,
        {
            0: (5.0e-7, 0.05, None),
            999: (5.0e-4, 0.05, None),
            2_500: (4.665e-4, 0.05, None),
            5_499: (2.503e-4, 0.05, None),
            9_999: (5.0e-7, 0.05, None),
        },
        ({"term": "Invariance", "weight": 0.95, "around": "whole"}, {**SKETCHED, "weight": 0.05}),
        {"clip_norm": None},
    ),
    "mae": Published(
        10_000,
        {
            0: (2.0e-6, 0.05, None),
            499: (1.0e-3, 0.05, None),
            2_500: (8.946e-4, 0.05, None),
            9_999: (0.0, 0.05, None),
        },
        ({"term": "MaskedPrediction", "weight": 1.0, "distance": "mse"},),
        {"betas": (0.9, 0.95), "clip_norm": None},
    ),
    "lewm": Published(
        20_000,
        {999: (5.0e-5, 1e-3, None), 19_999: (5.0e-7, 1e-3, None)},
        (
            {"term": "Prediction", "weight": 1.0, "steps": 1, "distance": "mse", "stop_gradient": False},
            {**SKETCHED, "weight": 0.09, "over": "step"},
        ),
        {"batch_size": 128, "clip_norm": 1.0, "precision": "bf16"},
    ),
    "pldm": Published(
        10_000,
        {499: (7.0e-4, 0.0, None)},
        (
            {"term": "Prediction", "weight": 1.0, "steps": 15, "starts": "first", "distance": "mse"},
            {"term": "Variance", "weight": 3.98, "over": "batch", "frames": [0, 1]},
            {"term": "Covariance", "weight": 6.92, "over": "batch", "frames": [0, 1]},
            {"term": "Variance", "weight": 0.245, "over": "time", "frames": [1, None]},
            {"term": "Covariance", "weight": 0.0, "over": "time"},
            {"term": "TimeSimilarity", "weight": 0.742},
            {"term": "InverseDynamics", "weight": 1.07},
        ),
        {"batch_size": 64},
    ),
}

SHORT_AND_LONG = Tubes((TubeMask(8, (0.15, 0.15), (0.75, 1.5)), TubeMask(2, (0.7, 0.7), (0.75, 1.5))), 1, 1.0)

SEEN = {
    "ijepa": (
        RandomResizedCrop((32, 32), (0.3, 1.0), (3 / 4, 4 / 3)),
        Blocks(blocks=4, scale=(0.15, 0.2), aspect=(0.75, 1.5), context_scale=(0.85, 1.0), min_keep=10),
        {"frames": 1, "mask_tokens": 1, "positions": "sincos", "target": "ema"},
    ),
    "vjepa": (
        Chain((RandomResizedCrop((32, 32), (0.3, 1.0), (0.75, 1.35)), Flip(0.5))),
        SHORT_AND_LONG,
        {"frames": 16, "frameskip": 4, "tubelet": 2, "mask_tokens": 2, "positions": "sincos", "target": "ema"},
    ),
    "vjepa2": (
        Chain((RandomResizedCrop((32, 32), (0.3, 1.0), (0.75, 1.35)), Flip(0.5))),
        SHORT_AND_LONG,
        {"frames": 16, "frameskip": 4, "tubelet": 2, "mask_tokens": 2, "positions": "rope", "target": "ema"},
    ),
    "mae": (
        RandomResizedCrop((32, 32), (0.2, 1.0), (3 / 4, 4 / 3)),
        RandomPatches(ratio=0.75),
        {"frames": 1, "mask_tokens": 1, "target": "pixels", "normalised_pixels": True},
    ),
}
"""Crop, masks, and what the model is told of them, for images of 32 px."""


@pytest.mark.parametrize(("name", "step"), [(name, step) for name, one in PUBLISHED.items() for step in one.schedule])
def test_schedules(name: str, step: int) -> None:
    recipe, published = tc.recipes.load(name)(), PUBLISHED[name]
    assert recipe.steps == published.steps
    lr, weight_decay, stays = published.schedule[step]
    config = recipe.training
    assert config.lr_at(step, recipe.steps) == pytest.approx(lr, rel=0.01, abs=1e-9)
    assert config.weight_decay_at(step, recipe.steps) == pytest.approx(weight_decay, rel=2e-3)
    if stays is not None:
        assert config.ema_decay_at(step, recipe.steps) == pytest.approx(stays, abs=1e-5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_learning_rate_is_largest_at_the_end_of_the_warm_up(name: str) -> None:
    recipe, (first, *_) = tc.recipes.load(name)(), [step for step in PUBLISHED[name].schedule if step]
    rates = [recipe.training.lr_at(step, recipe.steps) for step in range(recipe.steps)]
    assert rates.index(max(rates)) == first


@pytest.mark.parametrize("name", PUBLISHED)
def test_terms_and_options(name: str) -> None:
    recipe, published = tc.recipes.load(name)(), PUBLISHED[name]
    terms = recipe.build_objective().describe()
    assert [term["term"] for term in terms] == [term["term"] for term in published.terms]
    for term, wanted in zip(terms, published.terms, strict=True):
        assert {key: term[key] for key in wanted} == wanted
    assert {key: vars(recipe.training)[key] for key in published.training} == published.training


@pytest.mark.parametrize("name", SEEN)
def test_crops_and_masks(name: str) -> None:
    crop, masks, wanted = SEEN[name]
    recipe = tc.recipes.load(name)(size="nano")
    assert recipe.masking.build(masking.load) == masks
    model = recipe.build_model(SPEC, seed=0)
    assert {key: vars(model.config)[key] for key in wanted} == wanted
    assert len(model.predictor.mask) == wanted["mask_tokens"]
    assert recipe.transforms(model) == (Augment(crop, "pixels"), DrawMasks(masks, model.grid))


def test_the_masks_of_videos_are_published_ones_by_default() -> None:
    assert Tubes() == SHORT_AND_LONG
    assert Blocks() == SEEN["ijepa"][1]


def test_the_views_of_lejepa() -> None:
    recipe = tc.recipes.LeJEPA(size="nano")
    model = recipe.build_model(SPEC, seed=0)
    (viewed,) = recipe.transforms(model)
    assert isinstance(viewed, MakeViews)
    assert viewed.crops.counts == (2, 6)
    assert viewed.crops.scales == ((0.3, 1.0), (0.05, 0.3))
    assert viewed.crops.sizes == ((32, 32), (16, 16))  # 98 of 224 px, in whole patches of 4
    shares = [part.p for part in viewed.crops.photometric.parts]
    assert shares == [0.5, 0.8, 0.2, 0.5, 0.2]  # flip, colours, grey, blur, solarise


def test_the_planners_of_agents() -> None:
    made = {name: tc.recipes.load(name)().acting for name in ("vjepa2_ac", "lewm", "pldm")}
    assert made["vjepa2_ac"].planner.build(planners.load) == CEM(
        samples=400, iterations=10, elites=10, std=1.0, mean_momentum=0.15, std_momentum=0.15
    )
    assert (made["vjepa2_ac"].horizon, made["vjepa2_ac"].replan_every) == (2, 1)
    assert made["vjepa2_ac"].cost == (tc.recipes.Part("goal", {"metric": "l1"}),)
    assert made["lewm"].planner.build(planners.load) == CEM(samples=300, iterations=30, elites=30, std=1.0)
    assert (made["lewm"].horizon, made["lewm"].replan_every) == (5, 5)
    assert made["pldm"].planner.build(planners.load) == MPPI(samples=2_000)


@pytest.mark.parametrize(("name", "clip", "frameskip"), [
    ("ijepa", 1, 1), ("vjepa", 16, 4), ("vjepa2", 16, 4), ("vjepa2_ac", 8, 1), ("lejepa", 1, 1), ("lewm", 4, 5),
    ("pldm", 16, 1),
])  # fmt: skip
def test_windows(name: str, clip: int, frameskip: int) -> None:
    recipe = tc.recipes.load(name)()
    assert recipe.clip == clip
    assert dict(recipe.model).get("frameskip", 1) == frameskip
