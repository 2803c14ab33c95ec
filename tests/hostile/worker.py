"""A process that opens one folder after another and answers what came of it, one JSON object a line.

It is run as ``python -m hostile.worker``; each line of its input is ``[kind, folder]``.
"""

import json
import os
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

ROOM = 3 * 2**30
"""Bytes of address space beyond what the libraries take."""
NO_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "malloc of size")


def status(name: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def chain(error: BaseException | None) -> list[BaseException]:
    """An error and what it came from."""
    found = []
    while error is not None and len(found) < 50:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed; those of ffmpeg do not count, which refuses sizes before it takes memory."""
    foreign = type(error).__module__.startswith("av.")
    return not foreign and (isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY))


def opened(kind: str, folder: Path) -> dict[str, object]:
    """What opening gives: ``value``, an error of Tacit by its class, or ``raw`` and another error."""
    from hostile.openers import OPENERS
    from tacit.errors import TacitError

    os.environ["TACIT_CACHE"] = str(folder / "caches")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = status("VmRSS"), time.perf_counter()
    outcome, message, where = "value", "", ""
    try:
        OPENERS[kind](folder)
    except TacitError as error:
        outcome, message = type(error).__name__, str(error)
        if any(map(out_of_memory, chain(error))):
            outcome = "memory"
    except BaseException as error:  # everything else is what is looked for
        outcome, message = f"raw {type(error).__name__}", str(error)
        if out_of_memory(error):
            outcome = "memory"
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "tacit" in frame.filename]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return {
        "outcome": outcome,
        "message": message[:500],
        "length": len(message),
        "where": where,
        "peak": max(0, status("VmHWM") - before),
        "seconds": time.perf_counter() - began,
    }


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    warnings.simplefilter("ignore")
    import torch

    import hostile.openers  # noqa: F401
    from hostile.specimens import masked_model
    from tacit.checkpoint._shell import shell

    torch.set_num_threads(1)
    shell(masked_model, 1000, "a model")  # the first time imports much of torch
    limit = status("VmSize") + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out.write('"ready"\n')
    out.flush()
    for line in sys.stdin:
        kind, folder = json.loads(line)
        out.write(json.dumps(opened(kind, Path(folder))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
