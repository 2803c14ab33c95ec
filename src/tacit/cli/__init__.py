"""Command line: one file per verb, whose first public function is the verb.

Exit codes: 0 success, 1 refused by Tacit with a reason, 2 wrong command line, 130 interrupted.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from tacit import __version__
from tacit._files import resolve
from tacit._registry import exports, suggest
from tacit._threads import wait_passively
from tacit.errors import TacitError

__all__ = ["main"]

ORDER = (
    "demo",
    "collect",
    "data",
    "train",
    "embed",
    "probe",
    "identify",
    "plan",
    "eval",
    "explore",
    "diagnose",
    "replay",
    "doctor",
)


def verbs() -> list[str]:
    """Return the verbs in the order of use; a verb outside ORDER comes last."""
    found = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def commands(verb: str) -> dict[str, Callable[..., Any]]:
    """Return the functions of a verb: one, or one for each of its sub-verbs."""
    module = importlib.import_module(f"tacit.cli.{verb}")
    return {name.rstrip("_"): vars(module)[name] for name in exports(module.__name__)}


def overview() -> str:
    """Return the text of `tacit --help`."""
    lines = ["usage: tacit VERB [OPTIONS]", "", "World models that learn from observations and actions.", ""]
    for verb in verbs():
        text = importlib.import_module(f"tacit.cli.{verb}").__doc__ or ""
        lines.append(f"  {verb:<8} {text.splitlines()[0]}")
    lines += [
        "",
        "`tacit VERB --help` shows the options of a verb and an example.",
        "Begin with:  tacit demo --pretrained",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: The words after ``tacit``; None for the arguments of the process.
    """
    wait_passively()
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb, rest = (words[0], words[1:]) if words else ("--help", [])
    if verb in ("-h", "--help", "help"):
        print(overview())
        sys.exit(0)
    if verb == "--version":
        print(f"tacit {__version__}")
        sys.exit(0)
    if verb not in verbs():
        print(f"tacit: no verb {verb!r}.{suggest(verb, verbs())} See: tacit --help", file=sys.stderr)
        sys.exit(2)
    warnings.showwarning = lambda message, *_: print(f"tacit {verb}: warning: {message}", file=sys.stderr)
    sys.path.insert(0, "")  # so that module:function is found in the current folder, as with `python -m`
    try:
        run(verb, [with_home(word) for word in rest])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output, such as head, has closed it
        sys.stdout = None
        sys.exit(0)
    except (TacitError, OSError) as error:
        print(f"tacit {verb}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        again = " The same command continues from there." if verb in ("collect", "train", "embed") else ""
        print(f"tacit {verb}: interrupted.{again}", file=sys.stderr)
        sys.exit(130)


def with_home(word: str) -> str:
    """Return a word with ``~`` expanded at the start of a path: shells keep it in ``--to=~/runs``."""
    name, equals, value = word.partition("=") if re.match(r"[\w.-]+=~", word) else ("", "", word)
    return f"{name}{equals}{resolve(value)}" if value.startswith("~") else word


def run(verb: str, words: list[str]) -> None:
    """Parse the options of one verb and call it."""
    import tyro

    functions = commands(verb)
    if list(functions) == [verb]:
        tyro.cli(functions[verb], prog=f"tacit {verb}", args=words)
    elif words and not words[0].startswith("-") and words[0] not in functions:
        near = suggest(words[0], functions)
        print(f"tacit {verb}: no {words[0]!r}.{near} There are: {', '.join(functions)}.", file=sys.stderr)
        sys.exit(2)
    else:
        tyro.extras.subcommand_cli_from_dict(functions, prog=f"tacit {verb}", args=words)
