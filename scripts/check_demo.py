"""Say whether a demo told what it promises: `check_demo.py FOLDER`."""

import json
import sys
from pathlib import Path

STAGES = ("collect", "train", "probe", "plan", "report", "total")


def main() -> None:
    """Read the report, and stop at the first thing that is missing or out of its bounds."""
    folder = Path(sys.argv[1])
    report = json.loads((folder / "report.json").read_text())
    for name in ("success", "random", "policy", "oracle"):
        rate = report["planning"][name]
        assert 0 <= rate["low"] <= rate["rate"] <= rate["high"] <= 1 and rate["n"] == 200, (name, rate)
    planned, r2 = report["planning"]["success"], report["probe"]["position"]["r2"]
    assert planned["rate"] >= 0.92 and report["planning"]["random"]["rate"] < 0.1, report["planning"]
    assert r2 > 0.95 and report["effective_rank"] > 2, (r2, report["effective_rank"])
    trained = not report["config"]["pretrained"]
    assert all(report["seconds"][name] >= 0 for name in STAGES if trained or name != "train"), report["seconds"]
    page = (folder / "index.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page, "the page asks elsewhere"
    print(f"{folder}: {100 * planned['rate']:.1f} % of {planned['n']} goals, R2 {r2:.4f}")


if __name__ == "__main__":
    main()
