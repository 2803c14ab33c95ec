"""Every recipe is plain values that build, train for a step and act, and that options replace by name."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import tacit as tc
from tacit._config import from_json, to_json
from tacit.errors import CheckpointError, ConfigError
from tacit.recipes._online import online_probe
from tacit.types import Box, Discrete, Modality, Spec

NAMES = tc.recipes.names()
ACTING = [name for name in NAMES if issubclass(tc.recipes.load(name), tc.recipes.AgentRecipe)]
SEEING = [name for name in NAMES if name not in ACTING]
SHOOTING = {"name": "random_shooting", "options": {"samples": 16}}
LIGHT = {
    "acting.planner": SHOOTING,
    "acting.horizon": 2,
    "acting.replan_every": 1,
    "policy_steps": 2,
    "critic.steps": 2,
}


@pytest.fixture(scope="module")
def episodes() -> tc.data.Episodes:
    rng = np.random.default_rng(0)
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, 64, 64))}, tc.Box((-1.0, -1.0), (1.0, 1.0), "delta"))
    recorded = [
        tc.Episode(
            {"pixels": rng.integers(0, 256, (91, 3, 64, 64), dtype=np.uint8)},
            rng.uniform(-1, 1, (90, 2)).astype(np.float32),
        )
        for _ in range(2)
    ]
    return tc.data.from_episodes(recorded, spec)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_json(name: str) -> None:
    recipe = tc.recipes.load(name)()
    assert from_json(type(recipe), to_json(recipe)).with_options({}) == recipe.with_options({})


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize("name", ACTING)
def test_a_recipe_learns_and_acts(name: str, episodes: tc.data.Episodes, tmp_path: Path) -> None:
    recipe = tc.recipes.load(name)().with_options({**LIGHT, "training.batch_size": 2, "training.precision": "float32"})
    if name == "lewm":
        predictor = {**recipe.model["predictor"], "depth": 1, "out_width": 32}
        sizes = {"projector_width": 32, "encoders": {"pixels": {"depth": 1}}, "predictor": predictor}
        recipe = dataclasses.replace(recipe, model={**recipe.model, **sizes})
    if name == "vjepa2_ac":
        small = {"size": "nano", "clip": 2, "model.frameskip": 1, "training.batch_size": 2}
        videos = tc.recipes.VJEPA2().with_options(small)
        videos.train(videos.build_model(episodes.spec, 0), episodes, seed=0, to=tmp_path / "videos", steps=1)
        recipe = recipe.with_options({"encoder": str(tmp_path / "videos")})
    agent = recipe.learn(episodes, seed=0, to=tmp_path / "run", steps=1)
    first = episodes[0].observation["pixels"][:1]
    action, verdict, _ = agent.act(agent.start(seed=0, goal={"pixels": first}), {"pixels": first})
    assert verdict.ok, verdict.reason
    assert action.shape == (1, 2)
    assert np.abs(action).max() <= 1
    agent.save(tmp_path / "agent")
    again = tc.Agent.load(tmp_path / "agent")
    same, _, _ = again.act(again.start(seed=0, goal={"pixels": first}), {"pixels": first})
    np.testing.assert_allclose(same, action, atol=1e-4)


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize("name", SEEING)
def test_a_recipe_learns_and_sees(name: str, episodes: tc.data.Episodes, tmp_path: Path) -> None:
    small = {"size": "nano", "steps": 2, "training.batch_size": 2}
    recipe = tc.recipes.load(name)().with_options(small)
    if name == "lejepa":
        recipe = dataclasses.replace(recipe, model={"projector": (8,), "embedding": 4})
    model = recipe.build_model(episodes.spec, seed=0)
    before = {key: value.clone() for key, value in model.encoder.state_dict().items()}
    recipe.train(model, episodes, seed=0, to=tmp_path / "run")
    loaded = tc.checkpoint.load_model(tmp_path / "run", kind=recipe.kind)
    window = {"pixels": np.stack([episodes[0].observation["pixels"][: recipe.clip]])}
    assert loaded.encode(window).shape == (1, 96)
    tokens = loaded.encode(window, tokens=True)
    assert tokens.shape == (1, np.prod(model.encoder.grid), 96)
    changed = [not value.equal(before[key]) for key, value in model.encoder.state_dict().items() if "qkv.weight" in key]
    assert all(changed)


def numbers(kind: str, rate: float | None, fps: float) -> tc.Spec:
    return tc.Spec({"signal": tc.Modality(kind, (2,), rate)}, fps=fps)


@pytest.mark.parametrize(("spec", "options", "frames", "frameskip", "grid"), [
    (numbers("series", 100.0, 100.0), {}, 1, 400, 50),
    (numbers("series", 100.0, 10.0), {}, 1, 40, 50),
    (numbers("series", 360.0, 1.0), {}, 1, 4, 60),
    (numbers("series", 1.0, 1.0), {}, 1, 16, 16),
    (numbers("series", 0.1, 10.0), {}, 1, 1600, 16),
    (numbers("series", 100.0, 10.0), {"model.frameskip": 20}, 1, 20, 50),
    (numbers("series", 100.0, 10.0), {"model.patch": 100}, 1, 40, 4),
    (numbers("series", 100.0, 10.0), {"clip": 8}, 8, 5, 50),
    (numbers("vector", None, 10.0), {}, 40, 1, 40),
    (numbers("vector", None, 50.0), {}, 200, 1, 50),
    (numbers("vector", None, 1.0), {}, 16, 1, 16),
    (numbers("vector", None, 50.0), {"model.frameskip": 2, "model.frames": 70}, 70, 2, 35),
])  # fmt: skip
@pytest.mark.parametrize("name", ["ijepa", "mae", "vjepa", "vjepa2"])
def test_numbers_have_a_window_of_their_own(
    name: str, spec: tc.Spec, options: dict[str, object], frames: int, frameskip: int, grid: int
) -> None:
    recipe = tc.recipes.load(name)().with_options({"size": "nano", **options})
    chosen = recipe.options(spec)
    assert (chosen["frames"], chosen["frameskip"]) == (frames, frameskip)
    config = tc.models.MaskedModelConfig(spec, **{"modality": "", **chosen})
    assert config.extent[0] // config.patch == grid
    assert "mask_tokens" not in recipe.model or config.mask_tokens == recipe.model["mask_tokens"]


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize("name", ["ijepa", "vjepa2"])
def test_joint_angles_are_learned_from_and_a_mask_may_be_another(name: str, tmp_path: Path) -> None:
    rng, spec = np.random.default_rng(0), numbers("vector", None, 10.0)
    walks = [rng.normal(size=(60, 2)).astype(np.float32).cumsum(0) for _ in range(3)]
    angles = tc.data.from_episodes([tc.Episode({"signal": one}, np.empty((59, 0), np.float32)) for one in walks], spec)
    recipe = tc.recipes.load(name)().with_options({"size": "nano", "training.batch_size": 2})
    model = recipe.build_model(spec, seed=0)
    assert isinstance(recipe.transforms(model)[-1].masking, tc.masking.Spans)
    recipe.train(model, angles, seed=0, to=tmp_path, steps=1)
    other = recipe.with_options({"masking": {"name": "future"}})
    assert isinstance(other.transforms(model)[-1].masking, tc.masking.Future)


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize("side", [48, 96])
def test_images_of_another_size_are_resized_where_they_are_not_cropped(
    side: int, episodes: tc.data.Episodes, tmp_path: Path
) -> None:
    small = {"size": "nano", "crop": [], "model.side": side, "training.batch_size": 2}
    recipe = tc.recipes.IJEPA().with_options(small)
    model = recipe.build_model(episodes.spec, seed=0)
    resize, masks = recipe.transforms(model)
    clip = masks(resize(episodes.clips(1).batch(0, 0, 2), seed=0, rank=0), seed=0, rank=0)
    assert clip.observation["pixels"].shape == (2, 1, 3, side, side)
    recipe.train(model, episodes, seed=0, to=tmp_path, steps=1)
    same = recipe.with_options({"model.side": 64})
    assert len(same.transforms(same.build_model(episodes.spec, seed=0))) == 1


@pytest.mark.parametrize(("options", "message"), [
    ({"training.lrr": 1.0}, r"no option 'lrr'\. Did you mean 'lr'\?"),
    ({"trainin.lr": 1.0}, r"no option 'trainin\.lr'\. Did you mean 'training'\?"),
    ({"steps": "many"}, "steps must be int; got 'many'"),
])  # fmt: skip
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tc.recipes.TwoRooms().with_options(options)


def test_options_of_predictor_and_encoders_are_set_by_dotted_names() -> None:
    spec = tc.Spec({"front": tc.Modality("pixels", (3, 16, 16))}, tc.Box((-1.0,), (1.0,)))
    options = {"model.predictor": "gru", "model.predictor.final_norm": True, "model.encoders.pixels.width": 4}
    config = tc.recipes.TwoRooms().with_options(options).build_model(spec, 0).config
    assert config.predictor == tc.models.predictors.GRU(final_norm=True)
    assert config.encoders == {"front": tc.models.encoders.Conv(width=4)}
    wider = tc.recipes.Reacher().with_options({"model.predictor.width": 8}).build_model(spec, 0).config
    assert wider.predictor == tc.models.predictors.Transformer(history=2, width=8, heads=2)


def test_an_unknown_option_of_a_part_is_named() -> None:
    part = tc.recipes.Part("sigreg", {"slicez": 3})
    with pytest.raises(ConfigError, match=r"'sigreg' has no option 'slicez'\. Did you mean 'slices'\?"):
        part.build(tc.objectives.load)


@pytest.mark.parametrize("name", ["two_rooms", "vjepa2_ac"])
def test_a_run_without_an_eye_is_refused_as_encoder(name: str, episodes: tc.data.Episodes, tmp_path: Path) -> None:
    recipe = tc.recipes.load(name)().with_options({"encoder": str(tmp_path)})
    tc.checkpoint.save(tmp_path / "checkpoint", tc.models.WorldModel.for_spec(episodes.spec))
    with pytest.raises(CheckpointError, match=r"holds a WorldModel; expected a PerceptionModel\. .*vjepa2"):
        recipe.build_model(episodes.spec, 0)
    beats = tc.Spec({"ecg": tc.Modality("series", (2,), rate=10.0)}, fps=10.0)
    tc.checkpoint.save(tmp_path / "checkpoint", tc.models.MaskedModel.for_spec(beats, "nano", frameskip=20, patch=5))
    with pytest.raises(ConfigError, match=r"reads series of 2 channels; .*of the run /"):
        recipe.build_model(episodes.spec, 0)


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize("name", ["two_rooms", "vjepa2_ac"])
def test_a_world_model_looks_with_the_encoder_of_motion(name: str, episodes: tc.data.Episodes, tmp_path: Path) -> None:
    eye = tc.models.MotionContent.for_spec(episodes.spec, "nano")
    tc.checkpoint.save(tmp_path / "eye", eye)
    recipe = tc.recipes.load(name)().with_options({"encoder": str(tmp_path / "eye"), "policy_steps": 0})
    model = recipe.build_model(episodes.spec, 0)
    recipe.train(model, episodes, seed=0, to=tmp_path / "run", steps=1, batch_size=2)
    mine = [value for key, value in model.state_dict().items() if key.endswith("encoder.levels.0.0.up.weight")]
    assert len(mine) == 1 and mine[0].equal(eye.encoder.state_dict()["levels.0.0.up.weight"])


@pytest.mark.parametrize("name", ACTING)
def test_data_without_actions_are_referred_to_recipes_that_need_none(name: str) -> None:
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, 64, 64))})
    with pytest.raises(ConfigError, match=r"these data have none .* ijepa or lejepa for images, vjepa2"):
        tc.recipes.load(name)().build_model(spec, seed=0)


def test_a_planner_is_tried_before_a_training() -> None:
    seen = {"state": tc.Modality("vector", (2,))}
    recipe = tc.recipes.TwoRooms()
    recipe.check(recipe.build_model(tc.Spec(seen, tc.Box((-1.0,), (1.0,))), 0))
    model = recipe.build_model(tc.Spec(seen, tc.types.Discrete(3)), 0)
    with pytest.raises(ConfigError, match=r"searches a Box.*--set 'acting\.planner="):
        recipe.check(model)
    recipe.with_options({"acting.planner": {"name": "cem"}}).check(model)


def test_one_seed_gives_one_model() -> None:
    spec = tc.envs.TwoRooms().spec
    first, again, other = (tc.recipes.TwoRooms().build_model(spec, seed) for seed in (3, 3, 4))
    weights = [next(model.encoder.parameters()) for model in (first, again, other)]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])


def test_the_pretrained_agent_finds_its_way() -> None:
    agent = tc.recipes.pretrained("two_rooms")
    found = tc.evaluation.closed_loop(agent, tc.envs.TwoRooms(), episodes=10, seed=5)
    assert found.success.rate >= 0.8
    with pytest.raises(ConfigError, match="Did you mean 'two_rooms'"):
        tc.recipes.pretrained("two_room")


def test_an_online_probe_tells_how_classes_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spec = tc.Spec({"pixels": tc.Modality("pixels", (1, 28, 28))})
    classes = rng.integers(0, 2, 400)
    bright = (100 * classes[:, None, None, None, None] + rng.integers(0, 100, (400, 1, 1, 28, 28))).astype(np.uint8)
    recorded = [
        tc.Episode({"pixels": one}, np.empty((0, 0), np.float32), labels={"class": np.array([[label]], np.int64)})
        for one, label in zip(bright, classes, strict=True)
    ]
    recipe = tc.recipes.IJEPA().with_options({"size": "nano", "training.batch_size": 8, "probe_every": 2})
    images = tc.data.from_episodes(recorded, spec)
    model = recipe.build_model(spec, seed=0)
    report = recipe.train(model, images, seed=0, to=tmp_path, steps=3)
    watched = [row["probe/knn_class"] for row in report.log if "probe/knn_class" in row]
    assert len(watched) == 2
    assert min(watched) > 0.9


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
@pytest.mark.parametrize("suiting", [True, False])
def test_an_online_probe_takes_only_what_is_a_class(suiting: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spec = tc.Spec({"pixels": tc.Modality("pixels", (1, 24, 24))})
    recorded = []
    for number in range(24):  # some dozens of videos, not hundreds of images
        labels = {
            "folder": np.zeros(6, np.int64),
            "digits": rng.integers(0, 10, (6, 2)),
            "bright": np.full(6, number % 2) if suiting else np.zeros(6, np.int64),
            "speed": rng.normal(size=6).astype(np.float32),
        }
        pixels = 100 * (number % 2) + rng.integers(0, 100, (6, 1, 24, 24))
        recorded.append(tc.Episode({"pixels": pixels.astype(np.uint8)}, np.empty((5, 0), np.float32), labels=labels))
    videos = tc.data.from_episodes(recorded, spec)
    recipe = tc.recipes.IJEPA().with_options({"size": "nano", "training.batch_size": 8})
    report = recipe.train(recipe.build_model(spec, seed=0), videos, seed=0, to=tmp_path, steps=1)
    watched = {key: value for key, value in report.log[-1].items() if key.startswith("probe/")}
    assert list(watched) == ["probe/knn_bright"] * suiting
    assert all(value > 0.9 for value in watched.values())
    # A model whose windows are longer than the videos in one of its parts has no probe.
    longer = tc.models.MaskedModel.for_spec(spec, "nano", frames=7, patch=4)
    assert online_probe(longer, videos, every=1) is None


def test_flips_can_be_left_out(episodes: tc.data.Episodes) -> None:
    recipe = tc.recipes.VJEPA().with_options({"size": "nano", "flip": 0, "crop": []})
    model = recipe.build_model(episodes.spec, seed=0)
    assert len(recipe.transforms(model)) == 1
    augmented, _ = recipe.with_options({"flip": 1.0}).transforms(model)
    assert augmented.augmentation == tc.augmentation.Flip(1.0)


def recorded(spec: Spec, length: int, count: int = 4) -> tc.data.Episodes:
    rng = np.random.default_rng(0)
    made = []
    for index in range(count):
        seen = {
            name: rng.integers(0, 255, (length, *modality.shape)).astype(modality.dtype)
            for name, modality in spec.modalities.items()
        }
        action = np.zeros((length - 1, spec.action.size), np.float32)
        if isinstance(spec.action, Discrete):
            action[np.arange(length - 1), rng.integers(spec.action.n, size=length - 1)] = 1
        made.append(tc.Episode(seen, action, index=index))
    return tc.data.from_episodes(made, spec)


PIXELS, STATE = Modality("pixels", (3, 16, 16)), Modality("vector", (3,))


@pytest.mark.parametrize(
    ("spec", "length", "name", "frameskip", "history"),
    [
        (Spec({"state": STATE}, Discrete(3)), 20, "general", 1, 1),
        (Spec({"state": STATE}, Box((-1.0,), (1.0,))), 61, "general", 1, 1),
        (Spec({"pixels": PIXELS}, Box((-1.0,), (1.0,))), 200, "general", 1, 2),
        (Spec({"pixels": PIXELS, "state": STATE}, Box((-1.0,), (1.0,))), 200, "general", 1, 1),
        (Spec({"pixels": PIXELS}), 1, "ijepa", None, None),
        (Spec({"pixels": PIXELS}), 20, "vjepa2", None, None),
        (Spec({"state": STATE}), 20, "ijepa", None, None),
    ],
)
def test_a_recipe_is_chosen_from_the_data(
    spec: Spec, length: int, name: str, frameskip: int | None, history: int | None
) -> None:
    episodes = recorded(spec, length)
    choice = tc.recipes.suited(episodes)
    recipe = choice.recipe
    assert choice.name == name and choice.reasons and type(recipe) is tc.recipes.load(name)
    if frameskip is not None:
        model = recipe.build_model(spec, 0)
        recipe.check(model)  # its planner searches these actions
        assert (model.frameskip, model.history) == (frameskip, history)
        assert len(recipe.clips(episodes, model))


@pytest.mark.filterwarnings("ignore::tacit.training.CollapseWarning")
def test_a_recipe_distils_the_plans_and_keeps_recorded_actions(episodes: tc.data.Episodes, tmp_path: Path) -> None:
    options = {**LIGHT, "training.batch_size": 2, "policy_steps": 2, "acting.proposals": 5}
    distilled = {"proposal.policy": "distilled", "proposal.searches": 10, "proposal.recorded": 0.25}
    recipe = tc.recipes.TwoRooms().with_options({**options, **distilled, "acting.horizon": 2})
    agent = recipe.learn(episodes, seed=0, to=tmp_path / "run", steps=1)
    assert isinstance(agent.proposal, tc.agent.MixedProposals) and agent.config.proposals == 5
    assert agent.proposal.counts(8) == (6, 2)
    plain = recipe.train_policy(agent.model, episodes, seed=0)
    policy, recorded = agent.proposal.sources
    assert not torch.equal(policy.net.layers[0].weight, plain.net.layers[0].weight)
    assert recorded.blocks.shape[1] == 2
    with pytest.raises(tc.errors.ConfigError, match="policy_steps above 0"):
        recipe.with_options({"policy_steps": 0}).check(agent.model)
    alone = recipe.with_options({"policy_steps": 0, "proposal.policy": "actions"})
    assert isinstance(alone.train_agent(agent.model, episodes, seed=0).proposal, tc.agent.RecordedProposals)
    with pytest.raises(tc.errors.ConfigError, match="recorded between 0 and 1"):
        recipe.with_options({"proposal.recorded": 1.5})
