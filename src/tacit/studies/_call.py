"""Call of one function of a script: ``python _call.py SCRIPT FUNCTION ANSWER``, with the arguments on standard input.

It runs in environments without Tacit, so it uses the standard library alone.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def cpu_seconds(work: Callable[[], object], rounds: int, calls: int = 1) -> list[float]:
    """Return the CPU seconds of one call in each of ``rounds`` rounds of ``calls``, after one that is not counted."""
    found = []
    for _ in range(rounds + 1):
        start = time.process_time()
        for _ in range(calls):
            work()
        found.append((time.process_time() - start) / calls)
    return found[1:]


def main(script: str, function: str, answer: str) -> None:
    """Write the result of a function of ``script`` to the file ``answer``, or the time of the callable it returns."""
    asked = json.load(sys.stdin)
    place = Path(script)
    sys.path[0] = str(place.parent)  # instead of the folder of this file
    result = vars(importlib.import_module(place.stem))[function](*asked["arguments"])
    if callable(result):
        result = cpu_seconds(result, asked["rounds"], asked["calls"])
    Path(answer).write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
