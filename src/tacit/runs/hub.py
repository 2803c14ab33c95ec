"""Runs on the Hugging Face Hub: tensors, texts and a model card."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tacit._files import check_file, resolve, staged_directory
from tacit.errors import DataError, MissingExtra, TacitError
from tacit.runs._run import Run
from tacit.runs._run import open as open_run
from tacit.runs._shared import FILES, LIMIT, check_content, check_name, shared_files

__all__ = ["model_card", "pull", "push"]


def push(
    run: str | os.PathLike[str],
    repository: str,
    *,
    figures: Mapping[str, object] | None = None,
    private: bool = True,
    token: str | None = None,
) -> str:
    """Upload a run to a model repository of the Hugging Face Hub, and return its address.

    Args:
        run: The directory of the run.
        repository: Its name there, ``owner/name``; made if it does not exist.
        figures: Results for the model card by name, such as ``{"tasks solved": result.success}``.
        private: Make a new repository private.
        token: An access token; None: the one of ``huggingface_hub``.

    Raises:
        MissingExtra: if ``huggingface_hub`` is not installed.
        CheckpointError: if the directory is no run.
        DataError: if the Hub refuses, without the token in the message.
    """
    source = resolve(run)
    files = dict(shared_files(source))
    card = model_card(open_run(source), figures or {})
    with tempfile.TemporaryDirectory() as folder, _hub(token) as hub:
        for name, path in files.items():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        (Path(folder) / "README.md").write_text(card, encoding="utf-8")
        api = hub.HfApi(token=token)
        address = api.create_repo(repository, private=private, exist_ok=True, repo_type="model")
        api.upload_folder(repo_id=repository, folder_path=folder, repo_type="model", commit_message="Upload a run")
    return str(address)


def pull(
    repository: str,
    to: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | None = None,
    limit: int = LIMIT,
) -> Run:
    """Download a run from the Hugging Face Hub to a new directory, atomically, and open it.

    Only tensors (safetensors) and texts are downloaded; other files of the repository are left there. Names and sizes
    are checked before, and the content after.

    Args:
        repository: The model repository, ``owner/name``.
        to: The directory, which must not exist.
        revision: A branch, tag or commit; None: the newest.
        token: See :func:`push`.
        limit: The largest number of bytes of the run.

    Raises:
        MissingExtra: if ``huggingface_hub`` is not installed.
        DataError: if a file is unsafe or damaged, the run is too large, or the Hub refuses.
        CheckpointError: if the repository holds no run.
    """
    place = resolve(to)
    if place.exists():
        raise DataError(f"{place} exists already. Choose another path, or delete it first.")
    with _hub(token) as hub, staged_directory(place) as fresh:
        api = hub.HfApi(token=token)
        commit = api.repo_info(repository, revision=revision, repo_type="model").sha
        sizes = _offered(api.list_repo_tree(repository, recursive=True, revision=commit, repo_type="model"), limit)
        for name, size in sizes.items():
            api.hf_hub_download(repository, name, revision=commit, repo_type="model", local_dir=str(fresh))
            path = fresh / name
            if path.is_symlink() or check_file(path) != size:
                raise DataError(f"{name} is not the file that {repository} announced. Do not use it.")
            check_content(path)
        shutil.rmtree(fresh / ".cache", ignore_errors=True)  # of huggingface_hub
        open_run(fresh)
    return open_run(place)


def model_card(run: Run, figures: Mapping[str, object]) -> str:
    """Return the model card of a run in Markdown.

    Args:
        run: The run.
        figures: Results by name.
    """
    record = run.record
    log = run.log if (run.path / "log.jsonl").is_file() else []
    last = {name: value for name, value in log[-1].items() if name in ("step", "loss")} if log else {}
    facts = {
        "recipe": record.recipe,
        "seed": record.seed,
        "SHA-256 of the dataset": record.dataset_hash,
        "fraction of the episodes trained on": record.fraction,
        **{f"last {name} of the log": value for name, value in last.items()},
    }
    rows = [f"| {_cell(name)} | {_cell(value)} |" for name, value in {**facts, **figures}.items()]
    return "\n".join(
        [
            "---",
            "library_name: tacit",
            "tags:",
            "- world-model",
            "- jepa",
            "---",
            "",
            f"# World model trained with the recipe {_cell(record.recipe)}",
            "",
            "```python",
            "import tacit as tc",
            "",
            'run = tc.runs.pull("OWNER/NAME", "runs/pulled")',
            "model = run.model()",
            "```",
            "",
            "| | |",
            "|---|---|",
            *rows,
            "",
            "Options:",
            "",
            "```json",
            json.dumps(dict(record.options), indent=2, sort_keys=True),
            "```",
            "",
        ]
    )


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").replace("`", "'")


def _offered(tree: Any, limit: int) -> dict[str, int]:
    """Return the sizes of the files to download by name."""
    sizes: dict[str, int] = {}
    for entry in tree:
        size = vars(entry).get("size")
        if size is None:  # a folder
            continue
        try:
            name = check_name(entry.path)
        except DataError:
            continue
        sizes[name] = int(size)
        if len(sizes) > FILES:
            raise DataError(f"a shared run has at most {FILES} files; the repository has more.")
    if sum(sizes.values()) > limit:
        raise DataError(
            f"the run has {sum(sizes.values())} bytes, more than the limit of {limit}. Raise limit= if you expect that."
        )
    return sizes


@contextmanager
def _hub(token: str | None) -> Iterator[ModuleType]:
    """Yield the module ``huggingface_hub``; its errors become errors of Tacit, without the token."""
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtra("huggingface-hub", "hub", "runs on the Hugging Face Hub") from error
    try:
        yield huggingface_hub
    except TacitError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise DataError(f"the Hugging Face Hub: {text.replace(token, '...') if token else text}") from None
