"""Checkpoints: what is read back, and what is refused."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tacit import checkpoint
from tacit.checkpoint import Part, _directory
from tacit.checkpoint._directory import write
from tacit.errors import CheckpointError
from tacit.models import ActionConditioned, JointEmbedding, MaskedModel, Model, WorldModel
from tacit.models.encoders import Pretrained, ViT
from tacit.models.predictors import GRU, Transformer
from tacit.types import Box, Discrete, Modality, Spec, Statistics

SPEC = Spec(
    {"pixels": Modality("pixels", (3, 16, 16)), "state": Modality("vector", (4,))},
    Box((-1.0, -2.0), (1.0, 2.0)),
    fps=5.0,
)


ENCODERS = {"pixels": {"width": 4, "features": 8}, "state": {"features": 8}}
TRANSFORMER = Transformer(history=2, width=8, out_width=8)


def small(**options: object) -> WorldModel:
    return WorldModel.for_spec(SPEC, **{"latent": 6, "encoders": ENCODERS, "predictor": {"width": 8}, **options})


@pytest.fixture
def model() -> WorldModel:
    torch.manual_seed(0)
    made = small()
    ones = {"pixels": (0.25,) * 3, "state": (1.0, 2.0, 3.0, 4.0), "action": (0.5, 0.0)}
    made.set_statistics(
        Statistics(mean=ones, std={name: tuple(v + 1 for v in values) for name, values in ones.items()})
    )
    return made


@pytest.fixture
def saved(model: WorldModel, tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "model", model, {"more": Part({"step": 3}, {"a": torch.arange(4.0)})})
    return tmp_path / "model"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"target": "ema"},
        {"predictor": GRU(final_norm=True), "latent_norm": True},
        {"predictor": TRANSFORMER, "projector_width": 8, "action_width": 8},
        {"encoders": {"pixels": ViT(width=6, depth=1)}},
    ],
)
def test_every_kind_of_model_comes_back(options: dict[str, object], tmp_path: Path) -> None:
    made = small(**options).eval()
    checkpoint.save(tmp_path / "model", made)
    back = checkpoint.load_model(tmp_path / "model")
    assert back.config == made.config
    assert not back.training
    state, again = made.state_dict(), back.state_dict()
    assert list(state) == list(again)
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert [(n, p.requires_grad) for n, p in made.named_parameters()] == [
        (n, p.requires_grad) for n, p in back.named_parameters()
    ]
    seen = {"pixels": torch.zeros(2, 3, 16, 16, dtype=torch.uint8), "state": torch.ones(2, 4)}
    assert torch.equal(made.encode(seen), back.encode(seen))


def test_a_discrete_action_space_comes_back(tmp_path: Path) -> None:
    made = WorldModel.for_spec(Spec({"state": Modality("vector", (2,))}, Discrete(3)), latent=4)
    checkpoint.save(tmp_path / "model", made)
    assert checkpoint.load_model(tmp_path / "model").config.spec.action == Discrete(3)


def test_statistics_and_further_parts_come_back(saved: Path, model: WorldModel) -> None:
    assert checkpoint.load_model(saved).statistics == model.statistics
    found = checkpoint.load(saved)
    assert set(found.parts) == {"model", "more"}
    assert found.parts["more"].config == {"step": 3}
    assert torch.equal(found.parts["more"].tensors["a"], torch.arange(4.0))
    assert found.provenance["versions"]["torch"] == version("torch")
    assert set(checkpoint.load(saved, ["more"]).parts) == {"more"}
    with pytest.raises(CheckpointError, match=r"no part 'mor'; it has model, more"):
        checkpoint.load(saved, ["mor"])


def test_the_directory_of_a_run_will_do(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.move(saved, tmp_path / "run" / "checkpoint")
    assert checkpoint.load_model(tmp_path / "run").config == checkpoint.load_model(tmp_path / "run/checkpoint").config


def test_saving_again_replaces(saved: Path) -> None:
    other = small()
    checkpoint.save(saved, other)
    assert torch.equal(next(checkpoint.load_model(saved).parameters()), next(other.parameters()))
    assert set(checkpoint.load(saved).parts) == {"model"}
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_what_is_no_checkpoint_is_left_alone(model: WorldModel, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="left alone"):
        checkpoint.save(tmp_path, model)
    with pytest.raises(CheckpointError, match="left alone"):
        checkpoint.save(tmp_path / "thesis.txt", model)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from tacit import checkpoint
torch.manual_seed(1)
model = checkpoint.load_model(sys.argv[1])
for parameter in model.parameters():
    parameter.data.fill_(0.5)
count, rename = 0, Path.rename
def deadly(self, target):
    global count
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1
    return rename(self, target)
Path.rename = deadly
checkpoint.save(sys.argv[1], model)
"""


