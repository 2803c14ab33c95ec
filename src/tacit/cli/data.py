"""Inspect a dataset, check it, or write it in another format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import tyro

__all__ = ["info", "check", "convert", "suggest"]  # noqa: RUF022 - the order of --help

Dataset: TypeAlias = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
Options: TypeAlias = tyro.conf.UseAppendAction[tuple[str, ...]]


def info(path: Dataset, /, *, set: Options = ()) -> None:
    """Print a summary of a dataset.

    For example: tacit data info data/two_rooms

    For example: tacit data info data/aloha --set size=64 --set skip=observation.images.depth

    Args:
        path: A dataset, or a file or folder of images, videos or signals.
        set: A reading option, NAME=VALUE; repeat it for several options: those of tacit.data.open and of its reader.
    """
    import tacit as tc

    print(tc.data.info(path, **_options(set)))


def check(path: Dataset, /, *, set: Options = ()) -> None:
    """Read every episode and name each file, episode and field that is wrong; exit code 1 if there is one.

    For example: tacit data check data/two_rooms

    Args:
        path: A dataset, or a file or folder of images, videos or signals.
        set: A reading option, NAME=VALUE; repeat it for several options: those of tacit.data.open and of its reader.
    """
    import tacit as tc

    findings = tc.data.check(path, **_options(set))
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
    set: Options = (),
) -> None:
    """Write a dataset in another format, or images, videos or signals as a dataset.

    For example: tacit data convert data/two_rooms two_rooms.h5 --format hdf5

    For example: tacit data convert holiday/photos data/photos --set size=64 --set on_error=skip

    After an interruption, the same command continues where it stopped; until then its work is hidden next to TARGET.

    Args:
        source: A dataset in any format that Tacit reads, or a file or folder of images, videos or signals.
        target: The path to write; it must not exist.
        format: The format to write.
        set: A reading option, NAME=VALUE; repeat it for several options: those of tacit.data.open and of its reader.
    """
    import tacit as tc

    tc.data.save(tc.data.open(source, **_options(set)), target, format)
    print(f"{target}: written. Next: tacit data check {target}")


def suggest(path: Dataset, /, *, to: Path | None = None) -> None:
    """Suggest roles for the columns of a log: time, actions, observations and more, each with the reason.

    For example: tacit data suggest plant.csv --to plant.toml

    Review the file, then give it to any verb that reads data: --set mapping=plant.toml, or --read for tacit train.

    Args:
        path: A CSV, TSV or Parquet file, or a folder of them.
        to: The TOML file to write; it must not exist. By default the text is printed.
    """
    import tacit as tc
    from tacit._files import write_atomically
    from tacit.errors import DataError

    text = tc.data.suggest_mapping(path)
    if to is None:
        print(text, end="")
        return
    if to.exists():
        raise DataError(f"{to} exists. Choose another name, or remove it.")
    write_atomically(to, text)
    print(f"{to}: written. Review it. Next: tacit data info {path} --set mapping={to}")


def _options(words: tuple[str, ...]) -> dict[str, Any]:
    from tacit.cli._run import reading

    found, cache = reading(words)
    return {**found, "cache": cache or None}
