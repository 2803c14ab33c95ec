"""Results of the benchmarks: RESULTS.md is what the report writes, and recorded runs fit their manifests."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_results_page_is_written_by_the_report():
    words = [sys.executable, "-c", "import report, sys; sys.stdout.write(report.page())"]
    done = subprocess.run(words, cwd=BENCHMARKS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]  # also if a recorded run has other settings than its manifest
    current = (BENCHMARKS / "RESULTS.md").read_text()
    assert done.stdout == current, "run `uv run benchmarks/report.py` and commit what it writes"
