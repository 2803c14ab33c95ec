"""Print the capabilities of this installation and its missing extras."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tacit._install import DISTRIBUTION, EXTRAS, install_command

__all__ = ["doctor"]


def doctor() -> None:
    """Print versions, cores, accelerators and extras.

    For example: tacit doctor
    """
    import torch

    from tacit import __version__
    from tacit._threads import POLICY
    from tacit.nn.linear import available

    print(f"tacit    {__version__} (distribution {DISTRIBUTION}), in {Path(__file__).parents[1]}")
    print(f"python   {platform.python_version()} on {platform.system()} {platform.machine()}")
    print(f"torch    {torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()} cores")
    policy = os.environ.get(POLICY, "ACTIVE")  # the command line sets it itself
    print(f"waiting  {POLICY}={policy} here; in scripts on a shared machine set it before Python starts")
    devices = [f"cuda: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    devices += ["mps"] if torch.backends.mps.is_available() else []
    print(f"devices  cpu{''.join(f', {device}' for device in devices)}")
    print(f"packed   {'yes' if available() else 'no: planning uses the plain path'}")
    for extra, (packages, purpose) in EXTRAS.items():
        found = {package: _version(package) for package in packages}
        missing = [package for package, number in found.items() if number is None]
        print(f"{'no ' if missing else 'yes':<4}     {purpose} (extra {extra}): ", end="")
        if missing:
            print(f"{', '.join(missing)} missing; add with: {install_command(extra)}")
        else:
            print(", ".join(f"{package} {number}" for package, number in found.items()))


def _version(package: str) -> str | None:
    """Return the version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
