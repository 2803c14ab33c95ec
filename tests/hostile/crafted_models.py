"""Crafted checkpoints, agents and published weights."""

import collections
import io
import json
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from hostile.crafted_records import changed
from hostile.crafting import craft, several
from hostile.edits import resign
from hostile.specimens import ijepa_weights

MODEL, AGENT, PROPOSAL = "world/model.json", "agent/agent.json", "agent/proposal.json"


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple:
        import os

        return os.system, ("touch executed",)


def option(folder: Path, values: object) -> None:
    changed(folder, MODEL, **{f"config__{key}": value for key, value in dict(values).items()})


several(
    "checkpoints",
    option,
    {
        "depth_of_1e8": {"predictor__depth": 10**8},
        "width_of_1e9": {"predictor__width": 10**9},
        "latent_of_minus_1": {"latent": -1},
        "features_of_60000": {"encoders__state__features": 60_000, "predictor__width": 60_000, "latent": 60_000},
        "depth_of_999": {"predictor__depth": 999},
        "frameskip_of_1e15": {"frameskip": 10**15},
        "dropout_that_is_no_number": {"predictor": {"name": "transformer", "dropout": float("nan")}},
        "history_of_1e5": {"predictor": {"name": "transformer", "history": 10**5}},
        "digits_of_an_option": {"latent": 10**350},
        "a_float_of_350_digits": {"predictor": {"name": "transformer", "dropout": 10**350}},
        "a_predictor_that_is_a_function": {"predictor": {"name": "os.system"}},
        "an_encoder_that_is_a_path": {"encoders__state": {"name": "../conv"}},
        "encoders_that_are_numbers": {"encoders": {"state": 3}},
        "an_encoder_without_a_name": {"encoders": {"state": {"features": 8}}},
        "options_of_version_0_1_that_are_lists": {"predictor": "mlp", "predictor_width": [1], "encoders": ["conv"]},
        "an_unknown_predictor_of_version_0_1": {"predictor": "lstm", "encoders": {}},
    },
    says="checkpoint|model",
)
SPECS = {
    "a_million_actions": {"spec__action__low": [-1.0] * 10**6, "spec__action__high": [1.0] * 10**6},
    "ten_thousand_modalities": {
        "spec__modalities": {f"m{n}": {"kind": "vector", "shape": [3], "rate": None} for n in range(10**4)}
    },
    "999_modalities": {
        "spec__modalities": {f"m{n}": {"kind": "vector", "shape": [3], "rate": None} for n in range(999)}
    },
    "a_vector_of_1e12": {"spec__modalities__state__shape": [10**12]},
    "pixels_of_1e5_squared": {
        "spec__modalities": {"state": {"kind": "pixels", "shape": [3, 10**5, 10**5], "rate": None}}
    },
    "fps_of_1e300": {"spec__fps": 1e300},
    "fps_of_0": {"spec__fps": 0},
    "series_of_1e300": {"spec__modalities": {"state": {"kind": "series", "shape": [3], "rate": 1e300}}},
    "infinite_bounds": {"spec__action__low": [-1e999, 0.0]},
    "modalities_that_are_a_list": {"spec__modalities": [1, 2]},
    "a_name_of_slashes": {"spec__modalities": {"../../x": {"kind": "vector", "shape": [3], "rate": None}}},
    "a_name_with_a_point": {"spec__modalities": {"a.b": {"kind": "vector", "shape": [3], "rate": None}}},
}
several("checkpoints", option, {f"spec_with_{name}": value for name, value in SPECS.items()}, says="checkpoint|model")


@craft("checkpoints", says="depth of at most 1000")
def masked_model_of_depth_1e8(folder: Path) -> None:
    changed(folder, "masked/model.json", config__depth=10**8)


@craft("checkpoints", says="masked")
def masked_model_of_side_60000(folder: Path) -> None:
    changed(folder, "masked/model.json", config__side=60_000)


@craft("checkpoints", says="os.system")
def model_that_is_a_module(folder: Path) -> None:
    changed(folder, MODEL, model="os.system")


@craft("checkpoints", says="_model")
def model_that_is_private(folder: Path) -> None:
    changed(folder, MODEL, model="_model")


