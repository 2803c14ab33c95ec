"""Pin every direct and transitive version as constraints in pyproject.toml: `uv run scripts/pin.py`.

Resolves all extras and groups anew for every supported Python and platform. Versions in HELD stay:
the figures in benchmarks/RESULTS.md were measured with them.
"""

import os
import re
import subprocess
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
BLOCK = re.compile(r"constraint-dependencies = \[.*?\n?\]\n", re.DOTALL)
HELD = ("torch==2.13.0",)


def write(constraints: list[str]) -> None:
    """Replace the constraint block."""
    lines = "".join(f'  "{line}",\n' for line in constraints)
    PYPROJECT.write_text(
        BLOCK.sub(lambda _: f"constraint-dependencies = [\n{lines}]\n", PYPROJECT.read_text(), count=1)
    )


def main() -> None:
    """Resolve without the old pins and write the new ones."""
    before = PYPROJECT.read_text()
    environment = {key: value for key, value in os.environ.items() if key != "UV_FIND_LINKS"}
    try:
        write(list(HELD))
        subprocess.run(["uv", "lock", "--upgrade", "--quiet"], check=True, cwd=PYPROJECT.parent, env=environment)
        export = "uv export --frozen --quiet --all-extras --all-groups --no-hashes --no-annotate --no-header"
        listing = subprocess.run(
            [*export.split(), "--no-emit-project"],
            check=True,
            capture_output=True,
            text=True,
            cwd=PYPROJECT.parent,
            env=environment,
        ).stdout
        write(sorted({line.strip().replace('"', "'") for line in listing.splitlines() if "==" in line}))
    except BaseException:
        PYPROJECT.write_text(before)
        raise


if __name__ == "__main__":
    main()
