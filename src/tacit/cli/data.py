"""Look at a dataset, check it, or write it in another format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import tyro

__all__ = ["info", "check", "convert"]  # noqa: RUF022 - the order of --help

Dataset: TypeAlias = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]


def info(path: Dataset, /) -> None:
    """Say what a dataset holds.

    For example: tacit data info data/two_rooms

    Args:
        path: A dataset.
    """
    import tacit as tc

    print(tc.data.info(path))


def check(path: Dataset, /) -> None:
    """Read every episode and name each file, episode and field that is wrong; exit code 1 if there is one.

    For example: tacit data check data/two_rooms

    Args:
        path: A dataset.
    """
    import tacit as tc

    findings = tc.data.check(path)
    for finding in findings:
        print(finding)
    print(f"{path}: {len(findings)} findings" if findings else f"{path}: nothing wrong")
    sys.exit(bool(findings))


def convert(
    source: Dataset,
    target: Dataset,
    /,
    *,
    format: str = "lerobot",
) -> None:
    """Write a dataset in another format.

    For example: tacit data convert data/two_rooms two_rooms.h5 --format hdf5

    Args:
        source: A dataset in any format that Tacit reads.
        target: Where to write; nothing may be there.
        format: The format to write.
    """
    import tacit as tc

    tc.data.convert(source, target, format)
    print(f"{target}: written. Next: tacit data check {target}")
