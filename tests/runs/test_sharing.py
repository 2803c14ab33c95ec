"""Runs as one file and on a stand-in of the Hugging Face Hub, with files of attackers."""

import json
import pickle
import shutil
import stat
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

import tacit as tc
from tacit._config import to_json
from tacit.errors import CheckpointError, DataError, MissingExtra
from tacit.runs import RunRecord, model_card, pack, pull, push, unpack
from training import small


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs") / "run"
    model, _ = small.run(place)
    record = RunRecord("general", "data/points", "abc", 3, options={"steps": small.STEPS})
    (place / "run.json").write_text(json.dumps(to_json(record)))
    (place / "wandb.id").write_text("secret-id")
    (place / ".env").write_text("KEY=secret")
    return place, model


def weights(run):
    return {name: value.clone() for name, value in run.model().state_dict().items()}


def test_a_run_survives_the_archive(trained, tmp_path):
    place, model = trained
    file = pack(place, tmp_path / "run.zip")
    again = unpack(file, tmp_path / "again")
    assert again.record == tc.runs.open(place).record and again.log == tc.runs.open(place).log
    for name, value in model.state_dict().items():
        torch.testing.assert_close(weights(again)[name], value, rtol=0, atol=0)
    kept = {path.name for path in (tmp_path / "again").rglob("*")}
    assert "wandb.id" not in kept and ".env" not in kept
    with pytest.raises(DataError, match="exists already"):
        unpack(file, tmp_path / "again")
    with pytest.raises(DataError, match="exists already"):
        pack(place, file)


