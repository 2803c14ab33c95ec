"""CPU time and memory of `tacit data convert` of a CSV log, against pyarrow alone."""

import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

import tacit as tc
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, at_most, table
from tacit.studies.environments import Script

SENSORS, ROWS = 8, 50_000


@dataclass(frozen=True)
class Settings:
    """Size of the log in bytes, and the times that each conversion is repeated in a process of its own."""

    size: int
    repeats: int = 3


def write_log(file: Path, size: int) -> None:
    """Write seconds, sensors and a valve, until the file has this size."""
    draw, names = np.random.default_rng(0), [f"sensor_{number}" for number in range(SENSORS)]
    with file.open("wb") as stream:
        stream.write(f"time,{','.join(names)},valve\n".encode())
        row = 0
        while stream.tell() < size:
            columns = {"time": np.arange(row, row + ROWS).astype(np.float64)}
            columns |= {name: np.round(100 + 30 * draw.standard_normal(ROWS), 4) for name in names}
            columns["valve"] = np.round(draw.uniform(0, 100, ROWS), 1)
            pcsv.write_csv(pa.table(columns), stream, pcsv.WriteOptions(include_header=False))
            row += ROWS


def streamed(file: Path, to: Path) -> None:
    """Convert a log to one Parquet file block by block, numbers as float32."""
    reader = pcsv.open_csv(file)
    schema = pa.schema([(name, pa.float64() if name == "time" else pa.float32()) for name in reader.schema.names])
    with pq.ParquetWriter(to, schema) as writer:
        for batch in reader:
            writer.write_batch(batch.cast(schema))


def converted(file: Path, to: Path) -> None:
    """Convert a log to a dataset with episodes of an hour."""
    with warnings.catch_warnings(action="ignore"):
        tc.data.convert(file, to, "lerobot", actions=("valve",), longest=3600.0, progress=False)


def peak_memory() -> int:
    """Return the largest resident memory of this process in bytes; that of `getrusage` begins with its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def cost(way: str, small: str, large: str, work: str) -> dict[str, float]:
    """Convert a small log, so that everything is imported, and then the large one; return its CPU time and memory."""
    convert: Callable[[Path, Path], None] = {"pyarrow": streamed, "tacit": converted}[way]
    to, found = Path(work), []
    for number, file in enumerate((small, large)):
        began = time.process_time()
        convert(Path(file), to / f"{way}-{number}")
        found.append((time.process_time() - began, peak_memory()))
    return {"cpu_s": found[1][0], "growth_bytes": found[1][1] - found[0][1], "peak_bytes": found[1][1]}


def measure(run: Run[Settings]) -> dict[str, Any]:
    work = run.work.absolute() / "log"
    shutil.rmtree(work, ignore_errors=True)  # of an interrupted run
    work.mkdir(parents=True)
    small, large = work / "small.csv", work / "large.csv"
    write_log(small, 10**6)
    write_log(large, run.settings.size)
    found: dict[str, Any] = {"size_bytes": large.stat().st_size}
    for way in ("pyarrow", "tacit"):
        each = []
        for number in range(run.settings.repeats):
            (to := work / f"{way}-{number}").mkdir()
            each.append(Script(Path(__file__)).call("cost", way, str(small), str(large), str(to)))
            shutil.rmtree(to)
        found[way] = min(each, key=lambda one: one["cpu_s"])
    shutil.rmtree(work)
    return {**found, "ratio": found["tacit"]["cpu_s"] / found["pyarrow"]["cpu_s"]}


def report(results: Mapping[str, RunResult]) -> Report:
    rows, targets = [], []
    for name, result in results.items():
        one = result.values
        ours, theirs = one["tacit"], one["pyarrow"]
        rows.append(
            (
                name,
                *(f"{way['cpu_s']:.2f}" for way in (theirs, ours)),
                f"{one['ratio']:.2f}",
                *(f"{way['growth_bytes'] / 1e6:.0f}" for way in (theirs, ours)),
            )
        )
        targets += [
            at_most(f"conversion of a log of {name}: CPU time over that of pyarrow", one["ratio"], 2, "{:.2f}"),
            at_most(f"conversion of a log of {name}: growth of memory, MB", ours["growth_bytes"] / 1e6, 200, "{:.0f}"),
        ]
    header = ("log", "pyarrow, CPU s", "tacit, CPU s", "ratio", "pyarrow, MB", "tacit, MB")
    return Report([table(header, rows)], targets)


STUDY = Study(
    name="log_conversion",
    title="Conversion of a log",
    summary=(
        f"A CSV log of times, {SENSORS} sensors and a valve, converted to a dataset with episodes of an hour, and by "
        "pyarrow block by block to one Parquet file of the same columns. Each in a process of its own that has "
        "converted 1 MB before; the best of three. MB is how far the peak of memory rises over that of the small log."
    ),
    command="uv run benchmarks/log_conversion.py",
    cases={"50 MB": Settings(50 * 10**6), "100 MB": Settings(100 * 10**6)},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)