@craft("checkpoints", says="model")
def model_that_is_a_list(folder: Path) -> None:
    changed(folder, MODEL, model=["world_model"], config=[1])


@craft("checkpoints", says="statistics|config|model")
def model_without_a_config(folder: Path) -> None:
    (folder / MODEL).write_text('{"model": "world_model"}')
    resign(folder)


@craft("checkpoints", says="part")
def manifest_with_a_part_that_is_a_path(folder: Path) -> None:
    record = json.loads((folder / "world/checkpoint.json").read_bytes())
    record["parts"]["../masked/model"] = record["parts"]["model"]
    (folder / "world/checkpoint.json").write_text(json.dumps(record))


@craft("checkpoints", says="damaged|bytes")
def manifest_of_sizes_of_1e18(folder: Path) -> None:
    record = json.loads((folder / "world/checkpoint.json").read_bytes())
    record["parts"]["model"]["weights"] = {"bytes": 10**18, "sha256": ""}
    (folder / "world/checkpoint.json").write_text(json.dumps(record))


@craft("checkpoints", says="manifest|checkpoint")
def manifest_of_shapes_of_text(folder: Path) -> None:
    changed(folder, "world/checkpoint.json", parts__model__tensors={"a": {"dtype": "torch.float32", "shape": "wide"}})


def header(folder: Path, values: object) -> None:
    """Change the header of the weights."""
    file = folder / "world/model.safetensors"
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    entries = json.loads(data[8 : 8 + size])
    name = next(name for name in entries if name != "__metadata__")
    entries[name].update(dict(values))
    written = json.dumps(entries).encode()
    file.write_bytes(struct.pack("<Q", len(written)) + written + data[8 + size :])
    resign(folder)


several(
    "checkpoints",
    header,
    {
        "weights_of_a_large_shape": {"shape": [10**9, 10**9]},
        "weights_of_a_shape_that_overflows": {"shape": [2**62, 2**62, 4]},
        "weights_of_offsets_beyond_the_end": {"data_offsets": [0, 2**60]},
        "weights_of_offsets_in_reverse": {"data_offsets": [64, 0]},
        "weights_of_an_unknown_dtype": {"dtype": "F1024"},
        "weights_of_a_negative_shape": {"shape": [-1]},
    },
    says="safetensors",
)


@craft("checkpoints", says="safetensors")
def weights_of_a_header_of_2_to_the_62(folder: Path) -> None:
    (folder / "world/model.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}" * 100)
    resign(folder)


@craft("checkpoints", says="float")
def weights_that_are_complex(folder: Path) -> None:
    tensors = load_file(folder / "world/model.safetensors")
    save_file({name: value.to(torch.complex64) for name, value in tensors.items()}, folder / "world/model.safetensors")
    resign(folder)


def planner(folder: Path, options: object) -> None:
    changed(folder, AGENT, planner__options=dict(options))


several(
    "agent",
    planner,
    {
        "planner_of_1e10_samples": {"samples": 10**10},
        "planner_of_1e10_iterations": {"iterations": 10**10},
        "planner_of_a_million_samples_and_elites": {"samples": 10**6 + 1, "elites": 10**6},
        "planner_of_half_a_sample": {"samples": 0.5},
        "planner_of_infinite_spread": {"std": 1e999, "min_std": float("nan")},
    },
    says="planner|agent|CEM|samples",
)


@craft("agent", says=r"samples|candidates")
def planner_of_large_rounds(folder: Path) -> None:
    changed(folder, AGENT, planner__options={"samples": 10**6, "elites": 2}, horizon=900)


@craft("agent", says="horizon of at most")
def agent_that_looks_ahead_1e9(folder: Path) -> None:
    changed(folder, AGENT, horizon=10**9)


@craft("agent", says="replan_every")
def agent_that_executes_nothing(folder: Path) -> None:
    changed(folder, AGENT, replan_every=0)


@craft("agent", says="arrive_by")
def agent_of_a_deadline_before_the_start(folder: Path) -> None:
    changed(folder, AGENT, arrive_by=-5)


