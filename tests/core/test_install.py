"""The distribution: commands that add an extra here, and the refusal of another project's files."""

import copy
import importlib.metadata
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import tacit
from tacit import _install
from tacit._install import DISTRIBUTION, EXTRAS, install_command, refuse_other_tacit
from tacit.cli.doctor import doctor
from tacit.errors import MissingExtra

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGE = Path(tacit.__file__).parent


def test_extras_are_those_of_the_distribution() -> None:
    assert PROJECT["name"] == DISTRIBUTION and importlib.metadata.version(DISTRIBUTION) == tacit.__version__
    assert PROJECT["description"].startswith(_install.SUMMARY)
    listed = {
        extra: {re.split(r"[\[<>=;~ ]", package)[0] for package in packages}
        for extra, packages in PROJECT["optional-dependencies"].items()
    }
    assert {extra: set(packages) for extra, (packages, _) in EXTRAS.items()} == listed


class Place:
    """An environment and a package folder to run in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.patch, self.root = monkeypatch, root
        monkeypatch.delenv("VIRTUAL_ENV", raising=False)
        monkeypatch.delenv("UV_PROJECT_ENVIRONMENT", raising=False)

    def clone(self) -> Path:
        folder = self.root / "a clone"
        (folder / "src").mkdir(parents=True)
        (folder / "pyproject.toml").touch()
        self.patch.setattr(_install, "SOURCES", folder / "src")
        return folder

    def environment(self, folder: Path, uv: bool, pip: bool) -> None:
        folder.mkdir(parents=True)
        (folder / "pyvenv.cfg").write_text("home = /usr/bin\n" + ("uv = 0.9.0\n" if uv else ""))
        self.patch.setattr(sys, "prefix", str(folder))
        self.patch.setattr(sys, "executable", str(folder / "bin" / "python"))
        self.patch.setattr(_install, "find_spec", lambda name: object() if pip else None)
        if not _install.SOURCES.is_relative_to(self.root):
            self.patch.setattr(_install, "SOURCES", folder / "lib" / "site-packages")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    monkeypatch.chdir(tmp_path)
    return Place(monkeypatch, tmp_path)


def test_a_clone_is_synchronised(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = place.clone()
    place.environment(clone / ".venv", uv=True, pip=False)
    assert install_command("hdf5") == f"uv sync --project '{clone}' --extra hdf5"
    monkeypatch.chdir(clone / "src")
    assert install_command("hdf5") == "uv sync --extra hdf5"


def test_a_clone_in_an_environment_of_ones_own(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = place.clone()
    place.environment(place.root / "mine", uv=False, pip=True)
    assert install_command("hdf5") == f"pip install -e '{clone}[hdf5]'"
    monkeypatch.chdir(clone)
    assert install_command("hdf5") == "pip install -e '.[hdf5]'"


@pytest.mark.parametrize("uv", [True, False])
def test_an_installed_distribution_with_pip(place: Place, uv: bool) -> None:
    place.environment(place.root / "mine", uv=uv, pip=True)
    assert install_command("mujoco") == "pip install 'tacit-world[mujoco]'"


def test_an_environment_of_uv_without_pip(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.environment(place.root / "mine", uv=True, pip=False)
    python = place.root / "mine" / "bin" / "python"
    assert install_command("mujoco") == f"uv pip install --python {python} 'tacit-world[mujoco]'"
    monkeypatch.setenv("VIRTUAL_ENV", str(place.root / "mine"))
    assert install_command("mujoco") == "uv pip install 'tacit-world[mujoco]'"


def test_the_error_and_doctor_name_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = MissingExtra("h5py", "hdf5", "reading")
    assert str(error).endswith(f"Install it with: {install_command('hdf5')}")
    assert str(copy.copy(error)) == str(error)
    monkeypatch.setitem(EXTRAS, "hdf5", (("h5py", "package-of-nobody"), "HDF5 datasets"))
    doctor()
    printed = capsys.readouterr().out
    assert f"HDF5 datasets (extra hdf5): package-of-nobody missing; add with: {install_command('hdf5')}\n" in printed
    assert f"TensorBoard logs (extra tensorboard): tensorboard {importlib.metadata.version('tensorboard')}" in printed
    assert f"{tacit.__version__} (distribution tacit-world)" in printed


OURS = "Metadata-Version: 2.4\nName: tacit\nVersion: 0.1.0\nSummary: World models that learn by watching and acting.\n"
THEIRS = "Metadata-Version: 2.1\nName: tacit\nVersion: 3.2\nSummary: Tacit knowledge for teams.\n"


@pytest.mark.parametrize(
    ("folder", "files", "refused"),
    [
        ("tacit-3.2.dist-info", {"METADATA": THEIRS, "RECORD": "tacit/__init__.py,sha256=x,3\ntacit/cli.py,,\n"}, True),
        ("Tacit-3.2.dist-info", {"METADATA": THEIRS, "RECORD": "tacit/notes.py,sha256=x,3\n"}, True),
        ("tacit-3.2.egg-info", {"PKG-INFO": THEIRS, "top_level.txt": "tacit\n"}, True),
        ("tacit-3.2.egg-info", {"PKG-INFO": THEIRS, "installed-files.txt": "../tacit/__init__.py\n"}, True),
        ("tacit-3.2.dist-info", {"METADATA": THEIRS, "RECORD": "other/__init__.py,,\n"}, False),
        ("tacit-0.1.0.dist-info", {"METADATA": OURS, "RECORD": "tacit/__init__.py,,\n"}, False),
        ("tacit_world-0.1.0.dist-info", {"METADATA": OURS, "RECORD": "tacit/__init__.py,,\n"}, False),
        ("tacit_tools-1.dist-info", {"METADATA": THEIRS, "RECORD": "tacit/tools.py,,\n"}, False),
    ],
)
def test_files_of_the_other_project_are_refused(
    tmp_path: Path, folder: str, files: dict[str, str], refused: bool
) -> None:
    (tmp_path / "tacit").symlink_to(PACKAGE)
    (tmp_path / folder).mkdir()
    for name, text in files.items():
        (tmp_path / folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", "import tacit; print(tacit.__file__)"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    if refused:
        assert "ImportError: another project, 'tacit' 3.2, has its files in" in done.stderr
        assert "uninstall tacit tacit-world;" in done.stderr
    else:
        assert done.stdout.strip() == str(tmp_path / "tacit" / "__init__.py"), done.stderr


def test_the_check_is_fast() -> None:
    site = Path(pytest.__file__).parents[1]
    started = time.perf_counter()
    for _ in range(10):
        refuse_other_tacit(site)
    assert (time.perf_counter() - started) / 10 < 0.005
