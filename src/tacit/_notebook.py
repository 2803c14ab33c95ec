"""Progress bar of a notebook: one line of HTML that is updated in place."""

from __future__ import annotations

import sys
import time
from html import escape
from types import TracebackType

__all__ = ["NotebookBar", "in_notebook"]

INTERVAL = 0.1
"""The smallest number of seconds between two updates."""


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook that can display HTML."""
    return "ipykernel" in sys.modules and "IPython" in sys.modules


class NotebookBar:
    """A progress bar of a notebook; a context manager.

    Args:
        what: The name of the items.
        total: The number of items; None: unknown.
        done: The number of items done before.
    """

    def __init__(self, what: str, total: int | None, done: int = 0) -> None:
        self._what, self._total, self._done = what, total, done
        self._began = self._shown = time.monotonic()

    def __enter__(self) -> NotebookBar:
        from IPython.display import HTML, display

        self._html = HTML
        self._handle = display(HTML(self._text()), display_id=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show()

    def update(self, done: int | None = None, what: str | None = None) -> None:
        """Change the number of items done or the text; the display follows after a moment."""
        self._done = self._done if done is None else done
        self._what = self._what if what is None else what
        if time.monotonic() - self._shown >= INTERVAL:
            self._show()

    def advance(self) -> None:
        """Add one item."""
        self.update(self._done + 1)

    def _show(self) -> None:
        self._shown = time.monotonic()
        if self._handle is not None:
            self._handle.update(self._html(self._text()))

    def _text(self) -> str:
        seconds = f"{time.monotonic() - self._began:.0f} s"
        if self._total is None:
            return f"<div>{escape(self._what)}: {self._done} in {seconds}</div>"
        bar = f'<progress value="{self._done}" max="{self._total}"></progress>'
        return f"<div>{bar} {self._done}/{self._total} {escape(self._what)}, {seconds}</div>"
