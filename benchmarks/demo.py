"""The README's first command as a newcomer runs it, install included: `uv run benchmarks/demo.py`.

Clones the repository, makes an empty virtual environment and an empty package cache, and runs the command as
README has it; then the demo with the model that comes with Tacit. Wall seconds of both, and the figures of the first
one's report, go to benchmarks/results/demo.json. Asks the package index for everything that Tacit needs.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "demo.json"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = re.search(r"^pip install uv && uv run tacit demo$", (ROOT / "README.md").read_text(), re.MULTILINE)
    if found is None:
        sys.exit("README.md no longer has the line `pip install uv && uv run tacit demo`.")
    with tempfile.TemporaryDirectory() as folder:
        place, clone = Path(folder), Path(folder) / "tacit"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
        kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        path = f"{place / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**kept, "PATH": path, "UV_CACHE_DIR": str(place / "cache"), "PIP_NO_CACHE_DIR": "1"}
        seconds = {}
        for name, words in (("fresh", found[0]), ("pretrained", "uv run tacit demo --pretrained --out shown")):
            begin = time.monotonic()
            subprocess.run(["bash", "-euo", "pipefail", "-c", words], cwd=clone, env=environment, check=True)
            seconds[name] = round(time.monotonic() - begin, 1)
        report = json.loads((clone / "tacit-demo" / "report.json").read_text())
        shown = json.loads((clone / "shown" / "report.json").read_text())["planning"]["success"]
    report["planning"].pop("details")  # every task of every actor
    wall = {"with_install": seconds["fresh"], "pretrained": seconds["pretrained"]}
    record = {**report, "wall_seconds": wall, "pretrained_success": shown}
    options.results.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(wall))


if __name__ == "__main__":
    main()
