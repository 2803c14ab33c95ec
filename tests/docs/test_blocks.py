"""Every code block of the README and the docs runs as it stands, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tacit as tc

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/run_blocks.py"), str(page), "--skip-setup"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-5000:]}"


def test_every_objective_is_on_its_page() -> None:
    page = (ROOT / "docs" / "concepts" / "objectives.md").read_text()
    missing = [name for name in tc.objectives.names() if f"`{tc.objectives.load(name).__name__}(" not in page]
    assert not missing, f"docs/concepts/objectives.md does not name {missing}"
