"""Small valid files of every kind that Tacit reads."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import av
import gymnasium as gym
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import save_file

import tacit as tc
from data import robot_files, test_edf, test_lerobot_v2
from tacit import checkpoint
from tacit.agent import Agent
from tacit.costs import Effort, Goal
from tacit.models import GoalPolicy, MaskedModel, WorldModel
from tacit.models.goal_policy import GoalPolicyConfig
from tacit.models.masked import MaskedModelConfig
from tacit.nn.masked_predictor import MaskedPredictor
from tacit.nn.vit import VisionTransformer
from tacit.planners import CEM
from tacit.types import Box, Episode, Modality, Spec

__all__ = ["ACTION", "CACHE", "SPECIMENS", "VECTOR", "make"]

ACTION = Box((-1.0, -2.0), (1.0, 2.0))
VECTOR = Spec({"state": Modality("vector", (3,))}, ACTION)
WORLD = Spec(
    {
        "pixels": Modality("pixels", (3, 16, 16)),
        "state": Modality("vector", (3,)),
        "audio": Modality("series", (2,), rate=20.0),
    },
    ACTION,
    fps=10.0,
)
CAMERA = Spec({"pixels": Modality("pixels", (3, 16, 16))})
CACHE = "caches"
"""Where in the folder of a specimen its caches are."""
SPECIMENS: dict[str, Callable[[Path], None]] = {}
"""What makes the specimen of each kind at a path; the path is a folder that exists."""


def specimen(make: Callable[[Path], None]) -> Callable[[Path], None]:
    SPECIMENS[make.__name__] = make
    return make


def make(kind: str, folder: Path) -> Path:
    """Make the specimen of a kind in a folder, which is created."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SPECIMENS[kind](folder)
    return folder


def episode(seed: int, spec: Spec = WORLD, length: int = 6) -> Episode:
    rng = np.random.default_rng(seed)
    observation = {}
    for name, modality in spec.modalities.items():
        shape = (spec.samples(name, length), *modality.shape)
        pixels = modality.kind == "pixels"
        observation[name] = (
            rng.integers(0, 256, shape, dtype=np.uint8) if pixels else rng.normal(size=shape).astype(np.float32)
        )
    action = rng.uniform(spec.action.low, spec.action.high, (length, spec.action.size)).astype(np.float32)
    labels = {"position": rng.normal(size=(length, 2)).astype(np.float32)}
    return Episode(observation, action[:-1], final_action=action[-1], labels=labels, seed=seed, task=f"task {seed % 2}")


def episodes(spec: Spec = WORLD) -> tc.data.Episodes:
    return tc.data.from_episodes([episode(seed, spec, 6 + seed) for seed in range(3)], spec)


@specimen
def lerobot(folder: Path) -> None:
    """A dataset that Tacit wrote, with a camera stored as PNG."""
    tc.data.save(episodes(), folder / "data")


