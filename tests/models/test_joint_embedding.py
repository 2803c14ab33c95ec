"""Joint embeddings: one encoder for views of any size, and the terms that compare them."""

from pathlib import Path

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.errors import ConfigError, SpecError
from tacit.models import JointEmbedding
from tacit.objectives import Invariance, MaskedPrediction, SIGReg, VICReg
from tacit.training import MakeViews
from tacit.types import Clip, Modality, Spec, ViewEmbeddings

IMAGES = Spec({"pixels": Modality("pixels", (3, 16, 16))})
SMALL = {"width": 24, "depth": 2, "heads": 2, "patch": 4, "projector": (32,), "embedding": 8}


def made(**options: object) -> JointEmbedding:
    torch.manual_seed(0)
    return JointEmbedding.for_spec(IMAGES, **{**SMALL, **options}).eval()


def clip(*views: torch.Tensor) -> Clip:
    count = len(views[0]) if views else 1
    return Clip({}, torch.empty(count, 0, 0), torch.zeros(count), torch.zeros(count), views=views)


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_views_are_embedded_one_by_one_in_their_order(pool: str) -> None:
    model = made(pool=pool)
    whole, local = torch.rand(3, 2, 3, 16, 16) * 255, torch.rand(3, 4, 3, 8, 8) * 255
    views = model.forecast(clip(whole, local))
    assert views.latents.shape == (3, 6, 8)
    assert views.num_global == 2
    alone = model.projector(model.encode({"pixels": local[1, 2][None]}))
    torch.testing.assert_close(views.latents[1, 4], alone[0], rtol=1e-4, atol=1e-5)


def test_invariance_is_the_distance_from_the_mean_of_the_views() -> None:
    latents = torch.randn(5, 6, 4)
    views = ViewEmbeddings(latents, num_global=2)
    for around, count in (("whole", 2), ("all", 6)):
        total = 0.0
        for item in latents:
            centre = item[:count].mean(0)
            total += sum(float((view - centre).square().sum()) for view in item) / 6 / 5
        assert Invariance(around=around, channels="sum").loss(views, 0).item() == pytest.approx(total, rel=1e-5)
        assert Invariance(around=around).loss(views, 0).item() == pytest.approx(total / 4, rel=1e-5)
    pair = ViewEmbeddings(latents[:, :2], num_global=2)
    vicreg = (latents[:, 0] - latents[:, 1]).square().mean()
    torch.testing.assert_close(4 * Invariance(around="all").loss(pair, 0), vicreg)
    with pytest.raises(ConfigError, match="around is one of whole, all"):
        Invariance(around="some")


def test_it_learns_views_that_agree_and_do_not_collapse(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shade = rng.uniform(0, 255, (256, 1, 3, 1, 1)) + rng.normal(0, 20, (256, 1, 3, 16, 16))
    colours = shade.clip(0, 255).astype(np.uint8)
    episodes = tc.data.from_episodes(
        [tc.Episode({"pixels": one}, np.empty((0, 0), np.float32)) for one in colours], IMAGES
    )
    model = made(embedding=2, projector=(16,))
    crops = tc.augmentation.MultiCrop((2, 2), ((16, 16), (8, 8)), ((0.5, 1.0), (0.2, 0.5)))
    report = tc.train(
        model,
        0.95 * Invariance() + 0.05 * SIGReg(slices=32),
        episodes.clips(1),
        steps=60,
        seed=0,
        to=tmp_path,
        transforms=(MakeViews(crops),),
        batch_size=64,
        lr=2e-3,
        log_every=59,
    )
    last = report.log[-1]
    assert last["loss/invariance"] < 0.3
    assert last["loss/sigreg"] < 0.4 * 64 / 2  # half of what a point scores


def test_what_does_not_fit_is_refused() -> None:
    model = made()
    with pytest.raises(SpecError, match=r"train it with transforms=\[MakeViews"):
        model.forecast(clip())
    with pytest.raises(ConfigError, match="no camera"):
        JointEmbedding.for_spec(Spec({"state": Modality("vector", (3,))}))
    with pytest.raises(ConfigError, match="reads a MaskedForecast; this model makes a ViewEmbeddings"):
        MaskedPrediction().check(JointEmbedding.forecast_type)
    VICReg().check(JointEmbedding.forecast_type)