def repacked(source: Path, target: Path, change) -> Path:
    """Write an archive again with changed entries: ``change(name, data)`` gives a list of ZipInfo or name, and data."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            for name, data in change(entry.filename, old.read(entry)):
                new.writestr(name, data)
    return target


def added(name, data=b"{}"):
    """Add a file, and name it in the list."""

    def change(old, content):
        if old != "files.json":
            return [(old, content)]
        import hashlib

        key = name.filename if isinstance(name, zipfile.ZipInfo) else name
        sums = {**json.loads(content), key: hashlib.sha256(data).hexdigest()}
        return [(name, data), (old, json.dumps(sums))]

    return change


def link():
    info = zipfile.ZipInfo("link.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (added("../outside.json"), "plain relative names"),
        (added("/tmp/outside.json"), "plain relative names"),
        (added("a/../../outside.json"), "plain relative names"),
        (added("C:\\outside.json"), "plain relative names"),
        (added("a//outside.json"), "plain relative names"),
        (added(".hidden.json"), "plain relative names"),
        (added("weights.pkl", pickle.dumps({})), "holds .json"),
        (added("code.py", b"import os"), "holds .json"),
        (added(link(), b"/etc/passwd"), "no links"),
        (added("agent/more.safetensors", pickle.dumps({"a": 1})), "no .safetensors file"),
        (added("agent/more.json", b"not json"), "no .json file"),
        (lambda name, data: [(name, data + b" " if name == "run.json" else data)], "another SHA-256"),
        (lambda name, data: [] if name == "log.jsonl" else [(name, data)], "exactly the files"),
        (lambda name, data: [] if name == "files.json" else [(name, data)], "no list of its files"),
    ],
)
def test_an_unsafe_archive_is_refused_and_nothing_is_kept(trained, tmp_path, change, message):
    file = repacked(pack(trained[0], tmp_path / "run.zip"), tmp_path / "bad.zip", change)
    folder = tmp_path / "inside" / "deeper"
    folder.mkdir(parents=True)
    with pytest.raises(DataError, match=message):
        unpack(file, folder / "again")
    assert not list((tmp_path / "inside").rglob("*.json")) and list(folder.iterdir()) == []


def test_sizes_are_limited_before_anything_is_written(trained, tmp_path):
    file = pack(trained[0], tmp_path / "run.zip")
    with pytest.raises(DataError, match="more than the limit of 1000"):
        unpack(file, tmp_path / "again", limit=1000)


def test_what_is_no_archive_is_refused(tmp_path, trained):
    (tmp_path / "no.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / "no.zip", tmp_path / "again")
    whole = pack(trained[0], tmp_path / "run.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / "cut.zip", tmp_path / "again")
    with pytest.raises(CheckpointError, match="no run"):
        pack(tmp_path, tmp_path / "none.zip")
    shutil.copytree(trained[0], tmp_path / "linked")
    (tmp_path / "linked" / "notes.md").symlink_to("/etc/hostname")
    with pytest.raises(CheckpointError, match="is a link"):
        pack(tmp_path / "linked", tmp_path / "linked.zip")


class Hub:
    """A stand-in of ``huggingface_hub`` that keeps repositories in a folder."""

    def __init__(self, folder, token=None):
        self.folder, self.token, self.sizes = folder, token, {}

    def HfApi(self, token=None):  # noqa: N802 - the name there
        if token == "wrong-token":
            raise RuntimeError(f"401: the token {token} is invalid")
        return self

    def create_repo(self, repo, private, exist_ok, repo_type):
        assert private and exist_ok and repo_type == "model"
        (self.folder / repo).mkdir(parents=True)
        return f"https://hub.test/{repo}"

    def upload_folder(self, repo_id, folder_path, repo_type, commit_message):
        shutil.copytree(folder_path, self.folder / repo_id, dirs_exist_ok=True)

    def repo_info(self, repo, revision, repo_type):
        return SimpleNamespace(sha="c0ffee")

    def list_repo_tree(self, repo, recursive, revision, repo_type):
        assert recursive and revision == "c0ffee"
        for path in sorted((self.folder / repo).rglob("*")):
            name = path.relative_to(self.folder / repo).as_posix()
            folder = path.is_dir()
            yield (
                SimpleNamespace(path=name)
                if folder
                else SimpleNamespace(path=name, size=self.sizes.get(name, path.stat().st_size))
            )

    def hf_hub_download(self, repo, name, revision, repo_type, local_dir):
        assert revision == "c0ffee"
        target = Path(local_dir) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (Path(local_dir) / ".cache").mkdir(exist_ok=True)
        shutil.copyfile(self.folder / repo / name, target)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    found = Hub(tmp_path / "hub")
    module = ModuleType("huggingface_hub")
    module.HfApi = found.HfApi
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return found


def test_a_run_survives_the_hub(trained, tmp_path, hub):
    place, model = trained
    address = push(place, "me/points", figures={"tasks solved": "93 % (n = 200)"}, token="my-token")
    assert address == "https://hub.test/me/points"
    names = {path.relative_to(hub.folder / "me/points").as_posix() for path in (hub.folder / "me").rglob("*.*")}
    assert "README.md" in names and "run.json" in names and not {"wandb.id", ".env"} & names
    card = (hub.folder / "me/points/README.md").read_text()
    assert card.startswith("---\nlibrary_name: tacit\n") and "| tasks solved | 93 % (n = 200) |" in card
    assert "| seed | 3 |" in card and "my-token" not in card
    again = pull("me/points", tmp_path / "again")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(weights(again)[name], value, rtol=0, atol=0)
    assert not (tmp_path / "again" / ".cache").exists()


def test_code_and_pickles_stay_on_the_hub(trained, tmp_path, hub):
    push(trained[0], "me/points")
    repo = hub.folder / "me/points"
    (repo / "model.py").write_text("import os")
    (repo / "weights.bin").write_bytes(pickle.dumps({}))
    (repo / ".gitattributes").write_text("")
    pull("me/points", tmp_path / "again")
    kinds = {path.suffix for path in (tmp_path / "again").rglob("*") if path.is_file()}
    assert kinds <= {".json", ".jsonl", ".safetensors", ".md"}
    (repo / "checkpoint" / "evil.safetensors").write_bytes(pickle.dumps({"a": np.zeros(3)}))
    with pytest.raises(DataError, match=r"no .safetensors file"):
        pull("me/points", tmp_path / "third")
    assert not (tmp_path / "third").exists()


def test_sizes_on_the_hub_are_checked(trained, tmp_path, hub):
    push(trained[0], "me/points")
    with pytest.raises(DataError, match="more than the limit of 1000"):
        pull("me/points", tmp_path / "again", limit=1000)
    hub.sizes["run.json"] = 3
    with pytest.raises(DataError, match=r"run.json is not the file"):
        pull("me/points", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_no_error_holds_the_token(trained, hub):
    with pytest.raises(DataError, match="401") as caught:
        push(trained[0], "me/points", token="wrong-token")
    assert "wrong-token" not in str(caught.value) and caught.value.__cause__ is None


def test_without_the_package_the_extra_is_named(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match="hub"):
        push(trained[0], "me/points")


def test_a_card_cannot_break_its_table(trained):
    card = model_card(tc.runs.open(trained[0]), {"a|b\n# c": "`x`"})
    assert "| a\\|b # c | 'x' |" in card
