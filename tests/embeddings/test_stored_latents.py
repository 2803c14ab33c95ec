"""Training of a world model from latents on disk: the same weights as from pixels, and nothing that does not fit."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

import tacit as tc
from tacit._config import to_json
from tacit.cli import main
from tacit.data import Episodes
from tacit.embeddings import Embedded, embedding
from tacit.errors import ConfigError, DataError
from tacit.models import ActionConditioned, FrameEncoder, MaskedModel, WorldModel
from tacit.models.encoders import Pretrained
from tacit.types import Box, Episode, Modality, Spec

CAMERA = Modality("pixels", (3, 16, 16))
WORLD = Spec({"left": CAMERA, "right": CAMERA, "hand": Modality("vector", (2,))}, Box((-1.0, -1.0), (1.0, 1.0)))
VIT = {"width": 24, "depth": 2, "heads": 2, "patch": 8}
PREDICTOR = {"predictor_width": 24, "predictor_depth": 2, "predictor_heads": 2}


def episodes(seed: int = 0) -> Episodes:
    """Videos of noise by two cameras, of 9 to 14 observations, and a hand that actions move."""
    rng, made = np.random.default_rng(seed), []
    for length in range(9, 15):
        seen = {name: rng.integers(0, 256, (length, 3, 16, 16), dtype=np.uint8) for name in ("left", "right")}
        action = rng.uniform(-1, 1, (length - 1, 2)).astype(np.float32)
        hand = np.concatenate([np.zeros((1, 2), np.float32), action.cumsum(axis=0)])
        made.append(Episode({**seen, "hand": hand}, action))
    return tc.data.from_episodes(made, WORLD)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, a checkpoint of a perception model, and what the command line made of the right camera with it."""
    folder = tmp_path_factory.mktemp("embedded")
    tc.data.save(episodes(), folder / "data", "hdf5")
    torch.manual_seed(1)
    eye = MaskedModel.for_spec(WORLD, **VIT, **PREDICTOR, frames=4)
    for parameter in eye.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    eye.set_statistics(episodes().statistics())
    tc.checkpoint.save(folder / "eye", eye)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "SHARD", 10 * 4 * 24 * 4)  # several files, whose borders lie within episodes
        assert run("embed", folder / "eye", folder / "data", "--frames", "right", "--to", folder / "latents") == 0
    return folder


def run(*words: object) -> int:
    try:
        main([*map(str, words), *([] if "--device" in words else ["--device", "cpu"])])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def recipe(place: Path, **options: object) -> tc.recipes.VJEPA2AC:
    chosen = {"encoder": str(place / "eye"), "clip": 3, "model": {"modality": "right", "frameskip": 2, **PREDICTOR}}
    light = {"steps": 4, "training.batch_size": 3, "training.precision": "float32", "training.log_every": 1}
    return tc.recipes.VJEPA2AC().with_options({**chosen, **light, **options})


