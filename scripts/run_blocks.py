"""Run every code block of a Markdown page as it stands, in order: `run_blocks.py PAGE.md`.

Python blocks share one namespace, bash blocks run in the same folder. A fence marked `{python no-run}`
does not exist: what a page shows, runs. The blocks of README's set-up section install the project and
run its tests, so `.ci/run` runs those, and `--skip-setup` leaves them out here.
"""

import re
import subprocess
import sys
from pathlib import Path

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SETUP = "pip install uv"


def blocks(page: Path) -> list[tuple[int, str, str]]:
    """Line, language and text of each block that can run."""
    text = page.read_text()
    found = [(text[: m.start()].count("\n") + 2, m[1], m[2]) for m in FENCE.finditer(text)]
    return [block for block in found if block[1] in ("python", "bash")]


def main() -> None:
    """Run a page; the traceback of a failing block carries the page's own line numbers."""
    page = Path(sys.argv[1])
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, language, text in blocks(page):
        if "--skip-setup" in sys.argv and SETUP in text:
            continue
        print(f"--- {page.name}:{line}", flush=True)
        if language == "bash":
            subprocess.run(["bash", "-euo", "pipefail", "-c", text], check=True)
        else:
            exec(compile("\n" * (line - 1) + text, str(page), "exec"), namespace)


if __name__ == "__main__":
    main()
