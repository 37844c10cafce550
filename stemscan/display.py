"""Objects as people see them: a few lines of text in a terminal, a table in a notebook."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape

__all__ = ["Rows", "as_html", "as_table", "as_text", "columns"]

Rows = Iterable[tuple[str, str]]
"""Names and values, one a line."""


def columns(rows: Rows) -> list[str]:
    """Rows with their values below one another.

    Examples
    --------
    >>> columns([("shape", "256 x 256"), ("passes", "4")])
    ['  shape   256 x 256', '  passes  4']
    """
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    return [f"  {name:<{width}}  {value}" for name, value in listed]


def as_text(title: str, rows: Rows) -> str:
    """A title and rows, as `repr` shows an object.

    Examples
    --------
    >>> print(as_text("ScanPlan", [("passes", "4")]))
    ScanPlan
      passes  4
    """
    return "\n".join([title, *columns(rows)])


def as_html(title: str, rows: Rows, png: bytes | None = None) -> str:
    """A title, a table and, above it, a picture, as a notebook shows an object.

    Examples
    --------
    >>> as_html("ScanPlan", [("passes", "4")])
    '<div><b>ScanPlan</b><table><tr><th style="text-align:left">passes</th><td style="text-align:left">4</td></tr>\
</table></div>'
    """
    picture = (
        "" if png is None else f'<img alt="{escape(title)}" src="data:image/png;base64,{b64encode(png).decode()}">'
    )
    return f"<div><b>{escape(title)}</b>{picture}{as_table(rows)}</div>"


def as_table(rows: Rows) -> str:
    """Rows as a table of HTML.

    Examples
    --------
    >>> as_table([("passes", "4")])
    '<table><tr><th style="text-align:left">passes</th><td style="text-align:left">4</td></tr></table>'
    """
    left = 'style="text-align:left"'
    lines = "".join(f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{lines}</table>"
