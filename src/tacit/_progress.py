"""A progress bar on stderr, for work that takes a while."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["track"]

T = TypeVar("T")


def track(items: Iterable[T], total: int, what: str, *, show: bool = True, done: int = 0) -> Iterator[T]:
    """The items as they are, with a bar if it is to be shown.

    Args:
        items: Those that are left.
        total: How many there are in all.
        what: Their name, in the plural.
        show: Show the bar.
        done: How many were done before.
    """
    if not show:
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        yield from bar.track(items, total=total, completed=done, description=what)
