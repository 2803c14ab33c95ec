"""Other packages in environments of their own, called process by process; imports nothing that only one side has."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def environment(folder: Path, packages: list[str], python: str = "3.11", pinned: bool = True) -> Path:
    """The Python of a virtual environment with the packages, made where there is none.

    Args:
        folder: Where it is or will be.
        packages: As ``pip install`` takes them.
        python: Its version.
        pinned: Everything else in the versions that this repository pins.
    """
    interpreter = folder / "bin" / "python"
    if not interpreter.exists():
        known = sorted(Path.home().glob(f".pyenv/versions/{python}.*/bin/python"))  # uv does not look there
        wanted = known[-1] if known else python
        subprocess.run(["uv", "venv", "--quiet", "--python", wanted, folder], check=True)
    free = [] if pinned else ["--no-config"]
    subprocess.run(["uv", "pip", "install", "--quiet", *free, "--python", interpreter, *packages], check=True)
    return interpreter


def call(python: Path, script: str, words: str, work: Path) -> dict[str, Any]:
    """What one side prints after ``PEER``, in a fresh process on one thread."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "STABLEWM_HOME": str(work / "home")}
    command = [str(python), str(HERE / script), *words.format(work=work).split()]
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    lines = [line for line in done.stdout.splitlines() if line.startswith("PEER ")]
    if done.returncode or not lines:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    figures: dict[str, Any] = json.loads(lines[-1].removeprefix("PEER "))
    return figures