def trained(place: Path, to: Path, **options: object) -> tuple[ActionConditioned, int]:
    """The model after its training on some of the episodes, and how often its encoder was asked on the way."""
    method, asked = recipe(place, **options), []
    model = method.build_model(WORLD, 0)
    model.encoder.register_forward_hook(lambda *_: asked.append(1))
    method.train(model, tc.data.open(place / "data").split(0.7, seed=0)[0], seed=0, to=to)
    return model, len(asked)


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize("pose", ["", "hand"])
def test_training_from_disk_ends_with_the_weights_of_training_from_pixels(
    place: Path, tmp_path: Path, pose: str
) -> None:
    header = tc.embeddings.open_embedding(place / "latents").header
    assert (header.model, header.shape, header.grid, header.split) == ("FrameEncoder", (4, 24), (2, 2), None)
    assert len(header.files) > 5
    sees = {"model.pose": pose}
    pixels, asked = trained(place, tmp_path / "pixels", **sees)
    assert asked == 4
    latents, asked = trained(place, tmp_path / "latents", latents=str(place / "latents"), **sees)
    assert asked == 0
    before = recipe(place, **sees).build_model(WORLD, 0)
    for name, value in pixels.state_dict().items():
        torch.testing.assert_close(latents.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert not latents.predictor.out.weight.equal(before.predictor.out.weight)
    assert (pixels.predictor.from_state is not None) == bool(pose)
    left, _ = trained(place, tmp_path / "left", **sees, **{"model.modality": "left"})
    assert not torch.allclose(left.predictor.out.weight, latents.predictor.out.weight, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize(
    "model", [{}, {"encoders": {"pixels": {"pool": "mean"}}, "modalities": ["hand", "right"], "target": "ema"}]
)
def test_a_world_model_with_a_small_latent_trains_from_disk_too(
    place: Path, tmp_path: Path, model: dict[str, object]
) -> None:
    chosen = {"encoder": str(place / "eye"), "clip": 3, "steps": 4, "policy_steps": 0, "training.batch_size": 3}
    options = {**chosen, "model": {"modalities": ["right"], "latent": 4, "frameskip": 2, **model}}
    ended, asked = [], []
    for latents in ("", str(place / "latents")):
        method = tc.recipes.TwoRooms(steps=4).with_options({**options, "latents": latents, "objective": [
            {"name": "prediction", "options": {"steps": 2, "starts": "first"}}, {"name": "vicreg"}
        ]})  # fmt: skip
        world = method.build_model(WORLD, 0)
        calls: list[int] = []
        eye = world.encoder.encoders["right"].eye
        eye.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        method.train(world, tc.data.open(place / "data"), seed=0, to=tmp_path / f"run{bool(latents)}")
        ended.append(world.state_dict())
        asked.append(len(calls))
    assert asked == [4, 0]
    for name, value in ended[0].items():
        torch.testing.assert_close(ended[1][name], value, rtol=1e-4, atol=1e-5)
    before = method.build_model(WORLD, 0).encoder
    assert not ended[0]["encoder.projector.layers.0.weight"].equal(before.state_dict()["projector.layers.0.weight"])
    assert ended[0]["encoder.encoders.right.norm.running_mean"].abs().sum() > 0


def test_each_window_gets_the_latents_of_its_own_frames(place: Path) -> None:
    model = recipe(place).build_model(WORLD, 0)
    part = tc.data.open(place / "data").select([4, 1, 5])
    clips = part.clips(3, 2, ["right"])
    stored = Embedded.open(place / "latents", model, part)
    seen = clips.cut(*clips.windows(np.arange(len(clips))))
    found = stored(seen, seed=0, rank=0).latents
    assert found is not None and found.shape == (len(clips), 3, 4, 24)
    torch.testing.assert_close(found, model.frames.encode(seen.observation, tokens=True), rtol=1e-4, atol=1e-5)
    assert repr(stored) == f"Embedded(digest={stored.digest!r}, dtype='float32', frameskip=2)"


def test_latents_opened_for_other_episodes_than_those_to_train_on_are_refused(place: Path, tmp_path: Path) -> None:
    method, data = recipe(place), tc.data.open(place / "data")
    model, part = method.build_model(WORLD, 0), data.select([4, 1, 5])
    for episodes_, fits in ((data, False), (data.select([1, 4, 5]), False), (data.select([4, 1, 5]), True)):
        stored = [Embedded.open(place / "latents", model, episodes_)]
        clips, how = part.clips(3, 2, ["right"]), {"steps": 1, "seed": 0, "batch_size": 2}
        with nullcontext() if fits else pytest.raises(ConfigError, match=r"Embedded\.open\(path, model, clips"):
            tc.train(model, method.build_objective(), clips, to=tmp_path, transforms=stored, **how)


def test_further_transforms_leave_the_latents_in_place(place: Path, tmp_path: Path) -> None:
    method, seen = recipe(place, latents=str(place / "latents")), []
    model = method.build_model(WORLD, 0)

    def look(clip: tc.types.Clip, *, seed: int, rank: int) -> tc.types.Clip:
        seen.append(clip)
        return clip

    model.encoder.register_forward_hook(lambda *_: pytest.fail("the encoder was asked"))
    method.train(model, tc.data.open(place / "data"), seed=0, to=tmp_path, transforms=[look])
    assert len(seen) == 4


@pytest.mark.parametrize("term", ["inverse_dynamics", "sigreg", "vicreg"])
def test_a_trained_encoder_needs_a_term_against_collapse(place: Path, tmp_path: Path, term: str) -> None:
    data, method = tc.data.open(place / "data"), recipe(place, **{"model.tune": "lora", "steps": 1})
    with pytest.raises(ConfigError, match=r"""is trained \(tune\).*objective=\[.*"inverse_dynamics"\}\]"""):
        method.train(method.build_model(WORLD, 0), data, seed=0, to=tmp_path)
    assert not list(tmp_path.iterdir())
    held = method.with_options({"objective": [*map(to_json, method.objective), {"name": term}]})
    held.train(held.build_model(WORLD, 0), data, seed=0, to=tmp_path)


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_latents_in_half_the_precision_train_too(place: Path, tmp_path: Path) -> None:
    words = ("--frames", "right", "--dtype", "bfloat16", "--to", tmp_path / "half")
    assert run("embed", place / "eye", place / "data", *words) == 0
    options = {"training.precision": "bf16", "steps": 1}
    model, asked = trained(place, tmp_path / "run", latents=str(tmp_path / "half"), **options)
    assert asked == 0 and model.predictor.out.weight.isfinite().all()


def test_what_does_not_fit_is_refused(place: Path, tmp_path: Path) -> None:
    model, data = recipe(place).build_model(WORLD, 0), tc.data.open(place / "data")
    with pytest.raises(DataError, match=r"of another dataset: 6 of the 6 .* among its 6.*tacit embed RUN"):
        Embedded.open(place / "latents", model, episodes(seed=1))
    other = recipe(place).build_model(WORLD, 0)
    with torch.no_grad():
        other.encoder.encoder.norm.bias += 1e-3
    with pytest.raises(DataError, match=r"made by a FrameEncoder of digest .* this model, frame by frame, has .*RUN"):
        Embedded.open(place / "latents", other, data)
    left = recipe(place, **{"model.modality": "left"}).build_model(WORLD, 0)
    with pytest.raises(DataError, match="made by a FrameEncoder of digest"):
        Embedded.open(place / "latents", left, data)
    tc.embeddings.embed(model.frames, data, tmp_path / "pooled")
    with pytest.raises(DataError, match="one latent of each frame"):
        Embedded.open(tmp_path / "pooled", model, data)
    held = [{"name": "prediction", "options": {"starts": "mixed"}}, {"name": "inverse_dynamics"}]
    learning = recipe(place, **{"model.tune": "last", "latents": str(place / "latents"), "objective": held})
    with pytest.raises(ConfigError, match="with tune='last' they change at every step"):
        learning.train(learning.build_model(WORLD, 0), data, seed=0, to=tmp_path / "run")
    eye = tc.checkpoint.load_model(place / "eye", kind=MaskedModel)
    for seen, count in (({}, 0), ({"encoders": {"pixels": Pretrained(eye.config)}}, 2)):
        with pytest.raises(ConfigError, match=f"of one camera.* has {count} such cameras"):
            Embedded.open(place / "latents", WorldModel.for_spec(WORLD, **seen), data)
    with pytest.raises(ConfigError, match="a MaskedModel does not"):
        Embedded.open(place / "latents", eye, data)


def test_the_command_line_refuses_models_without_frames(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run_, words, message in (
        ("eye", ("--frames", "middle"), "no modality 'middle'"),
        ("eye", ("--frames", "left", "--source", "raw"), "got --source raw"),
        ("world", ("--frames", "left"), "holds a WorldModel; expected a PerceptionModel"),
        ("nowhere", ("--frames", "left"), "nowhere"),
    ):
        tc.checkpoint.save(place / "world", WorldModel.for_spec(WORLD))
        assert run("embed", place / run_, place / "data", *words, "--to", tmp_path / "latents") == 1
        assert message in " ".join(capsys.readouterr().err.split())
    words = ("--recipe", "vjepa2_ac", "--set", f"encoder={place / 'world'}", "--to", tmp_path / "run")
    assert run("train", place / "data", *words) == 1
    assert "expected a PerceptionModel" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_frames_are_probed_like_other_latents(place: Path) -> None:
    model = tc.checkpoint.load_model(place / "eye", kind=MaskedModel)
    data = tc.data.open(place / "data")
    found = tc.probing.features(FrameEncoder.of(model, WORLD, "right"), data)
    stored = tc.embeddings.open_embedding(place / "latents")
    rows = stored.features.values[torch.arange(len(found))]
    torch.testing.assert_close(found.values, rows.mean(dim=1), rtol=1e-4, atol=1e-5)
