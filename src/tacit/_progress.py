"""Progress on stderr, for work that takes a while."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tacit._notebook import NotebookBar, in_notebook

__all__ = ["counted", "interactive", "say", "shown", "track"]

T = TypeVar("T")


def interactive() -> bool:
    """Return whether stderr is a terminal, or this is a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def shown(show: bool | None) -> bool:
    """Return whether to show progress; None: on a terminal and in a notebook."""
    return interactive() if show is None else show


def say(text: str, show: bool | None = None) -> None:
    """Write one line to stderr, if progress is shown."""
    if shown(show):
        from rich.console import Console

        Console(stderr=True, highlight=False).print(text, markup=False)


def track(items: Iterable[T], total: int, what: str, *, show: bool | None = None, done: int = 0) -> Iterator[T]:
    """Yield the items, with a progress bar if it is shown.

    Args:
        items: The remaining items.
        total: The number of all items.
        what: Their name, in the plural.
        show: Show the bar; None: on a terminal and in a notebook.
        done: The number of items done before.
    """
    if not shown(show):
        yield from items
        return
    if in_notebook():
        with NotebookBar(what, total, done) as line:
            for item in items:
                yield item
                line.advance()
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        yield from bar.track(items, total=total, completed=done, description=what)


@contextmanager
def counted(what: str, *, show: bool | None = None) -> Iterator[Callable[[], None]]:
    """Show a count of items of unknown number; the block calls the yielded function for each.

    Args:
        what: The name of the items, in the plural.
        show: Show the count; None: on a terminal and in a notebook.
    """
    if not shown(show):
        yield lambda: None
        return
    if in_notebook():
        with NotebookBar(what, None) as line:
            yield line.advance
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        number = bar.add_task(what, total=None)
        yield lambda: bar.advance(number)