@craft("agent", says="os.system")
def planner_that_is_a_function(folder: Path) -> None:
    changed(folder, AGENT, planner={"name": "os.system", "options": {"command": "touch executed"}, "weight": 1.0})


@craft("agent", says=r"builtins:exec")
def planner_that_is_an_entry_point(folder: Path) -> None:
    changed(folder, AGENT, planner={"name": "builtins:exec", "options": {}, "weight": 1.0})


@craft("agent", says="no costs")
def cost_that_is_a_private_module(folder: Path) -> None:
    changed(folder, AGENT, cost=[{"name": "_base", "options": {}, "weight": 1.0}])


@craft("agent", says="no planners")
def planner_that_is_a_path(folder: Path) -> None:
    changed(folder, AGENT, planner={"name": "../../agent/agent", "options": {}, "weight": 1.0})


@craft("agent", says="no costs|cost")
def cost_that_is_dunder_init(folder: Path) -> None:
    changed(folder, AGENT, cost=[{"name": "__init__", "options": {}, "weight": 1.0}])


@craft("agent")
def costs_of_nothing(folder: Path) -> None:
    changed(folder, AGENT, cost=[])


@craft("agent")
def cost_of_no_number(folder: Path) -> None:
    changed(folder, AGENT, cost=[{"name": "goal", "options": {}, "weight": float("nan")}])


@craft("agent")
def ten_thousand_costs(folder: Path) -> None:
    changed(folder, AGENT, cost=[{"name": "goal", "options": {}, "weight": 1.0}] * 10_000)


@craft("agent", says="policy|proposal")
def proposal_of_depth_1e8(folder: Path) -> None:
    changed(folder, PROPOSAL, depth=10**8)


@craft("agent", says="policy|proposal")
def proposal_of_width_60000(folder: Path) -> None:
    changed(folder, PROPOSAL, width=60_000)


@craft("agent", says="policy|proposal")
def proposal_of_a_million_actions(folder: Path) -> None:
    changed(folder, PROPOSAL, action={"n": 10**6})


@craft("agent", says="agent")
def cost_whose_tensor_is_of_another_option(folder: Path) -> None:
    file = folder / "agent/agent.safetensors"
    tensors = load_file(file)
    save_file({f"{name}.__class__": value for name, value in tensors.items()}, file)
    record = json.loads((folder / "agent/checkpoint.json").read_bytes())
    entry = record["parts"]["agent"]
    entry["tensors"] = {f"{name}.__class__": value for name, value in entry["tensors"].items()}
    (folder / "agent/checkpoint.json").write_text(json.dumps(record))
    resign(folder)


