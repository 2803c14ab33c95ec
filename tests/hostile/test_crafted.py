"""Crafted files: reading one gives a value or an error of Tacit, in time and without more memory than its size."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile import crafted_data, crafted_models, crafted_readers, crafted_records, specimens
from hostile.crafting import CRAFTED, Crafted
from hostile.judging import TESTS, Worker, broken_rules, size_of

LISTS = (crafted_data, crafted_models, crafted_readers, crafted_records)
"""The modules that fill the list when they are imported."""


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"": tmp_path_factory.mktemp("specimens")}


def specimen(kind: str, made: dict[str, Path]) -> Path:
    """The specimen of a kind, made once."""
    if kind not in made:
        made[kind] = specimens.make(kind, made[""] / kind)
    return made[kind]


@pytest.mark.parametrize("crafted", CRAFTED, ids=lambda crafted: f"{crafted.kind}-{crafted.name}")
def test_a_crafted_file(crafted: Crafted, worker: Worker, made: dict[str, Path], tmp_path: Path) -> None:
    folder = specimens.copy(crafted.kind, specimen(crafted.kind, made), tmp_path / "copy")
    crafted.change(folder)
    found = worker.open(crafted.kind, folder)
    assert broken_rules(found, size_of(folder) + crafted.unpacked) == []
    assert re.search(crafted.says, found.message), found
    assert not [*tmp_path.rglob("executed"), *TESTS.glob("executed")], "code of a file was run"


@pytest.mark.parametrize("kind", specimens.SPECIMENS)
def test_specimens_are_sound(kind: str, worker: Worker, made: dict[str, Path], tmp_path: Path) -> None:
    found = worker.open(kind, specimens.copy(kind, specimen(kind, made), tmp_path / "copy"))
    expected = {"run": "has no agent yet", "staged": "was never finished"}.get(kind, "")
    assert found.outcome == "value" or (expected and expected in found.message), found


def test_there_are_at_least_100_crafted_files() -> None:
    names = [(crafted.kind, crafted.name) for crafted in CRAFTED]
    assert len(names) == len(set(names)) >= 100
