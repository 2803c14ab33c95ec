"""Masked models: the context sees what is visible, the target everything, and the loss is what it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import tacit as tc
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.models import MaskedModel, Model
from tacit.objectives import MaskedPrediction, VisiblePrediction
from tacit.training import DrawMasks
from tacit.types import Clip, Episode, ForecastRequest, Mask, Modality, Spec

IMAGES = Spec({"pixels": Modality("pixels", (3, 16, 16))})
SERIES = Spec({"ecg": Modality("series", (2,), rate=50.0)}, fps=10.0)
NUMBERS = Spec({"joints": Modality("vector", (5,))})
SMALL = {"width": 24, "depth": 2, "heads": 2, "predictor_width": 24, "predictor_depth": 1, "predictor_heads": 2}
SPLIT = Mask(
    torch.tensor([[0, 1, 2, 6, 9], [3, 4, 8, 12, 15]]), (torch.tensor([[3, 4], [0, 1]]), torch.tensor([[5], [6]]))
)


def made(spec: Spec = IMAGES, **options: object) -> MaskedModel:
    torch.manual_seed(0)
    model = MaskedModel.for_spec(spec, **{**SMALL, "patch": 4, **options}).eval()
    for parameter in model.parameters():  # biases and tokens that start at zero would hide mistakes
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.2)
    model.update_target(0.5)
    return model


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    drawn = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return torch.from_numpy(drawn)


def clip(values: torch.Tensor, *masks: Mask, name: str = "pixels") -> Clip:
    count = len(values)
    return Clip({name: values}, torch.empty(count, 0, 0), torch.zeros(count), torch.zeros(count), masks)


def test_it_predicts_each_block_by_itself_and_compares_with_the_normalised_target() -> None:
    model = made()
    seen = clip(images(2, 1, 3, 16, 16), SPLIT)
    completion = model.forecast(seen)
    mean, std = model.statistics_of("pixels")
    assert model.target_encoder is not None
    for item in range(2):
        one = seen.observation["pixels"][item]
        context = model.encoder(one, mean, std, SPLIT.context[item : item + 1])
        full = F.layer_norm(model.target_encoder(one, mean, std), (24,))
        for index, block in enumerate(SPLIT.targets):
            alone = model.predictor(context, SPLIT.context[item : item + 1], block[item : item + 1])
            torch.testing.assert_close(completion.predictions[index][item], alone[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(completion.targets[index][item], full[0, block[item]], rtol=1e-4, atol=1e-5)
    expected = torch.stack(
        [F.smooth_l1_loss(a, b) for a, b in zip(completion.predictions, completion.targets, strict=True)]
    ).mean()
    torch.testing.assert_close(MaskedPrediction().loss(completion, 0), expected)


def test_the_context_cannot_see_what_is_hidden() -> None:
    model, values = made(), images(1, 1, 3, 16, 16)
    mask = Mask(SPLIT.context[:1], (SPLIT.targets[0][:1],))
    other = values.clone()
    other[:, :, :, 0:4, 12:16] = 255 - other[:, :, :, 0:4, 12:16]  # token 3, hidden
    first, second = (model.forecast(clip(some, mask)) for some in (values, other))
    torch.testing.assert_close(first.predictions, second.predictions)
    assert not torch.allclose(first.targets[0], second.targets[0])
    other[:, :, :, 0:4, 0:4] = 255 - other[:, :, :, 0:4, 0:4]  # token 0, visible
    assert not torch.allclose(first.predictions[0], model.forecast(clip(other, mask)).predictions[0])


def test_gradients_reach_encoder_and_predictor_and_never_the_target() -> None:
    model = made().train()
    completion = model.forecast(clip(images(2, 1, 3, 16, 16), SPLIT))
    MaskedPrediction().loss(completion, 0).backward()
    assert not any(target.requires_grad for target in completion.targets)
    assert model.target_encoder is not None
    assert all(p.grad is None for p in model.target_encoder.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.encoder.parameters())


def test_pixels_as_targets_are_the_patches_normalised_by_themselves() -> None:
    model = made(target="pixels")
    values = images(1, 1, 3, 16, 16)
    mask = Mask(SPLIT.context[:1], (torch.tensor([[7]]),))
    (target,) = model.forecast(clip(values, mask)).targets
    patch = values[0, 0, :, 4:8, 12:16].double()  # row 1, column 3
    patch = (patch / 255 - 0.5) / 0.25
    expected = (patch - patch.mean()) / torch.sqrt(patch.var() + 1e-6)
    torch.testing.assert_close(target[0, 0].double(), expected.flatten(), rtol=1e-4, atol=1e-4)
    assert model.target_encoder is None
    raw = made(target="pixels", normalised_pixels=False)
    torch.testing.assert_close(raw.forecast(clip(values, mask)).targets[0][0, 0].double(), patch.flatten())


def test_visible_tokens_are_weighted_by_their_distance_to_the_hidden() -> None:
    model = made()
    seen = clip(images(2, 1, 3, 16, 16), replace(SPLIT, targets=SPLIT.targets[:1]))
    dense = model.forecast(seen, ForecastRequest(visible=True))
    torch.testing.assert_close(dense.predictions, model.forecast(seen).predictions, rtol=1e-4, atol=1e-5)
    (far,) = dense.distances
    places = [(i // 4, i % 4) for i in SPLIT.context[0].tolist()]
    hidden = [(i // 4, i % 4) for i in SPLIT.targets[0][0].tolist()]
    brute = [min(((a - c) ** 2 + (b - d) ** 2) ** 0.5 for c, d in hidden) for a, b in places]
    assert far[0].tolist() == pytest.approx(brute)
    gap = (dense.visible[0] - dense.visible_targets[0]).abs().mean(-1)
    torch.testing.assert_close(VisiblePrediction().loss(dense, 0), (gap / far.sqrt()).mean())
    objective = MaskedPrediction("l1") + 0.5 * VisiblePrediction()
    assert objective.request() == ForecastRequest(visible=True)


def test_the_weight_of_the_dense_loss_rises_first(tmp_path: Path) -> None:
    recordings = [Episode({"pixels": one.numpy()}, np.zeros((0, 0), np.float32)) for one in images(8, 1, 3, 16, 16)]
    clips, model = tc.data.from_episodes(recordings, IMAGES).clips(1), made()
    objective = MaskedPrediction("l1") + 0.5 * VisiblePrediction(warmup=0.5)
    run = {"steps": 4, "seed": 0, "batch_size": 4, "log_every": 1, "threads": 1}
    masks = [DrawMasks(tc.masking.RandomPatches(), model.grid)]
    log = tc.train(model, objective, clips, to=tmp_path / "run", transforms=masks, **run).log
    weights = [float(row["weighted/visible_prediction"]) / float(row["loss/visible_prediction"]) for row in log]
    assert weights == pytest.approx([0.25, 0.5, 0.5, 0.5])
    assert [row["weighted/masked_prediction"] for row in log] == [row["loss/masked_prediction"] for row in log]
    totals = [float(row["weighted/visible_prediction"]) + float(row["weighted/masked_prediction"]) for row in log]
    assert totals == pytest.approx([row["loss"] for row in log])
    with pytest.raises(ConfigError, match="warmup is a share of the training, between 0 and 1; got 100"):
        VisiblePrediction(warmup=100)


@pytest.mark.parametrize(("spec", "options", "shape", "grid"), [
    (IMAGES, {"frames": 4, "patch": 8}, (4, 3, 16, 16), (2, 2, 2)),
    (IMAGES, {"frames": 4, "patch": 8, "positions": "rope", "width": 36}, (4, 3, 16, 16), (2, 2, 2)),
    (SERIES, {"frames": 1, "frameskip": 10, "patch": 5}, (1, 50, 2), (10,)),
    (SERIES, {"frames": 3, "frameskip": 2, "patch": 5}, (3, 10, 2), (6,)),
    (NUMBERS, {"frames": 12, "patch": 3}, (12, 5), (4,)),
])  # fmt: skip
def test_videos_series_and_vectors_have_tokens_of_their_own(
    spec: Spec, options: dict[str, object], shape: tuple[int, ...], grid: tuple[int, ...]
) -> None:
    model = made(spec, **options)
    assert model.grid == grid
    name = next(iter(spec.modalities))
    values = images(2, *shape) if name == "pixels" else torch.randn(2, *shape)
    assert model.encode({name: values}).shape == (2, model.config.width)
    tokens = model.encode({name: values}, tokens=True)
    assert tokens.shape == (2, np.prod(grid), model.config.width)
    # What changes in the last patch of time changes nothing but by attention: without blocks, one token alone.
    shallow = made(spec, **{**options, "depth": 0})
    before = shallow.encode({name: values}, tokens=True)
    last = values[:, -1, -1:] if values.ndim == 4 else values[:, -1]  # of a series, the last sample
    last += 77
    after = shallow.encode({name: values}, tokens=True)
    moved = (before - after).abs().amax(-1)[0] > 1e-4
    assert moved[-1] and not moved[0]


def test_it_learns_to_tell_the_hidden_half_of_a_stripe(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (200, 1, 1, 1, 1), dtype=np.uint8)
    stripes = np.broadcast_to(levels, (200, 1, 3, 16, 16)).copy()
    episodes = tc.data.from_episodes(
        [Episode({"pixels": one}, np.empty((0, 0), np.float32)) for one in stripes], IMAGES
    )
    torch.manual_seed(0)
    model = MaskedModel.for_spec(IMAGES, **SMALL, patch=4, target="pixels", normalised_pixels=False)
    report = tc.train(
        model,
        MaskedPrediction("mse"),
        episodes.clips(1),
        steps=150,
        seed=0,
        to=tmp_path,
        transforms=(DrawMasks(tc.masking.RandomPatches(0.5), model.grid),),
        batch_size=32,
        lr=3e-3,
        log_every=149,
    )
    # The mean of all images would leave a loss of one, the variance of the data.
    assert report.log[-1]["loss"] < 0.1 < report.log[0]["loss"]


def test_checkpoints_say_what_kind_of_model_they_hold(tmp_path: Path) -> None:
    model = made()
    tc.checkpoint.save(tmp_path / "model", model)
    loaded = tc.checkpoint.load_model(tmp_path / "model", kind=MaskedModel)
    values = images(2, 3, 16, 16)
    assert torch.equal(loaded.encode({"pixels": values}), model.encode({"pixels": values}))
    assert type(tc.checkpoint.load_model(tmp_path / "model", kind=Model)) is MaskedModel
    with pytest.raises(CheckpointError, match="holds a MaskedModel; expected a WorldModel"):
        tc.checkpoint.load_model(tmp_path / "model")


def test_what_does_not_fit_is_refused_with_what_was_expected() -> None:
    model = made()
    with pytest.raises(SpecError, match=r"train it with transforms=\[DrawMasks"):
        model.forecast(clip(images(2, 1, 3, 16, 16)))
    for height, width in ((32, 32), (8, 8), (16, 20)):  # of 8 x 8 the masks point beyond, of 32 x 32 at other places
        grid = (height // 4, width // 4)
        expected = rf"grid \(4, 4\).*grid \({grid[0]}, {grid[1]}\)\. Resize.*Augment\(Resize\(\(16, 16\)\), 'pixels'\)"
        with pytest.raises(SpecError, match=expected):
            model.forecast(clip(images(2, 1, 3, height, width), SPLIT))
    with pytest.raises(SpecError, match=r"must have shape \[B, 1, 3, H, W\]"):
        model.encode({"pixels": images(2, 3, 3, 16, 16)})
    with pytest.raises(SpecError, match="the model reads 'pixels'; the observation has state"):
        model.encode({"state": torch.zeros(2, 3)})
    with pytest.raises(ConfigError, match="Did you mean 'nano'"):
        MaskedModel.for_spec(IMAGES, "nanno")
    with pytest.raises(ConfigError, match="Did you mean 'patch'"):
        MaskedModel.for_spec(IMAGES, pach=3)
    with pytest.raises(ConfigError, match="has no modality 'pixel'; it has pixels"):
        MaskedModel.for_spec(IMAGES, modality="pixel")


@pytest.mark.parametrize("positions", ["rope", "sincos"])
def test_a_model_for_longer_windows_starts_from_the_weights_of_another(tmp_path: Path, positions: str) -> None:
    options = {"positions": positions, "width": 36, "predictor_width": 36, "patch": 8}
    short, long = made(frames=4, **options), made(frames=8, **options)
    short.set_statistics(tc.types.Statistics({"pixels": (0.1, 0.2, 0.3)}, {"pixels": (0.4, 0.5, 0.6)}))
    tc.checkpoint.save(tmp_path / "model", short)
    with torch.no_grad():
        for parameter in long.parameters():
            parameter.zero_()
    tc.checkpoint.start_from(long, tmp_path / "model")
    parameters = dict(short.named_parameters())
    assert all(torch.equal(value, parameters[name]) for name, value in long.named_parameters())
    assert long.statistics == short.statistics
    assert long.grid == (4, 2, 2)
    larger = made(frames=8, side=32, **options)
    tc.checkpoint.start_from(larger, tmp_path / "model")
    assert larger.grid == (4, 4, 4)
    with pytest.raises(CheckpointError, match=r"another model: width: expected 24, found 36; predictor_width: exp"):
        tc.checkpoint.start_from(made(**{**options, "width": 24, "predictor_width": 24}), tmp_path / "model")
    colourless = Spec({"pixels": Modality("pixels", (1, 16, 16))})
    with pytest.raises(CheckpointError, match=r"encoder.patches.weight.*expected torch\.float32 \[36, 1"):
        tc.checkpoint.start_from(made(colourless, frames=8, **options), tmp_path / "model")


@pytest.mark.parametrize(("skip", "fits"), [(1, 2), (3, 2), (5, 4)])
def test_a_window_of_a_signal_has_no_seams(skip: int, fits: int) -> None:
    """At 2.5 samples a step, observations of 3 samples begin with the last one of those before every second time."""
    uneven = Spec({"ecg": Modality("series", (1,), rate=25.0)}, fps=10.0)
    with pytest.raises(ConfigError, match=rf"makes {2.5 * skip:g} with frameskip={skip}\. frameskip={fits} fits, or"):
        made(uneven, frames=6, frameskip=skip)
    assert made(uneven, frameskip=1, patch=1).grid == (3,)
    recording = Episode({"ecg": np.arange(250, dtype=np.float32)[:, None]}, np.zeros((99, 0), np.float32))
    clips = tc.data.from_episodes([recording], uneven).clips(6, frameskip=fits)
    steps = np.diff(clips.batch(0, 0, 8).observation["ecg"].flatten(1).numpy())
    assert (steps == 1).all()
    assert made(uneven, frames=6, frameskip=fits, patch=5).grid == (3 * fits,)
    odd = Spec({"ecg": Modality("series", (1,), rate=100.0)}, fps=2**0.5)
    with pytest.raises(ConfigError, match="No frameskip fits; read the signal at another fps, or take frames=1"):
        made(odd, frames=2)


@pytest.mark.parametrize(
    ("option", "value", "was"),
    [("heads", 3, 2), ("predictor_heads", 3, 2), ("positions", "sincos", "'rope'"), ("norm_eps", 1e-5, "1e-06")],
)
def test_weights_of_another_architecture_are_refused_though_shapes_agree(
    tmp_path: Path, option: str, value: object, was: str
) -> None:
    options = {"positions": "rope", "width": 36, "predictor_width": 36}
    tc.checkpoint.save(tmp_path / "model", made(**options))
    with pytest.raises(CheckpointError, match=rf"{option}: expected {value!r}, found {was}\. Build the model"):
        tc.checkpoint.start_from(made(**{**options, option: value}), tmp_path / "model")
