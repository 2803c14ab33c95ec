"""Distribution: its extras, the commands that install them, and the check for the other ``tacit``."""

from __future__ import annotations

import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["DISTRIBUTION", "EXTRAS", "install_command", "refuse_other_tacit"]

DISTRIBUTION = "tacit-world"
"""Name on the package index, where ``tacit`` belongs to another project."""
SUMMARY = "World models that learn by watching and acting"
"""Beginning of the summary of our distributions, including older ones named ``tacit``."""
EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "hdf5": (("h5py",), "HDF5 datasets"),
    "memory": (("usearch",), "indexes of large memory stores"),
    "tensorboard": (("tensorboard",), "TensorBoard logs"),
    "wandb": (("wandb",), "Weights & Biases logs"),
    "mlflow": (("mlflow-skinny",), "MLflow logs"),
    "hub": (("huggingface-hub",), "runs on the Hugging Face Hub"),
    "wfdb": (("wfdb",), "WFDB records of physiological signals"),
    "zarr": (("zarr",), "replay buffers in zarr"),
    "edf": (("pyedflib",), "EDF and BDF files of physiological signals"),
    "rosbags": (("rosbags",), "MCAP files and bags of ROS"),
    "mujoco": (("mujoco", "dm-control"), "MuJoCo Arm, Reacher and dm_control"),
    "physics": (("pymunk",), "rigid bodies of the table and book"),
}
"""Packages and purpose of each extra, as in pyproject.toml."""
SOURCES = Path(__file__).parents[1]
"""Folder that holds the package: ``src`` of a clone, or ``site-packages``."""


def install_command(extra: str) -> str:
    """Return a command that adds an extra to this environment.

    In a clone, uv or pip installs from the clone; elsewhere from the index, by uv in an environment that uv made
    without pip.
    """
    clone = SOURCES.parent if SOURCES.name == "src" and (SOURCES.parent / "pyproject.toml").is_file() else None
    by_uv = find_spec("pip") is None and _made_by_uv()
    if clone is not None and _is_environment_of(clone):
        inside = clone in (Path.cwd(), *Path.cwd().parents)
        return f"uv sync{'' if inside else f' --project {shlex.quote(str(clone))}'} --extra {extra}"
    if clone is None:
        wanted = f"'{DISTRIBUTION}[{extra}]'"
    else:
        wanted = "-e " + (f"'.[{extra}]'" if clone == Path.cwd() else shlex.quote(f"{clone}[{extra}]"))
    if not by_uv:
        return f"pip install {wanted}"
    found_by_uv = Path(sys.prefix) in (Path(os.environ.get("VIRTUAL_ENV") or "."), Path.cwd() / ".venv")
    return f"uv pip install {'' if found_by_uv else f'--python {shlex.quote(sys.executable)} '}{wanted}"


def refuse_other_tacit(folder: Path = SOURCES) -> None:
    """Refuse to run among the files of the other project named ``tacit`` on the package index.

    Only the folder that holds this package is checked, because elsewhere the other one's files do not mix with ours.

    Raises:
        ImportError: if that project is installed in the same folder.
    """
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:  # imported from an archive
        return
    for name in names:
        if name.lower().startswith("tacit-") and name.endswith((".dist-info", ".egg-info")) and _foreign(folder / name):
            version = name.removesuffix(".dist-info").removesuffix(".egg-info").partition("-")[2]
            tool = "uv pip" if find_spec("pip") is None and _made_by_uv() else "pip"
            raise ImportError(
                f"another project, 'tacit' {version}, has its files in {folder / 'tacit'}, together with those of "
                f"{DISTRIBUTION}, so either may have overwritten the other. Remove both and install the one you want: "
                f"{tool} uninstall tacit {DISTRIBUTION}; {tool} install {DISTRIBUTION}"
            )


def _foreign(info: Path) -> bool:
    """Return whether a distribution named ``tacit`` is not ours and has files in a folder ``tacit``."""
    files = [info / name for name in ("METADATA", "PKG-INFO", "RECORD", "installed-files.txt", "top_level.txt")]
    texts = {file.name: file.read_text("utf-8", "replace") for file in files if file.is_file()}
    about = texts.pop("METADATA", "") or texts.pop("PKG-INFO", "")
    if f"\nSummary: {SUMMARY}" in about:
        return False
    paths = [
        line.strip().partition(",")[0].removeprefix("../") for text in texts.values() for line in text.splitlines()
    ]
    return any(path == "tacit" or path.startswith("tacit/") for path in paths)


def _made_by_uv() -> bool:
    config = Path(sys.prefix, "pyvenv.cfg")
    return config.is_file() and any(line.startswith("uv =") for line in config.read_text("utf-8").splitlines())


def _is_environment_of(clone: Path) -> bool:
    """Return whether ``uv sync`` in the clone changes the current environment."""
    place = clone / (os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")
    return _made_by_uv() and place.resolve() == Path(sys.prefix).resolve()
