"""Random damage to the files of a specimen: bytes, JSON values, columns of Parquet, attributes of HDF5.

What holds digests of other files, such as the manifest of a checkpoint, is made to fit again in half of the edits, so
that what stands behind the digests is reached too.
"""

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tacit._files import add_checksum

__all__ = ["edit", "resign"]

Random = np.random.Generator
NUMBERS = (0, -1, 1, 2, 10**9, -(10**12), 2**63, 10**30, 10**300, 1e308, -0.5, 1e-320, float("nan"), float("inf"))
STRINGS = ("", "x", "../../../etc/passwd", "/dev/zero", "\0", "ÿ" * 50, "a" * 20_000, "os.system", "1", "{0}", "%s")


def edit(folder: Path, rng: Random) -> str:
    """Damage one file of a specimen, or two, and say how."""
    said = []
    for _ in range(1 + int(rng.random() < 0.2)):
        files = sorted(file for file in folder.rglob("*") if file.is_file() and file.stat().st_size)
        if not files:
            break
        file = files[rng.integers(len(files))]
        said.append(f"{file.relative_to(folder)}: {_edited(file, rng)}")
    if rng.random() < 0.7:
        resign(folder)
    return "; ".join(said)


def _edited(file: Path, rng: Random) -> str:
    aware = AWARE.get(file.suffix)
    if aware is not None and rng.random() < 0.6:
        try:
            return aware(file, rng)
        except Exception as error:  # an edit that cannot be written is no edit
            return f"nothing ({type(error).__name__})"
    return _bytes(file, rng)


def _bytes(file: Path, rng: Random) -> str:
    data = bytearray(file.read_bytes())
    # Headers decide more than contents do.
    near = len(data) if rng.random() < 0.5 else min(len(data), 512)
    place = int(rng.integers(near)) if rng.random() < 0.8 else len(data) - 1 - int(rng.integers(near))
    size = int(min(1 + rng.geometric(0.02), len(data) - place))
    kind = rng.choice(["flip", "set", "truncate", "insert", "delete", "swap", "repeat", "zero", "ones", "empty"])
    if kind == "flip":
        for _ in range(int(rng.integers(1, 20))):
            data[int(rng.integers(near))] ^= 1 << int(rng.integers(8))
    elif kind == "set":
        data[place] = int(rng.choice([0, 1, 127, 128, 255]))
    elif kind == "truncate":
        del data[place:]
    elif kind == "insert":
        data[place:place] = rng.bytes(size)
    elif kind == "delete":
        del data[place : place + size]
    elif kind == "swap":
        other = int(rng.integers(len(data)))
        first, second = data[place : place + size], data[other : other + size]
        data[other : other + len(first)], data[place : place + len(second)] = first, second
    elif kind == "repeat":
        data[place:place] = data[place : place + size] * int(rng.integers(1, 50))
    elif kind in ("zero", "ones"):
        data[place : place + size] = bytes([0 if kind == "zero" else 255]) * size
    else:
        data.clear()
    file.write_bytes(data)
    return f"{kind} {size} at {place}"


def _json(file: Path, rng: Random) -> str:
    value, said = _changed(json.loads(file.read_bytes()), rng)
    file.write_text(json.dumps(value))
    return said


def _lines(file: Path, rng: Random) -> str:
    lines = file.read_text().splitlines()
    number = int(rng.integers(len(lines)))
    value, said = _changed(json.loads(lines[number]), rng)
    lines[number] = json.dumps(value)
    file.write_text("\n".join(lines) + "\n")
    return f"line {number}: {said}"


