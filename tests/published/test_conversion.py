"""Published layouts: what they become, what it costs, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from golden.reading import assert_golden, golden
from tacit import checkpoint
from tacit.agent import Agent
from tacit.errors import CheckpointError, ConfigError
from tacit.models import ActionConditioned, MaskedModel, WorldModel
from tacit.models.encoders import Pretrained
from tacit.models.predictors import Transformer
from tacit.nn.block_causal import BlockCausalPredictor
from tacit.nn.masked_predictor import MaskedPredictor
from tacit.nn.vit import VisionTransformer
from tacit.planners import CEM
from tacit.published import convert
from tacit.published._safe_scalars import SAFE_SCALARS
from tacit.published.layouts.lewm import renamed
from tacit.recipes import VJEPA2AC
from tacit.types import Box, Modality, Rollout, Spec, Statistics

STATISTICS = torch.zeros(3), torch.ones(3)
HEADS = {"heads": 4, "predictor_heads": 4}


def wrapped(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in weights.items()}


def published(name: str, prefix: str, predictor: str = "", changes: Mapping[str, Tensor | None] | None = None) -> dict:
    """The entries of a file as the authors write it, with golden weights; ``changes`` are made to the encoder."""
    encoder = {**golden(f"{name}_encoder").weights, **(changes or {})}
    encoder = wrapped({key: value for key, value in encoder.items() if value is not None}, prefix)
    target = {key: value.clone() for key, value in encoder.items()}
    parts = {"encoder": encoder, "target_encoder": target, "opt": {"state": {0: {"step": 3}}}, "epoch": 7, "lr": 1e-3}
    if predictor:
        parts["predictor"] = wrapped(golden(predictor).weights, prefix)
    return parts


def saved(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


def test_ijepa(tmp_path: Path) -> None:
    path = saved(published("ijepa", "module.", "ijepa_predictor"), tmp_path / "IN1K-vit.h.14-300e.pth.tar")
    model = convert(path, **HEADS)
    assert isinstance(model, MaskedModel) and not model.training
    assert (model.config.side, model.config.patch, model.config.depth, model.config.predictor_depth) == (64, 16, 3, 2)
    known = golden("ijepa_encoder").values
    for encoder in (model.encoder, model.target_encoder):
        assert_golden(encoder(known["image"], *STATISTICS), known["output"])
        assert_golden(encoder(known["image"], *STATISTICS, known["context_mask"]), known["output_masked"])
    known = golden("ijepa_predictor").values
    hidden = torch.cat([known["target_mask_0"], known["target_mask_1"]])
    out = model.predictor(known["context"].repeat(2, 1, 1), known["context_mask"].repeat(2, 1), hidden)
    assert_golden(out, known["output"])
    assert [p.requires_grad for p in (model.encoder.norm.weight, model.target_encoder.norm.weight)] == [True, False]
    assert model.encoder.norm.weight.data_ptr() != model.target_encoder.norm.weight.data_ptr()
    assert model.statistics.mean["pixels"] == pytest.approx((0.485, 0.456, 0.406))
    assert model.encode({"pixels": torch.zeros(2, 3, 64, 64, dtype=torch.uint8)}).shape == (2, 96)


@pytest.mark.parametrize("alike", ["all", "one"])
def test_an_encoder_that_the_file_has_as_both_is_trained_as_one(tmp_path: Path, alike: str) -> None:
    content = published("ijepa", "module.", "ijepa_predictor")
    shared = content["encoder"] if alike == "all" else {"module.norm.bias": content["encoder"]["module.norm.bias"]}
    content["target_encoder"] |= shared
    model = convert(saved(content, tmp_path / "x.pt"), **HEADS)
    before = {name: value.clone() for name, value in model.target_encoder.state_dict().items()}
    with torch.no_grad():
        for value in model.encoder.state_dict().values():
            value.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in model.target_encoder.state_dict().items())


@pytest.mark.parametrize("table", [False, True])
def test_vjepa2(tmp_path: Path, table: bool) -> None:
    # The released files hold a table of positions that the released code does not read.
    changes = {"pos_embed": torch.randn(1, 32, 96)} if table else {}
    content = published("vjepa2", "module.backbone.", "vjepa2_predictor", changes)
    if table:
        content["predictor"]["module.backbone.predictor_pos_embed"] = torch.randn(1, 32, 48)
    path = saved(content, tmp_path / "vitl.pt")
    options = {**HEADS, "size": (4, 64, 64), **({"layout": "vjepa2"} if table else {})}
    model = convert(path, **options)
    assert isinstance(model, MaskedModel)
    assert (model.config.frames, model.config.tubelet, model.config.mask_tokens) == (4, 2, 2)
    known = golden("vjepa2_encoder").values
    assert_golden(model.target_encoder(known["video"], *STATISTICS), known["output"])
    known = golden("vjepa2_predictor").values
    assert_golden(model.predictor(known["context"], known["context_mask"], known["target_mask"], 1), known["output"])
    alone = convert(path, **options, part="predictor")
    assert isinstance(alone, MaskedPredictor)
    assert_golden(alone(known["context"], known["context_mask"], known["target_mask"], 1), known["output"])
    if table:
        with pytest.raises(CheckpointError, match="layout='vjepa' or layout='vjepa2'"):
            convert(path)


ROBOT = Spec(
    {"camera": Modality("pixels", (3, 64, 64)), "pose": Modality("vector", (7,))},
    Box((-0.05,) * 7, (0.05,) * 7, "delta"),
)


def published_ac(name: str, tmp_path: Path, **changes: Tensor) -> Path:
    content = published("vjepa2", "module.backbone.")
    del content["target_encoder"]
    content["predictor"] = wrapped({**golden(name).weights, **changes}, "module.")
    return saved(content, tmp_path / "vjepa2-ac-vitg.pt")


@pytest.mark.parametrize("name", ["vjepa2_ac_predictor", "vjepa2_ac_predictor_extrinsics"])
def test_the_networks_of_vjepa2_ac(tmp_path: Path, name: str) -> None:
    path, options = published_ac(name, tmp_path), {**HEADS, "size": (2, 64, 64)}
    known = golden("vjepa2_encoder").values
    assert_golden(convert(path, **options, part="encoder")(known["video"], *STATISTICS), known["output"])
    known, predictor = golden(name).values, convert(path, **options, part="predictor")
    assert isinstance(predictor, BlockCausalPredictor)
    parts = [known[part] for part in ("context", "actions", "states", "extrinsics") if part in known]
    assert_golden(predictor(*parts), known["output"])


EXTRINSICS = r"also has from_extrinsics\.weight, from_extrinsics\.bias, which is not read"


@pytest.mark.filterwarnings(f"ignore:.*{EXTRINSICS}")
def test_vjepa2_ac_plans(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"predictor_embed.weight": (96, 96), "predictor_proj.weight": (96, 96), "predictor_proj.bias": (96,)}
    wide = {name: 0.2 * torch.randn(size) for name, size in sizes.items()}  # for tokens as wide as this encoder's
    path, options = published_ac("vjepa2_ac_predictor", tmp_path, **wide), {**HEADS, "size": (2, 64, 64)}
    model = convert(path, **options, spec=ROBOT)
    assert isinstance(model, ActionConditioned) and model.config.inputs == ("camera", "pose")
    eye, predictor = (convert(path, **options, part=part) for part in ("encoder", "predictor"))
    actions, poses = (golden("vjepa2_ac_predictor").values[name] for name in ("actions", "states"))
    frames = torch.randn(*actions.shape[:2], model.config.feature_size)
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        told = model.predict(torch.cat([frames, poses], dim=-1), actions)
        expected = F.layer_norm(predictor(frames.reshape(len(frames), -1, 96), actions, poses), (96,))
        torch.testing.assert_close(told[..., : model.config.feature_size], expected.reshape(frames.shape))
        torch.testing.assert_close(told[..., model.config.feature_size :], poses + actions)
        # A image of the world held still for one tubelet, normalised as ImageNet is; the pose in raw units behind it.
        mean, std = (torch.tensor(part) * 255 for part in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        tokens = F.layer_norm(eye(image[:, :, None].expand(-1, -1, 2, -1, -1), mean, std), (96,))
        seen = torch.cat([tokens.flatten(1), poses[:1, 0].expand(2, -1)], dim=1)
        observation = {"camera": image.numpy(), "pose": poses[:1, 0].expand(2, -1).numpy()}
        torch.testing.assert_close(model.encode(observation), seen, rtol=1e-4, atol=1e-4)
    checkpoint.save(tmp_path / "model", model)
    agent = VJEPA2AC().build_agent(checkpoint.load_model(tmp_path / "model", kind=ActionConditioned))
    imagined, goal = torch.randn(2, 3, 2, model.latent_size), torch.randn(2, model.latent_size)
    elsewhere = torch.cat([goal[:, : model.config.feature_size], torch.randn(2, 7)], dim=1)
    rollout = Rollout(goal, imagined, torch.zeros(2, 3, 2, 7), goal, model.latent_parts)
    energies = agent.config.cost(rollout)
    torch.testing.assert_close(agent.config.cost(replace(rollout, goal=elsewhere)), energies, rtol=0, atol=0)
    agent = Agent.of(agent.model, replace(agent.config, planner=CEM(samples=4, iterations=1, elites=2)))
    action, *_ = agent.act(agent.start(seed=0, batch=2, goal=observation), observation)
    assert action.shape == (2, 7) and (abs(action) <= 0.05).all()


def test_vjepa2_ac_asks_for_its_robot(tmp_path: Path) -> None:
    path, options = published_ac("vjepa2_ac_predictor", tmp_path), {**HEADS, "size": (2, 64, 64)}
    with pytest.raises(CheckpointError, match="give the Spec, with one camera, the pose"):
        convert(path, **options)
    other = Spec({"camera": ROBOT.modalities["camera"], "pose": Modality("vector", (6,))}, ROBOT.action)
    with (
        pytest.raises(CheckpointError, match="one pose of 7 components"),
        pytest.warns(UserWarning, match=EXTRINSICS),
    ):
        convert(path, **options, spec=other)


def test_vjepa(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vit = VisionTransformer(3, (16, 32, 32), (2, 8, 8), width=24, depth=2, heads=2, positions="sincos")
    predictor = MaskedPredictor(vit.grid, 24, 12, depth=1, heads=2, mask_tokens=2)
    names = {"attention_norm": "norm1", "mlp_norm": "norm2", "qkv": "attn.qkv", "merge": "attn.proj"}
    names |= {"up": "mlp.fc1", "down": "mlp.fc2"}

    def theirs(module: nn.Module, own: Mapping[str, str]) -> dict[str, Tensor]:
        out = {}
        for key, value in module.state_dict().items():
            for now, then in (*own.items(), *((f".{a}.", f".{b}.") for a, b in names.items())):
                key = key.replace(now, then)
            out[f"module.backbone.{key}"] = value.clone()
        return out

    encoder = theirs(vit, {"position": "pos_embed", "patches": "patch_embed.proj"})
    own = {"position": "predictor_pos_embed", "blocks": "predictor_blocks", "from_latent": "predictor_embed"}
    narrow = theirs(predictor, own)
    for then, now in (("norm.", "predictor_norm."), ("out.", "predictor_proj.")):
        narrow = {key.replace(f"backbone.{then}", f"backbone.{now}"): value for key, value in narrow.items()}
    mask = narrow.pop("module.backbone.mask")
    narrow |= {f"module.backbone.mask_tokens.{index}": mask[index].view(1, 1, -1) for index in (0, 1)}
    content = {"encoder": encoder, "target_encoder": {k: v + 0.1 for k, v in encoder.items()}, "predictor": narrow}
    model = convert(saved(content, tmp_path / "vitl16.pth.tar"), layout="vjepa", heads=2, predictor_heads=2)
    assert isinstance(model, MaskedModel)
    assert (model.config.frames, model.config.side, model.config.positions) == (16, 32, "sincos")
    videos = torch.randn(2, 3, 16, 32, 32)
    assert torch.equal(model.encoder(videos, *STATISTICS), vit(videos, *STATISTICS))
    assert not torch.equal(model.target_encoder(videos, *STATISTICS), vit(videos, *STATISTICS))
    context, visible, hidden = torch.randn(2, 3, 24), torch.tensor([[0, 4, 9]] * 2), torch.tensor([[1, 2]] * 2)
    assert torch.equal(model.predictor(context, visible, hidden, 1), predictor(context, visible, hidden, 1))


def in_transformers(
    weights: Mapping[str, Tensor], names: Mapping[str, str], fused: str, parts: tuple[str, ...]
) -> dict:
    out = {}
    for key, value in weights.items():
        for then, now in names.items():
            key = key.replace(then, now)
        if fused in key:
            pieces = zip(parts, value.chunk(3), strict=True)
            out |= {key.replace(fused, part): piece.contiguous() for part, piece in pieces}
        else:
            out[key] = value
    return out


IJEPA_NAMES = {
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "norm.": "layernorm.",
}
OLD = {"blocks": "encoder.layer", "attn.proj": "attention.output.dense", "mlp.fc1": "intermediate.dense"}
OLD |= {"mlp.fc2": "output.dense"}
OLD_QUERY = tuple(f"attention.attention.{name}" for name in ("query", "key", "value"))
NEW = {"blocks": "layers", "attn.proj": "attention.o_proj"}
NEW_QUERY = tuple(f"attention.{name}_proj" for name in "qkv")


@pytest.mark.parametrize(("names", "query"), [(OLD, OLD_QUERY), (NEW, NEW_QUERY)])
@pytest.mark.parametrize("shards", [1, 2])
def test_ijepa_of_transformers(tmp_path: Path, names: dict[str, str], query: tuple[str, ...], shards: int) -> None:
    weights = in_transformers(golden("ijepa_encoder").weights, {**IJEPA_NAMES, **names}, "attn.qkv", query)
    config = {"model_type": "ijepa", "num_attention_heads": 4, "image_size": 64, "layer_norm_eps": 1e-6}
    (tmp_path / "config.json").write_text(json.dumps(config))
    files = [f"model-0000{number}-of-0000{shards}.safetensors" for number in range(shards)]
    files = ["model.safetensors"] if shards == 1 else files
    where = {name: files[number % shards] for number, name in enumerate(weights)}
    for file in files:
        save_file({name: value for name, value in weights.items() if where[name] == file}, tmp_path / file)
    if shards > 1:
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    vit = convert(tmp_path, part="encoder")
    assert isinstance(vit, VisionTransformer)
    known = golden("ijepa_encoder").values
    assert_golden(vit(known["image"], *STATISTICS), known["output"])
    (tmp_path / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-3}))
    assert {part.eps for part in convert(tmp_path, part="encoder").modules() if isinstance(part, nn.LayerNorm)} == {
        1e-3
    }
    with pytest.raises(CheckpointError, match=r"no predictor; it has encoder.*part='encoder'"):
        convert(tmp_path, part="predictor")
    for act in ("relu", "gelu_new"):
        (tmp_path / "config.json").write_text(json.dumps({**config, "hidden_act": act}))
        with pytest.raises(CheckpointError, match=f"hidden_act '{act}'; the networks here compute 'gelu'"):
            convert(tmp_path, part="encoder")


def test_an_encoder_alone_becomes_a_model_with_a_fresh_predictor(tmp_path: Path) -> None:
    weights = in_transformers(golden("ijepa_encoder").weights, {**IJEPA_NAMES, **NEW}, "attn.qkv", NEW_QUERY)
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": 4, "image_size": 64}))
    with pytest.warns(UserWarning, match=r"has no predictor: .* freshly drawn.*part='encoder'"):
        model = convert(tmp_path)
    assert isinstance(model, MaskedModel) and not model.training
    assert (model.config.predictor_width, model.config.predictor_depth, model.config.predictor_heads) == (96, 3, 4)
    known = golden("ijepa_encoder").values
    assert_golden(model.encoder(known["image"], *STATISTICS), known["output"])
    assert model.predictor.from_latent.weight.std() > 0
    checkpoint.save(tmp_path / "model", model)
    again = checkpoint.load_model(tmp_path / "model", kind=MaskedModel)
    seen = {"pixels": torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)}
    torch.testing.assert_close(again.encode(seen), model.encode(seen), rtol=1e-4, atol=1e-5)
    spec = Spec(model.config.spec.modalities, Box((-1.0,), (1.0,)))
    world = WorldModel.for_spec(spec, encoders={"pixels": Pretrained(again.config)}, latent=8)
    world.load_from(again)
    assert world.encode(seen).shape == (2, 8)


def test_networks_alone_are_no_checkpoint(tmp_path: Path) -> None:
    vit = convert(saved(published("ijepa", "module."), tmp_path / "x.pt"), part="encoder", heads=4)
    for bare in (vit, nn.ModuleDict({"encoder": vit})):
        with pytest.raises(CheckpointError, match=f"holds a model of tacit.models .*got a {type(bare).__name__}"):
            checkpoint.save(tmp_path / "model", bare)
    assert not (tmp_path / "model").exists()


VJEPA2_NAMES = {
    "predictor_blocks": "layer",
    "blocks": "layer",
    "patch_embed.proj": "embeddings.patch_embeddings.proj",
    "predictor_embed": "embeddings.predictor_embeddings",
    "predictor_norm": "layernorm",
    "predictor_proj": "proj",
    "attn.proj": "attention.proj",
    "norm.": "layernorm.",
    "layerlayernorm": "layernorm",
}
VJEPA2_QUERY = ("attention.query", "attention.key", "attention.value")


@pytest.mark.parametrize("alone", [False, True])
def test_vjepa2_of_transformers(tmp_path: Path, alone: bool) -> None:
    encoder = in_transformers(golden("vjepa2_encoder").weights, VJEPA2_NAMES, "attn.qkv", VJEPA2_QUERY)
    predictor = golden("vjepa2_predictor").weights
    masks = torch.stack([predictor.pop("mask_tokens.0"), predictor.pop("mask_tokens.1")])
    predictor = {**in_transformers(predictor, VJEPA2_NAMES, "attn.qkv", VJEPA2_QUERY), "embeddings.mask_tokens": masks}
    save_file({**wrapped(encoder, "encoder."), **wrapped(predictor, "predictor.")}, tmp_path / "model.safetensors")
    config = {"num_attention_heads": 4, "pred_num_attention_heads": 4, "crop_size": 64, "frames_per_clip": 4}
    if not alone:
        (tmp_path / "config.json").write_text(json.dumps(config))
    options = {**HEADS, "size": (4, 64, 64)} if alone else {}
    model = convert(tmp_path / "model.safetensors" if alone else tmp_path, **options)
    assert isinstance(model, MaskedModel)
    known = golden("vjepa2_encoder").values
    for part in (model.encoder, model.target_encoder):
        assert_golden(part(known["video"], *STATISTICS), known["output"])
    assert model.encoder.norm.weight.data_ptr() != model.target_encoder.norm.weight.data_ptr()
    known = golden("vjepa2_predictor").values
    out = model.predictor(known["context"], known["context_mask"], known["target_mask"], 1)
    assert_golden(out, known["output"])


def test_vjepa2_classifier_of_transformers(tmp_path: Path) -> None:
    encoder = in_transformers(golden("vjepa2_encoder").weights, VJEPA2_NAMES, "attn.qkv", VJEPA2_QUERY)
    readouts = {"pooler.query_tokens": torch.zeros(1, 1, 96), "classifier.weight": torch.zeros(5, 96)}
    save_file({**wrapped(encoder, "vjepa2.encoder."), **readouts}, tmp_path / "model.safetensors")
    with pytest.warns(UserWarning, match="also has classifier, pooler, which is not read"):
        vit = convert(tmp_path, part="encoder", heads=4, size=(4, 64, 64))
    known = golden("vjepa2_encoder").values
    assert_golden(vit(known["video"], *STATISTICS), known["output"])


def test_ijepa_classifier_of_transformers(tmp_path: Path) -> None:
    weights = in_transformers(golden("ijepa_encoder").weights, {**IJEPA_NAMES, **OLD}, "attn.qkv", OLD_QUERY)
    save_file({**wrapped(weights, "ijepa."), "classifier.weight": torch.zeros(5, 96)}, tmp_path / "model.safetensors")
    with pytest.warns(UserWarning, match="also has classifier, which is not read"):
        vit = convert(tmp_path, part="encoder", heads=4)
    known = golden("ijepa_encoder").values
    assert_golden(vit(known["image"], *STATISTICS), known["output"])


@pytest.mark.parametrize("outer", ["", "module."])
def test_one_dict_whose_names_begin_with_the_network(tmp_path: Path, outer: str) -> None:
    encoder, predictor = golden("ijepa_encoder").weights, golden("ijepa_predictor").weights
    content = {
        **wrapped(encoder, f"{outer}encoder.module."),
        **wrapped({key: value + 0.1 for key, value in encoder.items()}, f"{outer}target_encoder."),
        **wrapped(predictor, f"{outer}predictor.backbone."),
    }
    model = convert(saved(content, tmp_path / "x.pt"), **HEADS)
    known = golden("ijepa_encoder").values
    assert_golden(model.encoder(known["image"], *STATISTICS), known["output"])
    torch.testing.assert_close(model.target_encoder.norm.bias, model.encoder.norm.bias + 0.1)
    with pytest.warns(UserWarning, match="also has projector, which is not read"):
        convert(saved({**content, f"{outer}projector.weight": torch.zeros(1)}, tmp_path / "y.pt"), **HEADS)


def test_entries_with_tensors_that_are_not_read_are_named(tmp_path: Path) -> None:
    content = published("ijepa", "module.", "ijepa_predictor")
    state = {"state": {0: {"exp_avg": torch.zeros(2)}}}
    quiet = {"opt": state, "scaler": None, "loss": torch.tensor(0.1), "batch_size": 2, "world_size": 1, "note": [1, 2]}
    convert(saved({**content, **quiet}, tmp_path / "quiet.pt"), **HEADS)
    loud = {"classifiers": [{"linear.weight": torch.zeros(2)}], "projector": {"0.weight": torch.zeros(2)}}
    with pytest.warns(UserWarning, match="also has classifiers, projector, which is not read"):
        convert(saved({**content, **quiet, **loud}, tmp_path / "loud.pt"), **HEADS)


def lewm_weights() -> dict[str, Tensor]:
    """The golden weights, and an encoder as wide as what they project."""
    known = golden("lewm").weights
    torch.manual_seed(0)
    width = known["projector.net.0.weight"].shape[1]
    shapes = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.position_embeddings": (1, 5, width),
        "embeddings.patch_embeddings.projection.weight": (width, 3, 8, 8),
        "embeddings.patch_embeddings.projection.bias": (width,),
    }
    for module, (rows, columns) in {
        "layers.0.attention.q_proj": (width, width),
        "layers.0.attention.k_proj": (width, width),
        "layers.0.attention.v_proj": (width, width),
        "layers.0.attention.o_proj": (width, width),
        "layers.0.mlp.fc1": (4 * width, width),
        "layers.0.mlp.fc2": (width, 4 * width),
        "layers.0.layernorm_before": (width, 0),
        "layers.0.layernorm_after": (width, 0),
        "layernorm": (width, 0),
    }.items():
        shapes |= {f"{module}.weight": (rows, columns) if columns else (rows,), f"{module}.bias": (rows,)}
    return {**known, **{f"encoder.{name}": 0.2 * torch.randn(shape) for name, shape in shapes.items()}}


LEWM_SPEC = Spec({"pixels": Modality("pixels", (3, 16, 16))}, Box((-9.0,) * 2, (9.0,) * 2))
LEWM_STATISTICS = Statistics(
    {"pixels": (0.1,) * 3, "action": (1.0, -2.0)}, {"pixels": (0.2,) * 3, "action": (2.0, 4.0)}
)


def test_lewm(tmp_path: Path) -> None:
    known = golden("lewm").config
    saved(lewm_weights(), tmp_path / "weights.pt")
    config = {"_target_": "not.to.be.called", "predictor": {"heads": known["heads"], "dropout": 0.1}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    spec = LEWM_SPEC
    model = convert(tmp_path, spec=spec, heads=2, statistics=LEWM_STATISTICS)
    assert isinstance(model, WorldModel)
    predictor = model.config.predictor
    assert isinstance(predictor, Transformer)
    assert (predictor.history, predictor.depth) == (3, known["depth"])
    assert (model.config.frameskip, model.config.latent) == (5, known["input_dim"])
    vit = renamed({name: value for name, value in lewm_weights().items() if name.startswith("encoder.")})
    state = model.state_dict()
    assert all(
        torch.equal(state[name.replace("vit.", "encoder.encoders.pixels.")], value) for name, value in vit.items()
    )
    with pytest.raises(CheckpointError, match="give the Spec"):
        convert(tmp_path)
    with pytest.raises(CheckpointError, match="blocks of 10 action components"):
        convert(tmp_path, spec=Spec(spec.modalities, Box((-1.0,) * 3, (1.0,) * 3)))
    with pytest.raises(ConfigError, match="read whole"):
        convert(tmp_path, spec=spec, part="encoder")
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"predictor's attention .*Say it: predictor_heads=\.\.\."):
        convert(tmp_path, spec=spec, heads=2)
    with pytest.raises(CheckpointError, match=r"encoder of .*Say it: heads=\.\.\."):
        convert(tmp_path, spec=spec, predictor_heads=known["heads"])
    said = convert(tmp_path, spec=spec, heads=2, predictor_heads=known["heads"], statistics=LEWM_STATISTICS)
    assert said.config == model.config


def test_lewm_standardises_actions_and_leaves_images_alone(tmp_path: Path) -> None:
    path, options = (
        saved(lewm_weights(), tmp_path / "weights.pt"),
        {"spec": LEWM_SPEC, "heads": 2, "predictor_heads": 4},
    )
    model = convert(path, **options, statistics=LEWM_STATISTICS)
    assert model.statistics.mean["action"] == (1.0, -2.0)
    assert model.statistics.std["action"] == (2.0, 4.0)
    assert model.statistics.mean["pixels"] == pytest.approx((0.485, 0.456, 0.406))
    with pytest.warns(
        UserWarning, match=r"expects standardised actions .*statistics=episodes\.statistics\(\)"
    ) as caught:
        raw = convert(path, **options)
    assert [Path(warning.filename) for warning in caught] == [Path(__file__)]
    latents, actions = torch.randn(2, 3, model.latent_size), torch.randn(2, 3, 10)
    standardised = (actions - torch.tensor((1.0, -2.0) * 5)) / torch.tensor((2.0, 4.0) * 5)
    with torch.no_grad():
        torch.testing.assert_close(model.predict(latents, actions), raw.predict(latents, standardised))
    for wrong in (Statistics({}, {}), Statistics({"action": (0.0,) * 2}, {"action": (1.0,) * 3})):
        with pytest.raises(CheckpointError, match=r"mean and a standard deviation of 'action' with 2 components each"):
            convert(path, **options, statistics=wrong)


EMBED = "action_encoder.embed.0.weight"
CONVOLUTION = "action_encoder.patch_embed.weight"
PATCHES = "encoder.embeddings.patch_embeddings.projection.weight"
KEY = "encoder.layers.0.attention.k_proj.weight"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("predictor.pos_embedding", None, "lack 'predictor.pos_embedding'"),
        ("predictor.transformer.norm.weight", None, "lack 'predictor.transformer.norm.weight'"),
        ("predictor.transformer.layers.0.attn.to_qkv.weight", None, "lack .*0.attn.to_qkv.weight'"),
        ("predictor.transformer.layers.0.mlp.net.1.weight", None, "lack .*0.mlp.net.1.weight'"),
        ("projector.net.0.weight", None, "lack 'projector.net.0.weight'"),
        ("pred_proj.net.0.weight", None, "lack 'pred_proj.net.0.weight'"),
        (PATCHES, None, f"lack '{PATCHES}'"),
        (PATCHES, torch.zeros(32, 192), rf"{PATCHES} of .* 4 axes.* found torch.float32 \[32, 192\]"),
        (PATCHES, torch.zeros(32, 3, 1, 8, 8), rf"{PATCHES} of .* 4 axes.* found torch.float32 \[32, 3, 1, 8, 8\]"),
        (CONVOLUTION, torch.zeros(10, 10), rf"{CONVOLUTION} of LeWorldModel: .* 3 axes.* \[10, 10\]"),
        (CONVOLUTION, torch.zeros(10, 10, 3), rf"{CONVOLUTION} of .*expected \[10, 10, 1\].* found \[10, 10, 3\]"),
        (EMBED, torch.zeros(96, 7), rf"{EMBED} of LeWorldModel: expected \[96, 10\].* found \[96, 7\]"),
        ("predictor.pos_embedding", torch.zeros(24), r"pos_embedding of .* 3 axes.* found torch.float32 \[24\]"),
        ("predictor.pos_embedding", torch.zeros(2, 3, 24), r"expected \[1, 3, 24\].* found \[2, 3, 24\]"),
        (KEY, torch.zeros(32, 1), rf"{KEY} of LeWorldModel: expected \[32, 32\].* found \[32, 1\]"),
        (KEY, torch.zeros(32, 32, dtype=torch.int8), rf"{KEY} of .*floating-point.* found torch.int8"),
    ],
)
def test_what_is_wrong_with_a_tensor_of_lewm_is_said(
    tmp_path: Path, name: str, value: Tensor | None, message: str
) -> None:
    weights = {key: tensor for key, tensor in {**lewm_weights(), name: value}.items() if tensor is not None}
    path = saved(weights, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=message):
        convert(path, spec=LEWM_SPEC, heads=2, predictor_heads=4, statistics=LEWM_STATISTICS)


def test_statistics_are_refused_where_nothing_takes_them(tmp_path: Path) -> None:
    path = saved(published("ijepa", "module.", "ijepa_predictor"), tmp_path / "x.pt")
    with pytest.raises(ConfigError, match=r"only LeWorldModel takes statistics=.*the layout 'ijepa'"):
        convert(path, **HEADS, statistics=LEWM_STATISTICS)


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    content = published("ijepa", "module.")
    content["encoder"] = {name: value.bfloat16() for name, value in content["encoder"].items()}
    vit = convert(saved(content, tmp_path / "x.pt"), part="encoder", heads=4)
    assert {parameter.dtype for parameter in vit.parameters()} == {torch.float32}


def test_a_file_of_old_pytorch(tmp_path: Path) -> None:
    torch.save(published("ijepa", "module."), tmp_path / "old.pth.tar", _use_new_zipfile_serialization=False)
    known = golden("ijepa_encoder").values
    vit = convert(tmp_path / "old.pth.tar", part="target_encoder", heads=4)
    assert_golden(vit(known["image"], *STATISTICS), known["output"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks.1.mlp.fc1.bias": None}, r"an I-JEPA encoder\. missing: blocks\.1\.mlp\.fc1\.bias"),
        ({"cls_token": torch.zeros(1)}, r"unknown: cls_token"),
        ({"blocks.900000.norm1.bias": torch.zeros(1)}, "missing: .* and [0-9]+ more"),
        (
            {"blocks.1.mlp.fc1.weight": torch.zeros(380, 96)},
            r"blocks\.1\.up\.weight: expected \[384, 96\], found \[380, 96\]",
        ),
        ({"norm.bias": torch.zeros(95)}, r"norm\.bias: expected \[96\], found \[95\]"),
        ({"pos_embed": torch.zeros(1, 17, 96)}, r"17 positions .* size=\(H, W\)"),
    ],
)
def test_what_is_wrong_with_a_tensor_is_said(tmp_path: Path, changes: dict[str, Tensor | None], message: str) -> None:
    path = saved(published("ijepa", "module.", changes=changes), tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=message):
        convert(path, part="encoder", heads=4)


BROKEN = "expected floating-point numbers along .* found torch"


@pytest.mark.parametrize(
    ("layout", "name", "value", "message"),
    [
        ("ijepa", "mask_token", torch.zeros(48), rf"mask_token of an I-JEPA predictor: {BROKEN}.float32 \[48\]"),
        ("ijepa", "mask_token", torch.zeros(()), rf"mask_token of an I-JEPA predictor: {BROKEN}.float32 \[\]"),
        ("ijepa", "mask_token", torch.zeros(0, 1, 48), rf"mask_token of .*: {BROKEN}.float32 \[0, 1, 48\]"),
        ("ijepa", "mask_token", torch.zeros(2, 1, 48), r"expected \[1, 1, 48\].* found \[2, 1, 48\]"),
        ("ijepa", "predictor_embed.weight", torch.zeros(48 * 96), rf"predictor_embed.weight of .*: {BROKEN}"),
        ("ijepa", "predictor_embed.weight", torch.zeros(0, 96), rf"predictor_embed.weight of .*: {BROKEN}"),
        ("ijepa", "predictor_blocks.0.attn.qkv.weight", torch.zeros(144, 48, dtype=torch.int8), rf"{BROKEN}.int8"),
        ("vjepa2", "mask_tokens.0", torch.zeros(48), rf"mask_tokens.0 of a V-JEPA 2 predictor: {BROKEN}"),
        ("vjepa2", "mask_tokens.1", torch.zeros(1, 1, 48, dtype=torch.int8), rf"mask_tokens.1 of .*: {BROKEN}.int8"),
        ("vjepa2", "mask_tokens.1", torch.zeros(1, 1, 1), r"mask_tokens.1 of .*expected \[1, 1, 48\]"),
        ("vjepa2", "mask_tokens.0", torch.zeros(0, 1, 48), rf"mask_tokens.0 of .*: {BROKEN}"),
        ("vjepa2", "mask_tokens.0", None, r"a V-JEPA 2 predictor\. missing: mask_tokens\.0"),
        ("vjepa2", "predictor_embed.weight", torch.zeros(0, 96), rf"predictor_embed.weight of .*: {BROKEN}"),
    ],
)
def test_what_is_wrong_with_a_tensor_of_a_predictor_is_said(
    tmp_path: Path, layout: str, name: str, value: Tensor | None, message: str
) -> None:
    content = published(layout, "module.", f"{layout}_predictor")
    content["predictor"][f"module.{name}"] = value
    content["predictor"] = {key: tensor for key, tensor in content["predictor"].items() if tensor is not None}
    options = {**HEADS, "size": (4, 64, 64)} if layout == "vjepa2" else HEADS
    for part in ("model", "predictor"):
        with pytest.raises(CheckpointError, match=message):
            convert(saved(content, tmp_path / "x.pt"), **options, part=part)


@pytest.mark.parametrize(
    ("name", "value"), [("patch_embed.proj.weight", torch.zeros(96, 768)), ("pos_embed", torch.zeros(16 * 96))]
)
def test_an_encoder_that_tells_no_sizes_is_refused_where_the_predictor_alone_is_read(
    tmp_path: Path, name: str, value: Tensor
) -> None:
    path = saved(published("ijepa", "module.", "ijepa_predictor", {name: value}), tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=rf"{name} of the encoder of .*: {BROKEN}"):
        convert(path, **HEADS, part="predictor", layout="ijepa")


@pytest.mark.parametrize("value", [torch.zeros(96, 1), torch.zeros(96, 96, dtype=torch.int8), torch.zeros(())])
def test_parts_of_one_tensor_have_to_be_alike(tmp_path: Path, value: Tensor) -> None:
    weights = in_transformers(golden("ijepa_encoder").weights, {**IJEPA_NAMES, **NEW}, "attn.qkv", NEW_QUERY)
    save_file({**weights, "layers.1.attention.k_proj.weight": value}, tmp_path / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"layers\.1\.attention\.k_proj\.weight of an I-JEPA encoder of tr.*expected"
    ):
        convert(tmp_path, part="encoder", heads=4)


def test_the_config_tells_how_many_mask_tokens_there_are(tmp_path: Path) -> None:
    path = saved(published("vjepa2", "module.", "vjepa2_predictor"), tmp_path / "x.pt")
    for said, fits in ((2, True), (3, False)):
        (tmp_path / "config.json").write_text(json.dumps({"pred_num_mask_tokens": said}))
        for part in ("model", "predictor"):
            if fits:
                convert(path, **HEADS, size=(4, 64, 64), part=part)
                continue
            with pytest.raises(CheckpointError, match="has 3 mask tokens; the predictor has 2"):
                convert(path, **HEADS, size=(4, 64, 64), part=part)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"96 wide, which none that is known here is.*heads=\.\.\."),
        ({"heads": 7}, "7 heads cannot share"),
        ({"heads": 4}, r"48 wide, .*predictor_heads=\.\.\."),
        ({**HEADS, "size": (2, 64, 64)}, r"2 axes, \(16, 16\); got size=\(2, 64, 64\)"),
        ({**HEADS, "size": (32, 32)}, r"position: expected \[1, 4, 96\], found \[1, 16, 96\]"),
        ({**HEADS, "size": (64, 32)}, "square images"),
        ({**HEADS, "layout": "vjepa"}, "missing: mask_tokens"),
    ],
)
def test_what_the_file_leaves_open_is_asked_for(tmp_path: Path, options: dict[str, object], message: str) -> None:
    path = saved(published("ijepa", "module.", "ijepa_predictor"), tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=message):
        convert(path, **options)


def test_unknown_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no layout 'vjeap2'. Did you mean 'vjepa2'"):
        convert(tmp_path, layout="vjeap2")
    with pytest.raises(ConfigError, match="no part 'encodr'"):
        convert(tmp_path, part="encodr")


class Trap:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("trapped"),))


@pytest.mark.parametrize("old", [False, True])
def test_pickled_objects_are_refused(tmp_path: Path, old: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in (nn.Linear(2, 2), {**published("ijepa", "module."), "opt": Trap()}):
        torch.save(content, "x.pth", _use_new_zipfile_serialization=not old)
        with pytest.raises(CheckpointError, match=r"more than tensors and plain values .*would run"):
            convert("x.pth", heads=4)
    assert not (tmp_path / "trapped").exists()


class Pickled:
    """Something that says how it is rebuilt."""

    def __init__(self, rebuilt: object, *arguments: object) -> None:
        self.parts = rebuilt, arguments

    def __reduce__(self) -> object:
        return self.parts


def test_numbers_of_numpy_are_read_and_nothing_else_of_it(tmp_path: Path) -> None:
    numbers = [np.float64(0.25), np.float32(-2.5), np.int64(-7), np.uint8(200), np.bool_(True), np.float16(0.5)]
    numbers += [np.array([3.5], ">f8")[0]]
    for old in (False, True):
        torch.save({"loss": numbers}, tmp_path / "x.pt", _use_new_zipfile_serialization=not old)
        with torch.serialization.safe_globals(SAFE_SCALARS):
            found = torch.load(tmp_path / "x.pt", weights_only=True)["loss"]
        assert found == [number.item() for number in numbers]
    content = {**published("ijepa", "module."), "loss": np.float64(0.25)}
    assert isinstance(convert(saved(content, tmp_path / "x.pt"), part="encoder", heads=4), VisionTransformer)
    scalar = np.float64(0).__reduce__()[0]
    for bad in (
        Pickled(scalar, np.dtype("O"), b"12345678"),
        Pickled(scalar, np.dtype([("a", "f8")]), b"12345678"),
        Pickled(scalar, np.dtype("f8"), b"short"),
        Pickled(scalar, np.dtype("f8"), 8),
        np.str_("text"),
    ):
        with pytest.raises(CheckpointError, match=r"bad\.pt has what says it is a number of numpy and is none"):
            convert(saved({**content, "loss": bad}, tmp_path / "bad.pt"), part="encoder", heads=4)
    with pytest.raises(CheckpointError, match=r"more than tensors and plain values .*_reconstruct"):
        convert(saved({**content, "loss": np.zeros(2)}, tmp_path / "bad.pt"), part="encoder", heads=4)


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        convert(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match="it has none"):
        convert(tmp_path)
    path = saved(published("ijepa", "module."), tmp_path / "a.pth")
    (tmp_path / "cut.pth").write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CheckpointError, match=r"cut\.pth is damaged"):
        convert(tmp_path / "cut.pth")
    with pytest.raises(CheckpointError, match=r"it has a\.pth, cut\.pth\. Give the path of one"):
        convert(tmp_path)
    (tmp_path / "x.safetensors").write_bytes(b"no header")
    with pytest.raises(CheckpointError, match="is not a safetensors file"):
        convert(tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="holds a list"):
        convert(saved([torch.zeros(1)], tmp_path / "list.pt"))
    with pytest.raises(CheckpointError, match="'depth', of type int, among its tensors"):
        convert(saved({"encoder": {"depth": 3}}, tmp_path / "entry.pt"))
    with pytest.raises(CheckpointError, match=r"'a' twice, once as 'module\.a'"):
        convert(saved({"encoder": {"a": torch.zeros(1), "module.a": torch.zeros(1)}}, tmp_path / "twice.pt"))
    with pytest.raises(CheckpointError, match="of no layout that is read"):
        convert(saved({"encoder": {"a": torch.zeros(1)}}, tmp_path / "other.pt"))
    with pytest.raises(CheckpointError, match=r"V-JEPA 2\.1"):
        convert(saved({"encoder": {"norms_block.0.weight": torch.zeros(1)}}, tmp_path / "new.pt"))
    shards = {"weight_map": {"a": "../evil.safetensors"}}
    save_file({"a": torch.zeros(1)}, tmp_path / "evil.safetensors")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "model.safetensors.index.json").write_text(json.dumps(shards))
    with pytest.raises(CheckpointError, match="names shards that are not next to it"):
        convert(tmp_path / "hub")


MEASURE = """
import ctypes
import sys
from pathlib import Path
import torch
from tacit import checkpoint
from tacit.agent import Agent
from tacit.published import convert
from tacit.published._safe_scalars import SAFE_SCALARS
torch.set_num_threads(1)

