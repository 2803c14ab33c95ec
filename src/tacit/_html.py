"""HTML tables of results, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["html_table"]


def html_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table without scripts; every cell is escaped.

    Args:
        caption: The text above the table.
        header: Titles of the columns.
        rows: Cells; the first one of a row names it.
    """
    titles = "".join(f'<th scope="col">{_cell(title)}</th>' for title in header)
    body = "".join(
        f'<tr><th scope="row">{_cell(first)}</th>{"".join(f"<td>{_cell(value)}</td>" for value in others)}</tr>'
        for first, *others in rows
    )
    return f"<table><caption>{_cell(caption)}</caption><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    return html.escape(str(value), quote=True)
