"""Python environments of a study, and calls of the functions of a script in new processes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit.errors import ConfigError
from tacit.studies import _call

__all__ = ["Script", "install", "install_revision"]

SHOWN = 3000
"""Characters of the output of a failed process that an error shows."""


@dataclass(frozen=True)
class Script:
    """File of functions that run in processes of their own, each on one thread.

    The interpreter needs no Tacit, so that a study can compare it with another package or with an older revision.

    Attributes:
        file: The file; modules of its folder can be imported.
        python: The interpreter; the one of this process by default.
        variables: Environment variables that are added or replaced.
    """

    file: Path
    python: Path = field(default_factory=lambda: Path(sys.executable))
    variables: Mapping[str, str] = field(default_factory=dict)

    def call(self, function: str, *arguments: Any) -> Any:
        """Return the JSON value of a function; paths reach it as strings.

        Raises:
            ConfigError: if the process fails, with the end of what it wrote.
        """
        return self._run(function, arguments, 0, 0)

    def cpu_seconds(self, function: str, *arguments: Any, calls: int = 1, rounds: int = 1) -> list[float]:
        """Return the CPU seconds of the callable that a function returns; making it is not part of the time.

        Args:
            function: The name of the function.
            arguments: Its arguments.
            calls: Calls of a round. The first round warms up and is not counted.
            rounds: Counted rounds, each with its seconds of one call.

        Raises:
            ConfigError: if the process fails, with the end of what it wrote.
        """
        seconds: list[float] = self._run(function, arguments, calls, rounds)
        return seconds

    def _run(self, function: str, arguments: Sequence[Any], calls: int, rounds: int) -> Any:
        single = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        asked = json.dumps({"arguments": arguments, "calls": calls, "rounds": rounds}, default=str)
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "answer.json"
            command = [str(self.python), _call.__file__, str(self.file.absolute()), function, str(answer)]
            environ = {**os.environ, **single, **self.variables}
            done = subprocess.run(command, input=asked, capture_output=True, text=True, env=environ)
            if done.returncode or not answer.exists():
                output = f"{done.stdout[-SHOWN // 3 :]}\n{done.stderr[-SHOWN:]}"
                raise ConfigError(
                    f"{function}{tuple(arguments)} of {self.file.name} failed in {self.python}:\n{output}"
                )
            return json.loads(answer.read_text())


def install(folder: Path, packages: Sequence[str], *, python: str = "3.11", pinned: bool = True) -> Path:
    """Return the interpreter of a virtual environment with packages; uv makes it if there is none.

    Args:
        folder: The folder of the environment.
        packages: Packages as ``pip install`` takes them.
        python: The version of Python.
        pinned: Install everything else in the versions of the project in the current folder.
    """
    interpreter = folder / "bin" / "python"
    if not interpreter.exists():
        known = sorted(Path.home().glob(f".pyenv/versions/{python}.*/bin/python"))  # uv does not search there
        made = known[-1] if known else python
        subprocess.run(["uv", "venv", "--quiet", "--python", made, folder], check=True)
    free = [] if pinned else ["--no-config"]
    words = ["uv", "pip", "install", "--quiet", *free, "--python", str(interpreter), *packages]
    subprocess.run(words, check=True)
    return interpreter


def install_revision(repository: Path, revision: str, folder: Path) -> Path:
    """Return the interpreter of an environment with a git revision of a package, unpacked inside ``folder``."""
    place = folder / revision.replace("^", "_before").replace("~", "_")
    if not place.exists():
        words = ["git", "archive", revision]
        archive = subprocess.run(words, cwd=repository, check=True, stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as file:
            file.extractall(place, filter="data")
    return install(place / ".venv", [str(place)])
