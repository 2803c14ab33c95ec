"""Other packages in virtual environments of their own, called process by process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def environment(folder: Path, packages: list[str], python: str = "3.11", pinned: bool = True) -> Path:
    """Return the Python of a virtual environment with packages, made if there is none.

    Args:
        folder: Its place.
        packages: As ``pip install`` takes them.
        python: Its version.
        pinned: Install everything else in the versions that this repository pins.
    """
    interpreter = folder / "bin" / "python"
    if not interpreter.exists():
        known = sorted(Path.home().glob(f".pyenv/versions/{python}.*/bin/python"))  # uv does not search there
        subprocess.run(["uv", "venv", "--quiet", "--python", known[-1] if known else python, folder], check=True)
    free = [] if pinned else ["--no-config"]
    subprocess.run(["uv", "pip", "install", "--quiet", *free, "--python", interpreter, *packages], check=True)
    return interpreter


def call(python: Path, script: str, words: str, work: Path, **variables: str) -> dict[str, Any]:
    """Return the JSON that a script prints after ``RESULT``, run in a new process on one thread.

    Args:
        python: The interpreter.
        script: A file of this folder.
        words: Its arguments; ``{work}`` stands for the folder ``work``.
        work: A folder for its files.
        variables: Further environment variables.
    """
    single = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "STABLEWM_HOME": str(work / "home")}
    command = [str(python), str(HERE / script), *words.format(work=work).split()]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **single, **variables})
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    figures: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    return figures


def answer(**actions: Callable[..., dict[str, Any]]) -> None:
    """Print the result of the action of the command line for :func:`call`; its words are numbers, paths and names."""
    name, *words = sys.argv[1:]
    arguments = (int(word) if word.isdigit() else Path(word) if "/" in word else word for word in words)
    print("RESULT " + json.dumps(actions[name](*arguments)), flush=True)
