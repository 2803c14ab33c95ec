"""Random damage to valid files: reading gives a value or an error of Tacit; benchmarks/hostile_files.py does more."""

from pathlib import Path

import numpy as np
import pytest

from hostile import specimens
from hostile.edits import edit
from hostile.judging import Worker, broken_rules, size_of
from hostile.test_crafted import made, specimen, worker  # noqa: F401

EDITS = 20


@pytest.mark.parametrize("kind", specimens.SPECIMENS)
def test_random_edits(kind: str, worker: Worker, made: dict[str, Path], tmp_path: Path) -> None:  # noqa: F811
    source, broken = specimen(kind, made), {}
    for number in range(EDITS):
        folder = specimens.copy(kind, source, tmp_path / "copy")
        said = edit(folder, np.random.default_rng([number, *kind.encode()]))
        rules = broken_rules(worker.open(kind, folder), size_of(folder))
        if rules:
            broken[said] = rules
    assert broken == {}