def test_a_kill_while_writing_leaves_the_old_or_the_new(saved: Path, model: WorldModel) -> None:
    # The second rename is the worst moment: the old one was put aside, the new one is not yet there.
    done = subprocess.run([sys.executable, "-c", KILLED, str(saved), "1"], capture_output=True, timeout=300)
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    assert not saved.exists()
    assert checkpoint.exists(saved)
    back = checkpoint.load_model(saved)
    assert all(torch.equal(a, b) for a, b in zip(back.state_dict().values(), model.state_dict().values(), strict=True))
    checkpoint.save(saved, model)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]
    checkpoint.load_model(saved)


def replace_whole(path: Path, model: WorldModel, step: int = 4) -> None:
    checkpoint.save(path, model, {"more": Part({"step": step}, {"a": torch.arange(4.0) + step - 3})})


def replace_halfway(path: Path, model: WorldModel) -> None:
    path.rename(path.with_name(f".{path.name}.old"))


@pytest.mark.parametrize("replace", [replace_whole, replace_halfway])
@pytest.mark.parametrize("moment", ["_read_json", "read_config", "_verified", "safe_open"])
def test_a_reader_beside_a_saver_gets_one_checkpoint_whole(
    saved: Path, model: WorldModel, monkeypatch: pytest.MonkeyPatch, moment: str, replace: Callable[..., None]
) -> None:
    original, replaced = getattr(_directory, moment), []

    def disturbed(*arguments: object, **options: object) -> object:
        if not replaced:
            replaced.append(moment)
            replace(saved, model)
        return original(*arguments, **options)

    monkeypatch.setattr(_directory, moment, disturbed)
    more = checkpoint.load(saved, ["more"]).parts["more"]
    assert replaced
    assert more.config["step"] == (4 if replace is replace_whole else 3)
    assert torch.equal(more.tensors["a"], torch.arange(4.0) + more.config["step"] - 3)
    if replace is replace_halfway:
        saved.with_name(".model.old").rename(saved)
    replaced.clear()
    assert checkpoint.load_model(saved).config == model.config
    assert replaced