def weights(folder: Path, **changes: torch.Tensor) -> None:
    content = ijepa_weights()
    content["encoder"] |= {f"module.{name.replace('__', '.')}": value for name, value in changes.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of sparse and of quantised tensors
        torch.save(content, folder / "ijepa.pt")


@craft("published", says="share memory")
def tensor_of_stride_0(folder: Path) -> None:
    weights(folder, norm__weight=torch.ones(1, 1).expand(10**6, 10**6))


@craft("published", says="share memory")
def tensor_of_windows_that_overlap(folder: Path) -> None:
    weights(folder, norm__weight=torch.zeros(10**5).as_strided((50_000, 50_000), (1, 1)))


@craft("published", says="share memory")
def a_thousand_views_of_one_storage(folder: Path) -> None:
    base = torch.zeros(10**6)
    weights(folder, **{f"extra{n}": base.view(-1) for n in range(1000)})


@craft("published", says="no plain array")
def tensor_that_is_sparse(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sparse = torch.sparse_coo_tensor([[0], [0]], [1.0], (10**9, 10**9))
    weights(folder, norm__weight=sparse)


@craft("published", says="no plain array|more than tensors|damaged")
def tensor_without_memory(folder: Path) -> None:
    weights(folder, norm__weight=torch.empty(10**9, 10**9, device="meta"))


@craft("published", says="no plain array|more than tensors|damaged")
def tensor_that_is_quantised(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.quantize_per_tensor(torch.ones(16), 0.1, 0, torch.quint8)
    weights(folder, norm__weight=quantised)


@craft("published", says="more than tensors")
def weights_with_a_payload(folder: Path) -> None:
    torch.save({**ijepa_weights(), "x": Payload()}, folder / "ijepa.pt")


@craft("published", says="more than tensors|damaged")
def weights_that_are_a_payload(folder: Path) -> None:
    (folder / "ijepa.pt").write_bytes(pickle.dumps(Payload()))


@craft("published", says="more than tensors|damaged")
def payload_in_an_archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "ijepa.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload()))
        archive.writestr("archive/version", "3\n")


@craft("published", says="compressed")
def archive_of_a_compressed_bomb(folder: Path) -> None:
    with zipfile.ZipFile(folder / "ijepa.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/version", "3\n")
        with archive.open("archive/data.pkl", "w", force_zip64=True) as entry:
            for _ in range(300):
                entry.write(b"\0" * 2**20)


@craft("published")
def containers_that_double(folder: Path) -> None:
    value: list = [1]
    for _ in range(60):
        value = [value, value]
    torch.save({**ijepa_weights(), "extra": value}, folder / "ijepa.pt")


@craft("published")
def containers_that_hold_themselves(folder: Path) -> None:
    value: dict = {}
    value["again"] = value
    torch.save({**ijepa_weights(), "extra": value}, folder / "ijepa.pt")


@craft("published", says="tensors|layout|damaged|names")
def deep_containers(folder: Path) -> None:
    data = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    with zipfile.ZipFile(folder / "ijepa.pt", "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


@craft("published", says="weights|tensors")
def number_of_a_block_of_5000_digits(folder: Path) -> None:
    weights(folder, **{"blocks__" + "9" * 5000 + "__norm1__bias": torch.zeros(1)})


@craft("published", says="damaged|no file")
def storage_of_more_bytes_than_there_are(folder: Path) -> None:
    data = bytearray((folder / "ijepa.pt").read_bytes())
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream) as archive:
        names = [entry.filename for entry in archive.infolist() if "/data/" in entry.filename]
    with zipfile.ZipFile(folder / "other.pt", "w") as out, zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            out.writestr(entry.filename, b"" if entry.filename in names else archive.read(entry.filename))


@craft("published", says="more than tensors|tensors")
def an_ordered_dict_with_attributes(folder: Path) -> None:
    torch.save({**ijepa_weights(), "x": collections.Counter("aab"), 3: "y"}, folder / "ijepa.pt")
    torch.save([torch.zeros(1)], folder / "list.pt")


INDEX, CONFIG = "model.safetensors.index.json", "config.json"
several(
    "published_hub",
    lambda folder, value: (folder / INDEX).write_text(json.dumps(value)),
    {
        "index_of_a_list": {"weight_map": [1, 2]},
        "index_of_numbers": {"weight_map": {"a": 1, "b": "x"}},
        "index_of_lists": {"weight_map": {"a": ["b"]}},
        "index_of_null": {"weight_map": None},
        "index_that_is_a_list": ["a"],
        "index_of_a_path": {"weight_map": {"a": "../../etc/passwd"}},
        "index_of_a_zero_byte": {"weight_map": {"a": "x\0y"}},
        "index_of_a_pickle": {"weight_map": {"a": "config.json"}},
        "index_of_a_million_shards": {"weight_map": {str(n): f"{n}.safetensors" for n in range(10**5)}},
    },
    says="index",
)
several(
    "published_hub",
    lambda folder, value: changed(folder, CONFIG, **dict(value)),
    {
        "config_of_an_image_of_text": {"image_size": "large"},
        "config_of_an_image_of_1e9": {"image_size": 10**9},
        "config_of_an_image_of_8000": {"image_size": 8000},
        "config_of_an_image_of_0": {"image_size": 0},
        "config_of_heads_in_a_list": {"num_attention_heads": [2]},
        "config_of_an_epsilon_of_lists": {"layer_norm_eps": [[]]},
        "config_of_an_activation_in_a_mapping": {"hidden_act": {"a": 1}},
        "config_of_a_crop_of_nothing": {"crop_size": None, "frames_per_clip": "x"},
        "config_of_a_number_of_350_digits": {"image_size": 10**350, "layer_norm_eps": 10**350},
    },
)