def _changed(value: Any, rng: Random) -> tuple[Any, str]:
    """A JSON value of which one part was changed, and how."""
    sealed = isinstance(value, dict) and set(value) == {"sha256", "content"}
    whole = {"": value["content"]} if sealed else {"": value}
    holders: list[tuple[Any, Any]] = []

    def walk(holder: Any) -> None:
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            holders.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                walk(holder[key])

    walk(whole)
    holder, key = holders[rng.integers(len(holders))]
    kind = rng.choice(["number", "string", "other", "remove", "deep", "wide", "double", "rename", "scale"])
    old = holder[key]
    if kind == "remove" and holder is not whole:
        del holder[key]
    elif kind == "deep":
        for _ in range(int(rng.choice([3, 70, 900]))):
            old = [old] if rng.random() < 0.5 else {"a": old}
        holder[key] = old
    elif kind == "wide":
        holder[key] = [old] * int(rng.choice([0, 2, 10_000]))
    elif kind == "double" and isinstance(holder, list):
        holder.insert(key, old)
    elif kind == "rename" and isinstance(holder, dict) and holder is not whole:
        holder[str(rng.choice(STRINGS))] = holder.pop(key)
    elif kind == "scale" and isinstance(old, (int, float)) and not isinstance(old, bool):
        holder[key] = type(old)(old * rng.choice([-1, 0, 10, 1000, 10**6])) + type(old)(rng.choice([0, 1]))
    elif kind == "string":
        holder[key] = STRINGS[rng.integers(len(STRINGS))]
    elif kind == "other":
        holder[key] = [None, True, [], {}, [[]], {"a": 1}, [1, "a"], "text"][rng.integers(8)]
    else:
        holder[key] = NUMBERS[rng.integers(len(NUMBERS))]
    there = key in holder if isinstance(holder, dict) else key < len(holder)
    now = repr(holder[key])[:30] if there else "gone"
    said = f"{kind} {key!r}: {str(old)[:30]!r} -> {now}"
    if sealed:
        return json.loads(add_checksum(whole[""])), said
    return whole[""], said


def _safetensors(file: Path, rng: Random) -> str:
    """Change the header, which is JSON behind its length."""
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header, said = _changed(json.loads(data[8 : 8 + size]), rng)
    written = json.dumps(header).encode()
    written += b" " * (-len(written) % 8)
    if rng.random() < 0.1:
        return _written(file, struct.pack("<Q", 2**40) + written + data[8 + size :], f"header of 2^40 bytes; {said}")
    return _written(file, struct.pack("<Q", len(written)) + written + data[8 + size :], said)


def _written(file: Path, data: bytes, said: str) -> str:
    file.write_bytes(data)
    return said


def _parquet(file: Path, rng: Random) -> str:
    table = pq.read_table(file)
    number = int(rng.integers(table.num_columns))
    name, column = table.column_names[number], table.column(number)
    kind = str(
        rng.choice(["drop", "text", "null", "huge", "nan", "list", "rename", "rows", "bool", "none", "bytes", "time"])
    )
    changed: Any = None
    if kind == "drop":
        table = table.remove_column(number)
    elif kind == "rename":
        new = str(rng.choice([*STRINGS, *table.column_names]))
        table = table.rename_columns([new if n == number else old for n, old in enumerate(table.column_names)])
    elif kind == "rows":
        table = table.slice(int(rng.integers(len(table) + 1)), int(rng.integers(len(table) + 1)))
    elif kind == "text":
        changed = pa.array([STRINGS[rng.integers(len(STRINGS))] for _ in range(len(table))])
    elif kind == "null":
        changed = pa.array([None if rng.random() < 0.5 else one for one in column.to_pylist()], column.type)
    elif kind == "huge":
        changed = pa.array([int(rng.choice([2**62, -(2**62), 2**31, 10**6])) for _ in range(len(table))])
    elif kind == "nan":
        changed = pa.array([float(rng.choice([np.nan, np.inf, -np.inf, 1e308])) for _ in range(len(table))])
    elif kind == "list":
        changed = pa.array([[one] * int(rng.integers(3)) for one in column.to_pylist()])
    elif kind == "bool":
        changed = pa.array([bool(rng.random() < 0.5) for _ in range(len(table))])
    elif kind == "none":
        changed = pa.nulls(len(table))
    elif kind == "bytes":
        changed = pa.array([rng.bytes(int(rng.integers(40))) for _ in range(len(table))])
    else:
        changed = pa.array([int(rng.integers(2**40)) for _ in range(len(table))], pa.timestamp("us"))
    if changed is not None:
        table = table.set_column(number, name, changed)
    pq.write_table(table, file, row_group_size=int(rng.choice([1, 5, 10_000])))
    return f"{kind} {name!r}"