def status(key):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return 1024 * int(line.split()[1])

def peak(path):
    ctypes.CDLL(None).malloc_trim(0)  # nor take what was freed for what is not needed
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = status("VmRSS")
    vit = convert(path, part="encoder", heads=4)
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.sum()  # all of it has been read
    return (status("VmHWM") - before) / sum(4 * parameter.numel() for parameter in vit.parameters())

small, *large = sys.argv[1:]
peak(small)  # what is imported and set up, once
print(*map(peak, large))
"""


def grown(weights: Mapping[str, Tensor], times: int, depth: int) -> dict[str, Tensor]:
    """Weights of an encoder that is wider and deeper."""
    wide = {
        name: value.repeat(*(times if extent % 96 == 0 else 1 for extent in value.shape))
        for name, value in weights.items()
    }
    out = {name: value for name, value in wide.items() if not name.startswith("blocks.")}
    for number in range(depth):
        out |= {
            name.replace("blocks.0", f"blocks.{number}"): value.clone()
            for name, value in wide.items()
            if name.startswith("blocks.0")
        }
    return out


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured as Linux reports it")
def test_memory_is_that_of_the_part_kept(tmp_path: Path) -> None:
    small = golden("ijepa_encoder").weights
    large = grown(small, 6, 5)  # 80 MB
    others = {name: {key: value.clone() for key, value in large.items()} for name in ("target_encoder", "predictor")}
    tiny = saved({"encoder": small}, tmp_path / "small.pth.tar")
    whole = saved({"encoder": large, **others}, tmp_path / "large.pth.tar")
    assert whole.stat().st_size > 220e6
    save_file(in_transformers(large, {**IJEPA_NAMES, **NEW}, "attn.qkv", NEW_QUERY), tmp_path / "model.safetensors")
    half = {key: value.bfloat16() for key, value in large.items()}
    others = {name: {key: value.bfloat16() for key, value in part.items()} for name, part in others.items()}
    halves = saved({"encoder": half, **others}, tmp_path / "half.pth.tar")
    theirs = in_transformers(half, {**IJEPA_NAMES, **NEW}, "attn.qkv", NEW_QUERY)
    save_file(theirs, tmp_path / "half.safetensors")
    files = (tiny, whole, tmp_path / "model.safetensors", halves, tmp_path / "half.safetensors")
    command = [sys.executable, "-c", MEASURE, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    ratios = [float(ratio) for ratio in done.stdout.split()]
    assert len(ratios) == 4
    assert all(0.9 < ratio <= 1.3 for ratio in ratios)
