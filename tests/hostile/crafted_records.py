"""Crafted records in JSON, and special files in the place of any file."""

import json
import os
from pathlib import Path

from hostile.crafting import craft, several
from hostile.edits import resign
from tacit._files import add_checksum

RECORDS = {
    "lerobot": ["data/meta/info.json", "data/meta/tacit.json", "data/meta/stats.json"],
    "lerobot_foreign": ["data/meta/info.json", "data/meta/stats.json"],
    "checkpoints": ["world/checkpoint.json", "world/model.json"],
    "agent": ["agent/agent.json", "agent/proposal.json"],
    "run": ["run/run.json", "run/checkpoint/training.json", "run/log.jsonl"],
    "embedding": ["latents/embedding.json"],
    "collection": [".data.collection.json"],
    "staged": [".data.unfinished/about.json", ".data.unfinished/episode-000000/sizes.json"],
    "published_hub": ["config.json", "model.safetensors.index.json"],
}
TEXTS = {
    "deep_lists": "[" * 100_000 + "]" * 100_000,
    "deep_objects": '{"a":' * 60_000 + "1" + "}" * 60_000,
    "many_digits": '{"format": ' + "9" * 10_000 + "}",
    "a_list": "[1, 2, 3]",
    "infinity": '{"format": 1e999, "step": Infinity, "version": NaN}',
}
WHOLE = {
    "lerobot": ["data/meta/tasks.parquet", "data/data/chunk-000/file-000.parquet"],
    "lerobot_foreign": ["data/videos/observation.images.pixels/chunk-000/file-000.mp4"],
    "hdf5": ["data.h5"],
    "csv": ["plant.csv"],
    "parquet": ["plant.parquet"],
    "wfdb": ["ecg.dat", "ecg.hea"],
    "images": ["data/dogs/0.png"],
    "videos": ["video.mp4"],
    "checkpoints": ["world/model.safetensors"],
    "embedding": ["latents/values-00000.safetensors"],
    "published": ["ijepa.pt"],
    "published_hub": ["model-00001-of-00002.safetensors"],
}


def write(folder: Path, argument: object) -> None:
    name, text = argument
    (folder / name).write_text(text)
    resign(folder)


def device(folder: Path, name: object) -> None:
    """A link to a device that never ends."""
    (folder / str(name)).unlink()
    (folder / str(name)).symlink_to("/dev/zero")


def fifo(folder: Path, name: object) -> None:
    """A pipe that nobody writes to."""
    (folder / str(name)).unlink()
    os.mkfifo(folder / str(name))


def a_folder(folder: Path, name: object) -> None:
    (folder / str(name)).unlink()
    (folder / str(name)).mkdir()


for kind, names in RECORDS.items():
    for name in names:
        stem = Path(name).stem
        several(kind, write, {f"{stem}_{text}": (name, TEXTS[text]) for text in TEXTS})
for kind, names in {kind: RECORDS.get(kind, []) + WHOLE.get(kind, []) for kind in {**RECORDS, **WHOLE}}.items():
    for name in names:
        several(kind, device, {f"{Path(name).name}_is_a_device": name})
        several(kind, fifo, {f"{Path(name).name}_is_a_fifo": name})
    several(kind, a_folder, {f"{Path(names[0]).name}_is_a_folder": names[0]})


def changed(folder: Path, name: str, **values: object) -> None:
    """Replace entries of a record, sealed or not; a key ``a__b`` is the entry ``b`` of the entry ``a``."""
    path = folder / name
    record = json.loads(path.read_bytes())
    content = record["content"] if set(record) == {"sha256", "content"} else record
    for key, value in values.items():
        *holders, last = key.split("__")
        place = content
        for holder in holders:
            place = place[holder]
        place[last] = value
    path.write_text(add_checksum(content) if content is not record else json.dumps(record))
    resign(folder)


@craft("run", says="run.json")
def run_with_a_seed_of_text(folder: Path) -> None:
    changed(folder, "run/run.json", seed="0")


@craft("run", says="recipe")
def run_whose_recipe_is_a_path(folder: Path) -> None:
    changed(folder, "run/run.json", recipe="../../os.system")


@craft("run")
def run_with_a_fraction_that_is_no_number(folder: Path) -> None:
    changed(folder, "run/run.json", fraction=float("nan"))


@craft("run", says="step")
def run_that_did_minus_a_step(folder: Path) -> None:
    changed(folder, "run/checkpoint/training.json", step=-1)


@craft("run", says="step")
def run_whose_step_is_a_list(folder: Path) -> None:
    changed(folder, "run/checkpoint/training.json", step=[3])


@craft("run", says="run")
def run_whose_facts_are_a_list(folder: Path) -> None:
    changed(folder, "run/checkpoint/training.json", run=[1])


@craft("run", says="line")
def log_with_a_long_line(folder: Path) -> None:
    with (folder / "run/log.jsonl").open("w") as file:
        file.write('{"step": 0, "loss": "' + "1" * 3 * 2**20 + '"}\n')


@craft("run", says="line 1")
def log_without_a_step(folder: Path) -> None:
    (folder / "run/log.jsonl").write_text('{"loss": 1.0}\n{"step": [], "loss": {}}\n')


@craft("run", says="line 1")
def log_of_other_bytes(folder: Path) -> None:
    (folder / "run/log.jsonl").write_bytes(b"\xff\xfe\n" * 100)


@craft("embedding", says="embedding")
def embedding_of_files_in_a_list(folder: Path) -> None:
    changed(folder, "latents/embedding.json", files=[1, 2])


@craft("embedding", says="rows|shards|episode")
def embedding_of_more_rows(folder: Path) -> None:
    changed(folder, "latents/embedding.json", rows=10**12)


@craft("embedding", says="shape|shards")
def embedding_of_no_shape(folder: Path) -> None:
    changed(folder, "latents/embedding.json", shape=[])


@craft("embedding")
def embedding_of_a_grid_of_zeros(folder: Path) -> None:
    changed(folder, "latents/embedding.json", grid=[0, 0])


@craft("collection", says="collection")
def collection_of_numbers(folder: Path) -> None:
    changed(folder, ".data.collection.json", env=3, seed="a", steps=[])


@craft("staged")
def staged_labels_of_numbers(folder: Path) -> None:
    changed(folder, ".data.unfinished/about.json", labels={"position": 3})


@craft("staged")
def staged_facts_that_are_no_list(folder: Path) -> None:
    (folder / ".data.unfinished/episode-000000/facts.json").write_text("{}")
    sizes = folder / ".data.unfinished/episode-000000/sizes.json"
    files = [file for file in sizes.parent.iterdir() if file != sizes]
    sizes.write_text(json.dumps({file.name: file.stat().st_size for file in files}))


@craft("lerobot_cached")
def cache_whose_index_names_what_is_not_there(folder: Path) -> None:
    for index in (folder / "caches").rglob("index.npz"):
        index.write_text(json.dumps([0, 1, 2, 10**9, -5]))


@craft("lerobot_cached")
def cache_whose_index_is_deep(folder: Path) -> None:
    for index in (folder / "caches").rglob("index.npz"):
        index.write_text(TEXTS["deep_lists"])


@craft("lerobot_cached")
def cache_whose_block_is_a_fifo(folder: Path) -> None:
    for block in (folder / "caches").rglob("*.raw"):
        block.unlink()
        os.mkfifo(block)


@craft("lerobot_cached")
def cache_whose_lock_is_a_folder(folder: Path) -> None:
    for lock in (folder / "caches").rglob("lock"):
        lock.unlink()
        lock.mkdir()
