"""Paths, bounded reading, atomic directories and locks."""

import errno
import json
import os
from pathlib import Path

import pytest

from tacit import _files
from tacit._files import is_file, locked, parse_json, read_bytes, read_json, resolve, staged_directory
from tacit.errors import ConfigError


def test_resolve_expands_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("~/data") == tmp_path / "data"
    assert resolve(Path("~")) == tmp_path
    assert resolve("a/~b") == Path("a/~b")


@pytest.mark.parametrize("path", ["~nobody-of-this-name/data", "a\0b"])
def test_resolve_refuses_paths_without_a_place(path: str) -> None:
    with pytest.raises(ConfigError):
        resolve(path)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_reading_refuses_what_is_no_regular_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(ValueError, match="expected a regular file"):
        read_bytes(path)


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    assert is_file(tmp_path / "there")
    assert not is_file(tmp_path / name)


def test_reading_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_bytes(tmp_path / "file", 5) == b"12345"
    with pytest.raises(ValueError, match="at most 4 bytes"):
        read_bytes(tmp_path / "file", 4)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match="at most"):
        read_json(tmp_path / "sparse")


@pytest.mark.parametrize(
    "text",
    ["[" * 65 + "]" * 65, "[" * 100_000, '{"a":' * 65 + "1" + "}" * 65, "1" * 401, "-" + "9" * 10_000, b"\xff", "{"],
)
def test_json_is_bounded(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json(text)


def test_json_within_the_bounds_is_read() -> None:
    deep = "[" * 64 + "1" + "]" * 64
    assert json.dumps(parse_json(deep)) == deep
    assert parse_json("9" * 400) == int("9" * 400)
    assert parse_json('"' + "[" * 500 + '"') == "[" * 500


def fill_in_part(target: Path) -> None:
    with staged_directory(target) as fresh:
        (fresh / "a").write_text("half")
        raise RuntimeError


def test_a_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    with pytest.raises(RuntimeError):
        fill_in_part(target)
    assert not target.exists()
    assert not list(target.parent.iterdir())
    with staged_directory(target) as fresh:
        (fresh / "a").write_text("one")
        assert not target.exists()
    with pytest.raises(RuntimeError):
        fill_in_part(target)
    assert (target / "a").read_text() == "one"
    with staged_directory(target) as fresh:
        (fresh / "b").write_text("two")
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_directory_whose_replacement_was_interrupted_is_restored(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with staged_directory(target) as fresh:
        (fresh / "a").write_text("one")
    target.rename(_files.aside(target))
    with pytest.raises(RuntimeError), staged_directory(target):
        raise RuntimeError
    assert (target / "a").read_text() == "one"


def test_a_lock_that_is_held_is_refused_without_waiting(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lock"),
        pytest.raises(BlockingIOError),
        locked(tmp_path / "lock", wait=False),
    ):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_the_block_runs_where_the_file_system_has_no_locks(
    number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_files.fcntl, "flock", refuse)
    ran = False
    with locked(tmp_path / "lock", wait=False):
        ran = True
    assert ran