def test_a_checkpoint_exists_while_a_new_one_takes_its_place(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aside, looked = saved.with_name(".model.old"), Path.exists
    saved.rename(aside)

    def exchanged(path: Path) -> bool:
        found = looked(path)
        if path == saved / "checkpoint.json" and not found:
            aside.rename(saved)
        return found

    monkeypatch.setattr(Path, "exists", exchanged)
    assert checkpoint.exists(saved)


def test_a_reader_gives_up_on_a_checkpoint_that_never_rests(
    saved: Path, model: WorldModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, steps = _directory.read_config, count(4)

    def disturbed(*arguments: object) -> object:
        replace_whole(saved, model, next(steps))
        return original(*arguments)

    monkeypatch.setattr(_directory, "TRIES", 3)
    monkeypatch.setattr(_directory, "read_config", disturbed)
    with pytest.raises(CheckpointError, match="was replaced each of the 3 times that it was read"):
        checkpoint.load(saved)


def rewrite(path: Path, change: dict[str, torch.Tensor], drop: str = "") -> None:
    """Another, well-formed, set of tensors, with a manifest that agrees."""
    model = checkpoint.load(path).parts["model"]
    tensors = {**model.tensors, **change}
    tensors.pop(drop, None)
    write(path, {"model": Part(model.config, tensors)})


def rewrite_config(path: Path, **change: object) -> None:
    """Another configuration, with a manifest that agrees."""
    model = checkpoint.load(path).parts["model"]
    write(path, {"model": Part({**model.config, "config": {**model.config["config"], **change}}, model.tensors)})


def test_other_tensors_are_named(saved: Path) -> None:
    name = "predictor.mlp.layers.0.weight"
    name = next(key for key in load_file(saved / "model.safetensors") if key.endswith("weight"))
    shape = list(load_file(saved / "model.safetensors")[name].shape)
    rewrite(saved, {name: torch.zeros(7, 7), "surplus": torch.zeros(1)}, drop="action_normalizer.mean")
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load_model(saved)
    message = str(caught.value)
    assert "missing: action_normalizer.mean" in message
    assert "unknown: surplus" in message
    assert f"{name}: expected torch.float32 {shape}, found torch.float32 [7, 7]" in message


def test_another_dtype_is_refused(saved: Path) -> None:
    rewrite(saved, {"action_normalizer.mean": torch.zeros(2, dtype=torch.float64)})
    with pytest.raises(
        CheckpointError, match=r"action_normalizer.mean: expected torch.float32 \[2\], found torch.float64"
    ):
        checkpoint.load_model(saved)


def test_a_config_too_large_for_its_tensors_allocates_nothing(saved: Path) -> None:
    rewrite_config(saved, latent=60_000)
    with pytest.raises(CheckpointError, match=r"expected .*60000"):
        checkpoint.load_model(saved)


def perception() -> MaskedModel:
    return MaskedModel.for_spec(SPEC, "nano", patch=8, depth=1, predictor_depth=1, modality="pixels")


def looking() -> WorldModel:
    encoders = {"pixels": Pretrained(perception().config)}
    return WorldModel.for_spec(
        SPEC, encoders=encoders, latent=6, projector_width=8, modalities=("pixels",), target="ema"
    )


def acting() -> ActionConditioned:
    return ActionConditioned.for_spec(SPEC, perception=perception().config, predictor_depth=1)


def joint() -> JointEmbedding:
    return JointEmbedding.for_spec(SPEC, "nano", patch=8, depth=1, projector=(8,), embedding=4, modality="pixels")


@pytest.mark.parametrize("build", [looking, acting, joint])
def test_starting_from_another_takes_its_statistics_too(build: Callable[[], Model], tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained, model = build().eval(), build().eval()
    with torch.no_grad():
        for name, value in trained.named_buffers():
            if not name.endswith("position"):
                value.add_(torch.rand(value.shape).add(1).to(value.dtype))
    checkpoint.save(tmp_path / "model", trained)
    checkpoint.start_from(model, tmp_path / "model")
    state = model.state_dict()
    assert [name for name, value in trained.state_dict().items() if not torch.equal(value, state[name])] == []
    seen = {"pixels": torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)}
    assert torch.equal(model.encode(seen), trained.encode(seen))


def test_statistics_of_another_modality_are_refused_before_anything_is_copied(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "model", perception())
    spec = Spec({"camera": SPEC.modalities["pixels"]})
    model = MaskedModel.for_spec(spec, "nano", patch=8, depth=1, predictor_depth=1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(
        CheckpointError, match=r"missing: normalizers\.camera\.mean.*unknown: normalizers\.pixels\.mean"
    ):
        checkpoint.start_from(model, tmp_path / "model")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def damage_truncate(path: Path) -> None:
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def damage_bit(path: Path) -> None:
    file = path / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-10] ^= 1
    file.write_bytes(data)


def damage_tensors_gone(path: Path) -> None:
    (path / "model.safetensors").unlink()


def damage_manifest_gone(path: Path) -> None:
    (path / "checkpoint.json").unlink()


def damage_manifest_cut(path: Path) -> None:
    (path / "checkpoint.json").write_text((path / "checkpoint.json").read_text()[:200])


def damage_manifest_emptied(path: Path) -> None:
    (path / "checkpoint.json").write_text('{"format": 3}')


def damage_format(path: Path) -> None:
    (path / "checkpoint.json").write_text('{"format": 99}')


def damage_list(path: Path) -> None:
    (path / "checkpoint.json").write_text("[]")


def damage_config_unknown(path: Path) -> None:
    rewrite_config(path, latnet=3)


def damage_config_digit(path: Path) -> None:
    file = path / "model.json"
    file.write_text(file.read_text().replace('"latent": 6', '"latent": 7'))


def damage_config_cut(path: Path) -> None:
    (path / "model.json").write_text("{}")


def damage_config_gone(path: Path) -> None:
    (path / "model.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_truncate, r"model\.safetensors is damaged: expected \d+ bytes, found \d+"),
        (damage_bit, r"model\.safetensors is damaged .*: its digest is not the one recorded"),
        (damage_config_digit, r"model\.json is damaged .*: its digest is not the one recorded"),
        (damage_config_cut, r"model\.json is damaged: expected \d+ bytes, found 2"),
        (damage_config_gone, r"incomplete: model\.json is missing"),
        (damage_tensors_gone, r"incomplete: model\.safetensors is missing"),
        (damage_manifest_gone, r"checkpoint\.json does not exist"),
        (damage_manifest_cut, "not readable JSON"),
        (damage_manifest_emptied, "needs the option"),
        (damage_format, "has format 99; this version of Tacit reads format 3"),
        (damage_list, "must hold a JSON object; got list"),
        (damage_config_unknown, "no option 'latnet'. Did you mean 'latent'"),
    ],
)
def test_damage_is_refused_at_once(
    saved: Path, damage: Callable[[Path], None], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(saved)
    tries, original = [], _directory._read_manifest
    monkeypatch.setattr(_directory, "_read_manifest", lambda path: tries.append(path) or original(path))
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load_model(saved)
    assert len(tries) == 1


def test_damage_to_the_values_of_a_further_part_is_refused(saved: Path) -> None:
    file = saved / "more.json"
    file.write_text(file.read_text().replace("3", "4"))
    with pytest.raises(CheckpointError, match=r"more\.json is damaged"):
        checkpoint.load(saved)


def test_restore_copies_all_or_nothing() -> None:
    layer = torch.nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    with pytest.raises(CheckpointError, match=r"missing: bias"):
        checkpoint.restore(layer, {"weight": torch.zeros(2, 2)}, "here")
    assert torch.equal(layer.weight, before)
    checkpoint.restore(layer, {"weight": torch.zeros(2, 2), "bias": torch.ones(2)}, "here")
    assert torch.equal(layer.weight, torch.zeros(2, 2))


@pytest.mark.parametrize("name", ["../evil", "A", "a/b", ""])
def test_a_part_cannot_leave_the_directory(name: str, model: WorldModel, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="named in lower-case"):
        checkpoint.save(tmp_path / "model", model, {name: Part({})})