def _hdf5(file: Path, rng: Random) -> str:
    import h5py

    with h5py.File(file, "r+") as opened:
        items: list[str] = []
        opened.visit(items.append)
        name = items[rng.integers(len(items))]
        kind = str(rng.choice(["attribute", "delete", "text", "large", "empty", "link", "loop", "type"]))
        if kind == "attribute":
            holder = opened if rng.random() < 0.3 else opened[name]
            if not len(holder.attrs):
                holder = opened
            key = next(iter(holder.attrs))
            value, said = _changed(json.loads(holder.attrs[key]), rng)
            holder.attrs[key] = [json.dumps(value), 3, np.zeros((2, 2)), "text"][
                0 if rng.random() < 0.7 else rng.integers(1, 4)
            ]
            return f"attribute of {name}: {said}"
        del opened[name]
        if kind == "text":
            opened[name] = "text"
        elif kind == "large":
            opened.create_dataset(name, (int(rng.choice([6, 7, 8])), 10**5, 10**5), "f4", chunks=(1, 1000, 1000))
        elif kind == "empty":
            opened[name] = h5py.Empty("f4")
        elif kind == "link":
            opened[name] = h5py.ExternalLink("/dev/zero", "/x") if rng.random() < 0.5 else h5py.SoftLink("/nowhere")
        elif kind == "loop":
            opened[name] = h5py.SoftLink(f"/{name}")
        elif kind == "type":
            opened[name] = np.zeros(6, [("a", "i4"), ("b", "f8")])
        return f"{kind} {name}"


def _text(file: Path, rng: Random) -> str:
    lines = file.read_text("utf-8", "replace").splitlines()
    row = int(rng.integers(len(lines)))
    mark = "," if "," in lines[row] else "\t" if "\t" in lines[row] else " "
    cells = lines[row].split(mark)
    place = int(rng.integers(len(cells)))
    kind = str(rng.choice(["cell", "more", "less", "double", "quote", "remove"]))
    if kind == "cell":
        cells[place] = str(rng.choice([*STRINGS, *map(str, NUMBERS), "1/0", "16x9:3+2", "200(0)/mV", "0x10", "1e5/3"]))
    elif kind == "more":
        cells += ["1"] * int(rng.choice([1, 50_000]))
    elif kind == "less":
        del cells[place]
    elif kind == "quote":
        cells[place] = '"' + cells[place]
    lines[row] = mark.join(cells)
    if kind == "double":
        lines[row:row] = [lines[row]] * int(rng.integers(1, 9))
    elif kind == "remove":
        del lines[row]
    file.write_text("\n".join([*lines, ""]))
    return f"{kind} in row {row}, cell {place}"


AWARE: dict[str, Callable[[Path, Random], str]] = {
    ".json": _json,
    ".jsonl": _lines,
    ".safetensors": _safetensors,
    ".parquet": _parquet,
    ".h5": _hdf5,
    ".csv": _text,
    ".tsv": _text,
    ".hea": _text,
}


def resign(folder: Path) -> None:
    """Make digests and sizes that records keep of other files those of the files."""
    for record in folder.rglob("checkpoint.json"):
        _resigned(record, lambda value: list(value["parts"].items()))
    for record in folder.rglob("embedding.json"):
        try:
            value = json.loads(record.read_bytes())["content"]
            for name, entry in value["files"].items():
                entry.update(_described(record.parent / name))
            record.write_text(add_checksum(value))
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError):
            continue


def _resigned(record: Path, entries: Callable[[Any], list[tuple[str, Any]]]) -> None:
    try:
        value = json.loads(record.read_bytes())
        for name, entry in entries(value):
            for kind, suffix in (("config", "json"), ("weights", "safetensors")):
                entry[kind].update(_described(record.parent / f"{name}.{suffix}"))
        record.write_text(json.dumps(value))
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError):
        return


def _described(file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
