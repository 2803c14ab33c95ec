"""Command line of a script with a study."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from tacit._config import named_value
from tacit.errors import TacitError
from tacit.studies.execution import missing, run
from tacit.studies.results import Results
from tacit.studies.study import Study
from tacit.studies.tables import section

__all__ = ["main"]

S = TypeVar("S")


def main(study: Study[S], arguments: Sequence[str] | None = None) -> None:
    """Run the missing runs of a study from the command line, or list them.

    The options select cases and seeds, change settings and name files; ``--help`` lists them.

    Args:
        study: The manifest.
        arguments: The words of the command line; None for those of the process.
    """
    parser = argparse.ArgumentParser(description=f"{study.title}. {study.summary}")
    parser.add_argument("--list", action="store_true", help="list the missing runs and run nothing")
    parser.add_argument("--report", action="store_true", help="print the tables and run nothing")
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help=_escaped(f"of {', '.join(study.cases)}"))
    parser.add_argument("--seeds", nargs="+", type=int, metavar="SEED", help=f"of {list(study.seeds)}")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="change a setting of all cases")
    results = Path(sys.argv[0]).parent / "results" / f"{study.name}.json"
    parser.add_argument("--results", type=Path, default=results, metavar="FILE", help=_escaped(f"default: {results}"))
    parser.add_argument("--work", type=Path, default=Path("runs") / study.name, help="folder of checkpoints")
    folder = _escaped(f"folder of {', '.join(study.data) or 'the data'}")
    parser.add_argument("--data", type=Path, default=Path(), help=folder)
    options = parser.parse_args(arguments)
    try:
        study = study.override(dict(named_value(word) for word in options.set))
        left = missing(study, options.results, options.only, options.seeds)
        if options.report:
            _write(section(study, study.report(Results(options.results).read())))
        elif options.list:
            total = len(list(study.runs(options.only, options.seeds)))
            _write(f"{total - len(left)} of {total} runs are recorded in {options.results}")
            for name, *_ in left:
                _write(f"missing: {name}")
        else:
            places = {"work": options.work, "data": options.data}
            for name, found in run(study, options.results, **places, only=options.only, seeds=options.seeds):
                _write(f"{name}: {json.dumps(found.values)[:500]} ({found.made_by['cpu_seconds']} CPU s)")
    except TacitError as error:
        parser.exit(2, f"{error}\n")


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _escaped(text: str) -> str:
    """Return a text for the help of argparse, which formats it with ``%``."""
    return text.replace("%", "%%")
