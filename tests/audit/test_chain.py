"""The chain of records: every change of the files is found and named."""

import json

import numpy as np
import pytest

import tacit as tc
from tacit.audit._chain import sealed
from tacit.errors import DataError


def content(folder):
    return {path.name: path.read_bytes().splitlines(keepends=True) for path in sorted(folder.glob("*.jsonl"))}


def broken(folder):
    """Return the error of reading a log."""
    with pytest.raises(DataError) as caught:
        list(tc.audit.read(folder))
    return str(caught.value)


def test_a_whole_log_is_read_in_order(recorded):
    folder, _ = recorded
    records = list(tc.audit.read(folder))
    assert [one.number for one in records] == list(range(len(records)))
    assert len(content(folder)) > 2
    assert [one.kind for one in records if one.kind != "segment"] == ["start", *["act"] * 12, "end"]
    assert records[0].values["agent"] == records[-1].values.get("agent", records[0].values["agent"])


def test_a_changed_byte_is_found_and_named(recorded):
    folder, _ = recorded
    files, drawn = content(folder), np.random.default_rng(0)
    for _ in range(300):
        name = drawn.choice(list(files))
        lines = files[name]
        index = int(drawn.integers(len(lines)))
        place, change = int(drawn.integers(len(lines[index]))), int(drawn.integers(1, 256))
        edited = bytearray(lines[index])
        edited[place] ^= change
        (folder / name).write_bytes(b"".join([*lines[:index], edited, *lines[index + 1 :]]))
        said = broken(folder)
        assert f"{name}, line {index + 1}, record" in said, (name, index, place, change)
        (folder / name).write_bytes(b"".join(lines))


def test_a_removed_repeated_or_moved_record_is_found(recorded):
    folder, _ = recorded
    files = content(folder)
    last = list(files)[-1]
    for name, lines in files.items():
        for index in range(len(lines)):
            ends = (name, index) == (last, len(lines) - 1)
            changes = [lines[:index] + lines[index + 1 :], lines[: index + 1] + lines[index:]]
            if index + 1 < len(lines):
                changes.append([*lines[:index], lines[index + 1], lines[index], *lines[index + 2 :]])
            for number, changed in enumerate(changes):
                (folder / name).write_bytes(b"".join(changed))
                if ends and number == 0:  # a chain that is cut between two records is whole, and not closed
                    assert list(tc.audit.read(folder))[-1].kind != "end"
                    assert not tc.audit.replay(folder, recorded[1]).closed
                else:
                    assert ".jsonl" in broken(folder)
            (folder / name).write_bytes(b"".join(lines))


def test_a_record_with_a_new_hash_is_found_by_the_next_one(recorded):
    folder, _ = recorded
    for name, lines in content(folder).items():
        for index in range(len(lines) - 1):
            values = json.loads(lines[index])
            number, previous, kind, _ = (values.pop(key) for key in ("record", "previous", "kind", "sha256"))
            values["time"] = 7.0
            content_of, _ = sealed(number, previous, kind, json.dumps(values)[1:-1])
            (folder / name).write_bytes(b"".join([*lines[:index], content_of, *lines[index + 1 :]]))
            assert f"{name}, line {index + 2}, record {number + 1}: the chain is broken" in broken(folder)
        (folder / name).write_bytes(b"".join(lines))


def test_a_record_with_another_number_is_found(tmp_path):
    first, found = sealed(0, "0" * 64, "segment", '"segment":0,"torn":"","oldest":0')
    second, _ = sealed(2, found, "act", '"x":1')
    (tmp_path / "000000.jsonl").write_bytes(first + second)
    assert "000000.jsonl, line 2, record 1: the chain is broken" in broken(tmp_path)


def test_a_cut_file_is_found_and_named(recorded):
    folder, _ = recorded
    for name, lines in content(folder).items():
        whole = b"".join(lines)
        ends = np.cumsum([len(line) for line in lines])
        for place in (*range(1, len(whole), 97), len(whole) - 1):
            (folder / name).write_bytes(whole[:place])
            if place not in ends:
                assert f"{name}, line {int(np.searchsorted(ends, place)) + 1}, record" in broken(folder)
        (folder / name).write_bytes(whole)


def test_a_missing_or_renamed_segment_is_found(recorded):
    folder, _ = recorded
    files = sorted(folder.glob("*.jsonl"))
    for path in files[:-1]:
        whole = path.read_bytes()
        path.unlink()
        assert f"{path.stem}.jsonl" in broken(folder)
        path.write_bytes(whole)
    one, two = files[0].read_bytes(), files[1].read_bytes()
    files[0].write_bytes(two)
    files[1].write_bytes(one)
    assert "000000.jsonl, line 1" in broken(folder)


def test_the_head_names_the_log(tmp_path):
    with tc.audit.Log(tmp_path) as log:
        log.begin({"agent": "none"})
        log.write("act", lambda: '"x":1')
        head = log.head
    assert head in {one.sha256 for one in tc.audit.read(tmp_path)}


def test_a_folder_without_a_log_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected the folder of an audit log.*000000\.jsonl"):
        list(tc.audit.read(tmp_path))


@pytest.mark.parametrize("data", ['"AAAA"', '"*"', "7", "null"])
def test_a_damaged_array_of_a_whole_record_is_refused(tmp_path, data):
    with tc.audit.Log(tmp_path) as log:
        log.begin({"agent": "none"})
        log.write("act", lambda: f'"x":{{"dtype":"<f4","shape":[999999999,9],"data":{data}}}')
    assert "000000.jsonl, line 2, record 1: an array of an audit log is damaged" in broken(tmp_path)