@specimen
def lerobot_foreign(folder: Path) -> None:
    """A dataset as lerobot writes it: no file of Tacit's, a camera stored as video."""
    tc.data.save(episodes(), folder / "data", tc.data.formats.LeRobot(lossless=False))
    (folder / "data/meta/tacit.json").unlink()
    for file in (folder / "data/meta/episodes").glob("*/*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.select([name for name in table.column_names if not name.startswith("tacit/")]), file)


@specimen
def lerobot_cached(folder: Path) -> None:
    """A dataset whose cache of decoded episodes is filled."""
    tc.data.save(episodes(VECTOR), folder / "data")


@specimen
def hdf5(folder: Path) -> None:
    tc.data.save(episodes(), folder / "data.h5", "hdf5")


@specimen
def csv(folder: Path) -> None:
    rows = [f"{0.1 * step:.1f},{np.sin(step):.4f},{np.cos(step):.4f}" for step in range(40)]
    (folder / "plant.csv").write_text("\n".join(["time,level,flow", *rows, ""]))


@specimen
def tsv(folder: Path) -> None:
    rows = [f"2026-01-01 00:00:{step:02d}\t{np.sin(step):.4f}\t{step % 2}" for step in range(40)]
    (folder / "plant.tsv").write_text("\n".join(["date\tlevel\tvalve", *rows, ""]))


@specimen
def parquet(folder: Path) -> None:
    step = np.arange(60)
    table = pa.table({"time": step / 10, "level": np.sin(step), "count": step, "open": step % 2 == 0})
    pq.write_table(table, folder / "plant.parquet")


@specimen
def wfdb(folder: Path) -> None:
    samples = (1000 * np.sin(np.arange(200) / 9)).astype("<i2").reshape(100, 2)
    samples.tofile(folder / "ecg.dat")
    sums = samples.astype(int).sum(axis=0) % 2**16
    lines = [f"ecg.dat 16 200 16 0 {samples[0, n]} {sums[n]} 0 lead{n}" for n in range(2)]
    (folder / "ecg.hea").write_text("\n".join(["ecg 2 250 100", *lines, "# a comment", ""]))


@specimen
def robomimic(folder: Path) -> None:
    robot_files.robomimic(folder / "data.h5")


@specimen
def minari(folder: Path) -> None:
    spaces = gym.spaces.Box(-9, 9, (3,), np.float64), gym.spaces.Box(-2, 2, (2,), np.float32)
    path = robot_files.minari(folder, "arm-v0", spaces, [robot_files.steps(seed, 4) for seed in (0, 1)])
    path.rename(folder / "data")


@specimen
def replay_buffer(folder: Path) -> None:
    robot_files.replay_buffer(folder / "data.zarr")


@specimen
def lerobot_v2(folder: Path) -> None:
    test_lerobot_v2.write(folder / "data")


@specimen
def edf(folder: Path) -> None:
    test_edf.write(folder / "ecg.edf")


@specimen
def images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number, suffix in enumerate(("png", "jpg", "webp", "bmp", "tif", "png")):
        pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        place = folder / "data" / ("cats" if number % 2 else "dogs")
        place.mkdir(parents=True, exist_ok=True)
        image.convert("P").save(place / f"{number}.{suffix}") if number == 5 else image.save(
            place / f"{number}.{suffix}"
        )


@specimen
def videos(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for suffix, codec in (
        ("mp4", "libx264"),
        ("mkv", "libx264"),
        ("avi", "mpeg4"),
        ("webm", "libvpx"),
        ("ts", "mpeg2video"),
    ):
        with av.open(str(folder / f"video.{suffix}"), "w") as container:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            if codec == "mpeg2video":
                stream.rate = 25
            for _ in range(8):
                pixels = np.kron(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))


def world_model() -> WorldModel:
    sizes = {"encoders": {"vector": {"features": 8}}, "predictor": {"width": 8}}
    return WorldModel.for_spec(VECTOR, frameskip=2, latent=8, action_width=4, **sizes).eval()


def masked_model() -> MaskedModel:
    sizes = {"width": 16, "depth": 2, "heads": 2, "predictor_width": 16, "predictor_depth": 1, "predictor_heads": 2}
    return MaskedModel(MaskedModelConfig(CAMERA, patch=8, **sizes)).eval()


@specimen
def checkpoints(folder: Path) -> None:
    checkpoint.save(folder / "world", world_model())
    checkpoint.save(folder / "masked", masked_model())


@specimen
def agent(folder: Path) -> None:
    cost = Goal() + 0.1 * Effort(ACTION) + 2 * Goal(torch.ones(1, 8) / 3)
    policy = GoalPolicy(GoalPolicyConfig(8, ACTION, frameskip=2, width=8))
    planner = CEM(samples=8, elites=2, iterations=2)
    Agent(world_model(), planner, cost, horizon=3, replan_every=2, proposal=policy, fallback="noop").save(
        folder / "agent"
    )


@specimen
def run(folder: Path) -> None:
    """A run as ``tacit train`` leaves it when it is interrupted."""
    from tacit.runs import RunRecord

    tc.data.save(episodes(VECTOR), folder / "data")
    data = tc.data.open(folder / "data")
    model = world_model()
    objective = tc.objectives.Prediction() + 0.1 * tc.objectives.SIGReg()
    note = RunRecord("two_rooms", "data", data.hash(), 0, options={"training": {"lr": 1e-3}})
    with note.begun(folder / "run"):
        pass
    tc.train(
        model, objective, data.clips(4, frameskip=2), steps=3, seed=0, to=folder / "run", batch_size=4, log_every=1
    )


@specimen
def embedding(folder: Path) -> None:
    model = masked_model()
    data = tc.data.from_episodes(
        [
            Episode({"pixels": np.full((1, 3, 16, 16), n, np.uint8)}, np.zeros((0, 0), np.float32), index=n)
            for n in range(8)
        ],
        CAMERA,
    )
    tc.embeddings.embed(model, data, folder / "latents", tokens=True)


@specimen
def collection(folder: Path) -> None:
    """A dataset and the note of what was collected there."""
    tc.collect("point_mass", episodes=2, steps=5, to=folder / "data")


@specimen
def staged(folder: Path) -> None:
    """What a writer leaves that was interrupted."""
    writer = tc.data.Writer(folder / "data", VECTOR)
    writer.__enter__()
    for seed in range(2):
        writer.add(episode(seed, VECTOR))
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def ijepa_weights() -> dict[str, dict[str, torch.Tensor]]:
    """The weights of a small I-JEPA, under the names of its authors."""
    block = {
        "attention_norm": "norm1",
        "qkv": "attn.qkv",
        "merge": "attn.proj",
        "mlp_norm": "norm2",
        "up": "mlp.fc1",
        "down": "mlp.fc2",
    }
    encoder = VisionTransformer(channels=3, size=(16, 16), patch=(8, 8), width=16, depth=1, heads=2, positions="sincos")
    predictor = MaskedPredictor((2, 2), 16, width=16, depth=1, heads=2, positions="sincos")

    def named(module: torch.nn.Module, names: dict[str, str]) -> dict[str, torch.Tensor]:
        out = {}
        for name, value in module.state_dict().items():
            name = f"@{name}"
            for mine, theirs in {**names, **{f".{key}.": f".{one}." for key, one in block.items()}}.items():
                name = name.replace(mine, theirs)
            out[f"module.{name.removeprefix('@')}"] = value.clone()
        return out

    first = named(encoder, {"patches.": "patch_embed.proj.", "position": "pos_embed"})
    first["module.pos_embed"] = first["module.pos_embed"].reshape(1, 4, 16)
    second = named(
        predictor,
        {
            "from_latent": "predictor_embed",
            "@norm.": "predictor_norm.",
            "out.": "predictor_proj.",
            "blocks.": "predictor_blocks.",
            "position": "predictor_pos_embed",
            "mask": "mask_token",
        },
    )
    second["module.mask_token"] = second["module.mask_token"].reshape(1, 1, 16)
    second["module.predictor_pos_embed"] = second["module.predictor_pos_embed"].reshape(1, 4, 16)
    return {"encoder": first, "target_encoder": {k: v.clone() for k, v in first.items()}, "predictor": second}


@specimen
def published(folder: Path) -> None:
    """Weights of authors: a file of PyTorch, and one with numbers of NumPy beside them."""
    torch.save({**ijepa_weights(), "opt": {"state": {0: {"step": 3}}}, "epoch": 7, "lr": 1e-3}, folder / "ijepa.pt")


@specimen
def published_hub(folder: Path) -> None:
    """Weights as the Hugging Face hub has them: shards, an index and a config."""
    weights = {name.removeprefix("module."): value for name, value in ijepa_weights()["encoder"].items()}
    names = sorted(weights)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, some in shards.items():
        save_file({name: weights[name] for name in some}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, some in shards.items() for name in some}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {"image_size": 16, "num_attention_heads": 2, "layer_norm_eps": 1e-6, "hidden_act": "gelu"}
    (folder / "config.json").write_text(json.dumps(config))


def copy(kind: str, source: Path, target: Path) -> Path:
    """A fresh copy of a specimen, with the cache that belongs to its place if it has one."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
    if kind == "lerobot_cached":
        tc.data.open(target / "data", cache=target / CACHE).clips(3).batch(0, 0, 4)
    return target
