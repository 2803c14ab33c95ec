"""Models that version 0.1 wrote: their options in the current form."""

from tacit._config import from_json, to_json
from tacit._version_0_1 import current, partial
from tacit.models import MaskedModelConfig, WorldModelConfig
from tacit.models.encoders import MLP, Conv, Identity, Pretrained, ViT
from tacit.models.predictors import GRU, Transformer
from tacit.types import Box, Modality, Spec

SPEC = Spec(
    {
        "front": Modality("pixels", (3, 24, 40)),
        "state": Modality("vector", (5,)),
        "audio": Modality("series", (2,), rate=25.0),
    },
    Box((-1.0,), (1.0,)),
)
FLAT = {
    "spec": to_json(SPEC),
    "modalities": [],
    "frameskip": 2,
    "history": 1,
    "latent": 8,
    "encoders": {},
    "perception": None,
    "pool": "flat",
    "tune": "frozen",
    "tune_last": 1,
    "tune_rank": 8,
    "encoder_width": 12,
    "encoder_depth": 2,
    "encoder_heads": 3,
    "patch": 8,
    "features": 24,
    "projector_width": 6,
    "latent_norm": True,
    "action_width": 0,
    "predictor": "gru",
    "predictor_width": 128,
    "predictor_depth": 2,
    "predictor_heads": 4,
    "predictor_head_width": 32,
    "predictor_mlp": 256,
    "predictor_out": 0,
    "dropout": 0.0,
    "inner_norm": False,
    "target": "ema",
}


def read(**changes: object) -> WorldModelConfig:
    return from_json(WorldModelConfig, current("world_model", {**FLAT, **changes}))


def test_flat_options_become_those_of_the_predictor_and_of_each_encoder() -> None:
    config = read()
    assert config.predictor == GRU(final_norm=True)
    assert config.encoders == {"front": Conv(12, 24, 8), "state": MLP(24), "audio": Conv(12, 24)}
    assert (config.latent, config.latent_norm, config.target, config.projector_width) == (8, True, "ema", 6)
    other = read(predictor="transformer", history=3, predictor_mlp=5, encoders={"front": "vit", "state": "identity"})
    assert other.predictor == Transformer(history=3, mlp_width=5)
    assert other.encoders == {"front": ViT(8, 12, 2, 3), "state": Identity(), "audio": Conv(12, 24)}


def test_a_pretrained_encoder_gets_the_name_of_its_model() -> None:
    perception = MaskedModelConfig(SPEC, depth=1)
    config = read(perception=to_json(perception), tune="lora", tune_rank=2, modalities=["front"])
    assert config.encoders == {"front": Pretrained(perception, tune="lora", rank=2)}


def test_current_options_stay() -> None:
    options = to_json(read())
    assert current("world_model", options) == options
    for recipe in ({"latent": 16}, {"predictor": {"width": 256}, "encoders": {"pixels": {"width": 32}}}):
        assert partial(recipe) == recipe


def test_options_of_a_recipe() -> None:
    assert partial({"latent": 64, "encoder_width": 32, "predictor_width": 256}) == {
        "latent": 64,
        "encoders": {"pixels": {"width": 32}},
        "predictor": {"width": 256},
    }
    assert partial({"predictor": "transformer", "history": 2, "encoders": {"state": "identity"}}) == {
        "predictor": {"name": "transformer", "history": 2},
        "encoders": {"state": {"name": "identity"}},
    }
