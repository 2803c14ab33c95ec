"""Encoders and predictors of the user: as modules, and as registered files of another package."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import tacit as tc
from tacit.errors import CheckpointError, ConfigError
from tacit.models.predictors import PredictorConfig

SPEC = tc.Spec(
    {"pixels": tc.Modality("pixels", (3, 8, 8)), "state": tc.Modality("vector", (3,))}, tc.Box((-1.0,), (1.0,))
)
OBSERVATION = {"pixels": torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "state": torch.randn(2, 3)}


class Flat(tc.nn.Encoder):
    features = 5

    def __init__(self, layer: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = nn.Linear(192, 5) if layer is None else layer

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        return self.layer(x.float().flatten(1) / 255.0 - mean.mean() / std.mean())


class Drift(tc.nn.Predictor):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 4)

    def step(self, latents: Tensor, actions: Tensor, kernels: object) -> Tensor:
        return latents + self.layer(actions)


def made(**options: object) -> tc.models.WorldModel:
    return tc.models.WorldModel.for_spec(SPEC, latent=4, encoders={"pixels": Flat()}, predictor=Drift(), **options)


@pytest.mark.parametrize("target", ["shared", "ema"])
def test_modules_are_saved_as_tensors_and_given_again(target: str, tmp_path: Path) -> None:
    model = made(target=target).eval()
    agent = tc.Agent(model, tc.planners.CEM(samples=8, iterations=1, elites=2), tc.costs.Goal(), horizon=2)
    agent.save(tmp_path / "agent")
    described = json.loads((tmp_path / "agent" / "model.json").read_text())["config"]
    assert described["predictor"] == described["encoders"]["pixels"] == {"name": "custom"}
    modules = {"encoders.pixels": Flat(), "predictor": Drift()}
    again = tc.checkpoint.load_model(tmp_path / "agent", modules=modules)
    assert again.predictor is modules["predictor"]
    torch.testing.assert_close(again.encode(OBSERVATION), model.encode(OBSERVATION))
    actions = torch.randn(2, 3, 2, 1)
    context = tc.types.Context(model.encode(OBSERVATION)[:, None])
    loaded = tc.Agent.load(tmp_path / "agent", modules={"encoders.pixels": Flat(), "predictor": Drift()}).model
    torch.testing.assert_close(loaded.rollout(context, actions), model.rollout(context, actions))


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (None, r"no file names\. Pass them: modules=\{\"encoders\.pixels\": MODULE, \"predictor\": MODULE\}"),
        ({"predictor": Drift()}, r"modules=\{\"encoders\.pixels\": MODULE\}"),
        ({"predictor": Drift(), "encoders.pixel": Flat()}, r"'encoders\.pixel'\. Did you mean 'encoders\.pixels'"),
        ({"predictor": nn.Linear(1, 1), "encoders.pixels": Flat()}, r"inherits from tc\.nn\.Predictor; got Linear"),
        ({"predictor": Drift(), "encoders.pixels": Flat(nn.Linear(192, 5, bias=False))}, r"layer\.bias"),
    ],
)
def test_a_model_is_not_loaded_without_its_modules(
    modules: dict[str, nn.Module] | None, message: str, tmp_path: Path
) -> None:
    tc.checkpoint.save(tmp_path / "model", made())
    with pytest.raises(CheckpointError, match=message):
        tc.checkpoint.load_model(tmp_path / "model", modules=modules)


def test_a_model_without_own_modules_takes_none(tmp_path: Path) -> None:
    tc.checkpoint.save(tmp_path / "model", tc.models.WorldModel.for_spec(SPEC))
    with pytest.raises(CheckpointError, match="no module of your own at 'predictor'"):
        tc.checkpoint.load_model(tmp_path / "model", modules={"predictor": Drift()})
    with pytest.raises(ConfigError, match="a module is the encoder of one modality"):
        tc.models.WorldModel.for_spec(SPEC, encoders={"vector": Flat()})


class Bare(tc.nn.Encoder):
    features = 5

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(192, 5))

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        return x.float().flatten(1) @ self.weight


def test_an_untrained_copy_draws_own_modules_again() -> None:
    model = made()
    twin = tc.probing.untrained_model(model, seed=3)
    again = tc.probing.untrained_model(model, seed=3)
    for name, value in twin.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(twin.predictor.layer.weight, model.predictor.layer.weight)
    bare = tc.models.WorldModel.for_spec(SPEC, encoders={"pixels": Bare()})
    with pytest.raises(ConfigError, match=r"Bare needs new weights.*reset_parameters"):
        tc.probing.untrained_model(bare)


FILE = """
from dataclasses import dataclass
import tacit as tc

@dataclass(frozen=True)
class Linear(tc.models.predictors.PredictorConfig):
    bias: bool = True

    def build(self, latent, action):
        return LinearPredictor(self, latent, action)

class LinearPredictor(tc.nn.Predictor):
    def __init__(self, config, latent, action):
        super().__init__()
        self.layer = tc.nn.Linear(action, latent, bias=config.bias)

    def step(self, latents, actions, kernels):
        return latents + kernels.linear(self.layer, actions)
"""


def test_a_file_of_another_package_is_registered_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foreign_predictor.py").write_text(FILE)
    described = tmp_path / "foreign_predictor-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign_predictor\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[tacit.models.predictors]\nlinear = foreign_predictor:Linear\n")
    monkeypatch.syspath_prepend(tmp_path)
    model = tc.models.WorldModel.for_spec(SPEC, predictor={"name": "linear", "bias": False})
    tc.checkpoint.save(tmp_path / "model", model)
    loaded = tc.checkpoint.load_model(tmp_path / "model")
    assert loaded.config == model.config
    assert loaded.config.predictor.bias is False
    with pytest.raises(ConfigError, match="Did you mean 'linear'"):
        tc.models.WorldModel.for_spec(SPEC, predictor="linaer")


def test_what_is_not_registered_is_not_saved(tmp_path: Path) -> None:
    class Mine(PredictorConfig):
        def build(self, latent: int, action: int) -> Drift:
            return Drift()

    model = tc.models.WorldModel.for_spec(SPEC, latent=4, predictor=Mine())
    with pytest.raises(ConfigError, match=r"Mine is not registered.*entry point of the group"):
        tc.checkpoint.save(tmp_path / "model", model)
    assert not (tmp_path / "model").exists()
