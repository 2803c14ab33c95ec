"""The report of an evaluation: ``report.json`` for programs, ``index.html`` for people.

The page is one file that contains its styles and images, and loads no other files.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tacit._files import resolve, write_atomically
from tacit.reports.figures import Figure
from tacit.reports.report_schema import validate

__all__ = ["Fact", "Section", "Table", "write_report"]


@dataclass(frozen=True)
class Fact:
    """Headline number: ``value`` above ``label``, with a ``note`` below it."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the first cell of a row names it."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """A part of the page: text, then a table, then figures."""

    title: str
    text: str = ""
    table: Table | None = None
    figures: tuple[Figure, ...] = ()


def write_report(
    directory: str | Path,
    record: Mapping[str, Any],
    sections: Sequence[Section],
    *,
    title: str,
    lead: str = "",
    facts: Sequence[Fact] = (),
) -> Path:
    """Write ``report.json`` and ``index.html`` into ``directory``, each atomically.

    Args:
        directory: The directory; created if missing.
        record: Result of :func:`tacit.reports.new_record`.
        sections: The parts of the page, in order.
        title: Title of the page.
        lead: One paragraph below it.
        facts: Headline numbers.

    Returns:
        The path of ``index.html``.

    Raises:
        DataError: if the record breaks the schema; nothing is then written.
    """
    validate(record)
    directory = resolve(directory)
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=2, allow_nan=False)
    write_atomically(directory / "report.json", text + "\n")
    write_atomically(directory / "index.html", page(title, lead, facts, sections, text))
    return directory / "index.html"


def page(title: str, lead: str, facts: Sequence[Fact], sections: Sequence[Section], record: str | None = None) -> str:
    """Return an HTML page without scripts, which needs no other file.

    Args:
        title: Title of the page.
        lead: One paragraph below it.
        facts: Headline numbers.
        sections: The parts of the page, in order.
        record: The text of the ``report.json`` next to it, if there is one.
    """
    style = (files("tacit.reports") / "report.css").read_text(encoding="utf-8")
    ids = [f"part-{number}" for number in range(1, len(sections) + 1)]
    links = "".join(f'<li><a href="#{i}">{_safe(s.title)}</a></li>' for i, s in zip(ids, sections, strict=True))
    cards = "".join(
        f"<div class=fact><dt>{_safe(fact.label)}</dt><dd>{_safe(fact.value)}</dd><p>{_safe(fact.note)}</p></div>"
        for fact in facts
    )
    parts = "".join(_section(i, s) for i, s in zip(ids, sections, strict=True))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_safe(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<style>\n{style}</style>\n</head>\n<body>\n'
        f"<header><p class=mark>Tacit</p><h1>{_safe(title)}</h1><p class=lead>{_safe(lead)}</p></header>\n"
        f"<nav aria-label=Contents><ol>{links}</ol></nav>\n<main>\n"
        + (f"<dl class=facts>{cards}</dl>\n" if cards else "")
        + f"{parts}{_record(record)}"
        "</main>\n</body>\n</html>\n"
    )


def _record(record: str | None) -> str:
    if record is None:
        return ""
    return (
        "<section id=record><h2>Record</h2><p>Everything above in numbers, with settings, seeds, versions "
        'and the hash of the data; also in <a href="report.json">report.json</a> next to this page.</p>'
        f"<details><summary>Show the record</summary><pre tabindex=0>{_safe(record)}</pre></details></section>\n"
    )


def _section(identity: str, section: Section) -> str:
    text = "".join(f"<p>{_safe(paragraph)}</p>" for paragraph in section.text.split("\n\n") if paragraph)
    table = "" if section.table is None else _table(section.table)
    figures = "".join(_figure(one) for one in section.figures)
    return f"<section id={identity}><h2>{_safe(section.title)}</h2>{text}{table}{figures}</section>\n"


def _table(table: Table) -> str:
    header = "".join(f"<th scope=col>{_safe(cell)}</th>" for cell in table.header)
    rows = "".join(
        f"<tr><th scope=row>{_safe(row[0])}</th>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in table.rows
    )
    return (
        f"<div class=scroll tabindex=0><table><caption>{_safe(table.caption)}</caption>"
        f"<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _figure(figure: Figure) -> str:
    image = f'<img src="{figure.uri}" alt="{_safe(figure.alt)}">'
    if figure.still is not None:
        still = Figure(figure.still, "png", "", "").uri
        image = f'<picture><source media="(prefers-reduced-motion: reduce)" srcset="{still}">{image}</picture>'
    return f"<figure>{image}<figcaption>{_safe(figure.caption)}</figcaption></figure>"


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
