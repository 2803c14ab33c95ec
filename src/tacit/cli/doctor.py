"""Say what this installation can do, and what is missing for the rest."""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib.metadata import PackageNotFoundError, version

__all__ = ["doctor"]

EXTRAS = {
    "hdf5": ("h5py", "HDF5 datasets"),
    "tensorboard": ("tensorboard", "TensorBoard logs"),
    "mujoco": ("dm_control", "MuJoCo Reacher and dm_control"),
}


def doctor() -> None:
    """Print versions, cores, accelerators and extras.

    For example: tacit doctor
    """
    import torch

    from tacit import __version__
    from tacit.nn.linear import available

    print(f"tacit    {__version__}")
    print(f"python   {platform.python_version()} on {platform.system()} {platform.machine()}")
    print(f"torch    {torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()} cores")
    devices = [f"cuda: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    devices += ["mps"] if torch.backends.mps.is_available() else []
    print(f"devices  cpu{''.join(f', {device}' for device in devices)}")
    print(f"packed   {'yes' if available() else 'no: planning uses the plain path'}")
    for extra, (package, purpose) in EXTRAS.items():
        print(f"{'yes' if importlib.util.find_spec(package) else 'no ':<4}     {purpose}: {found(package, extra)}")


def found(package: str, extra: str) -> str:
    """The version of a package, or how to install it."""
    try:
        return f"{package} {version(package.replace('_', '-'))}"
    except PackageNotFoundError:
        return f"pip install 'tacit[{extra}]'"
