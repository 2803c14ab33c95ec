"""Inspect a dataset, check it, or write it in another format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import tyro

__all__ = ["info", "check", "look", "convert", "suggest"]  # noqa: RUF022 - the order of --help

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


def check(
    path: Dataset,
    /,
    *,
    strict: bool = False,
    quality: bool = True,
    run: Path | None = None,
    set: Options = (),
) -> None:
    """Read every episode, and name what is wrong or unusual, with its file, episode, field and steps.

    For example: tacit data check data/two_rooms

    For example: tacit data check data/two_rooms --run runs/two_rooms

    The exit code is 1 if something is wrong, such as a damaged file or a wrong fps. Warnings, such as frozen frames or
    shifted actions, do not count unless --strict.

    Args:
        path: A dataset, or a file or folder of images, videos or signals.
        strict: Let warnings count.
        quality: Examine the quality of sound data as well.
        run: A trained run, whose model ranks the episodes by surprise.
        set: A reading option, NAME=VALUE; repeat it for several options: those of tacit.data.open and of its reader.
    """
    import tacit as tc
    from tacit.cli import _findings

    options = _options(set)
    findings = tc.data.check(path, **options)
    sound = not findings
    if sound and quality:
        findings = tc.data.quality.examine(tc.data.open(path, **options))
    _findings.show(path, findings)
    if not sound and quality:
        print("The quality of the data is not examined, because some cannot be read.")
    if sound and run is not None:
        _findings.show_surprise(run, tc.data.open(path, **options))
    sys.exit(any(strict or finding.severity == "error" for finding in findings))


def look(path: Dataset, /, *, out: Path = Path("report.html"), set: Options = ()) -> None:
    """Write an HTML page on a dataset: thumbnails, distributions and findings.

    For example: tacit data look data/two_rooms --out two_rooms.html

    Args:
        path: A dataset, or a file or folder of images, videos or signals.
        out: The page to write; an older one is replaced.
        set: A reading option, NAME=VALUE; repeat it for several options: those of tacit.data.open and of its reader.
    """
    import tacit as tc

    episodes = tc.data.open(path, **_options(set))
    findings = tc.data.quality.examine(episodes)
    written = tc.reports.write_dataset_report(episodes, out, findings=findings, title=path.name)
    print(f"{written}: written, with {len(findings)} findings")


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
