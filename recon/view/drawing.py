"""Parts of panels as HTML: pictures, charts, tables; without scripts and files, so that they show anywhere."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any, Final

from stemscan.display import Rows, as_table
from stemscan.recon.pictures.scale_bar import scale_bar
from stemscan.recon.view.levels import Layer, png_of

__all__ = ["Chart", "charts", "figure", "folded", "log_lines", "panels", "side_by_side"]

Chart = Callable[[Any], None]
"""Draws into axes of matplotlib."""

_SIDE: Final = 400
_ACROSS: Final = 4


def figure(name: str, layer: Layer, pixel_size_nm: float | None) -> str:
    """A picture, as large as a notebook has room for, with its scale and the values of its first and last colour."""
    numbers, (low, high) = layer.whole(_SIDE)
    columns = layer.values.shape[1]
    bar = scale_bar(columns, pixel_size_nm)
    rule = f"width:{100 * bar.pixels / columns:.2f}%;border-top:3px solid;display:inline-block"
    words = f"{escape(name)}, {low:.3g} to {high:.3g}"
    return (
        f'<figure style="margin:0;flex:1 1 280px;max-width:{_SIDE}px"><img alt="{escape(name)}" width="100%" '
        f'style="image-rendering:pixelated" src="{_source(png_of(numbers, layer.shades))}">'
        f'<span style="{rule}"></span> {escape(bar.label)}<figcaption>{words}</figcaption></figure>'
    )


def charts(drawn: Mapping[str, Chart]) -> str:
    """Charts beside one another, by their titles."""
    if not drawn:
        return ""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = min(_ACROSS, len(drawn))
    down = -(-len(drawn) // across)
    sheet = Figure(figsize=(3.3 * across, 2.7 * down), dpi=90, layout="constrained")
    FigureCanvasAgg(sheet)
    grid = sheet.subplots(down, across, squeeze=False).ravel()
    for axes, (title, draw) in zip(grid, drawn.items(), strict=False):
        draw(axes)
        axes.set_title(title, fontsize="medium")
    for axes in grid[len(drawn) :]:
        axes.set_axis_off()
    file = io.BytesIO()
    sheet.savefig(file, format="png")
    return f'<img alt="{escape(", ".join(drawn))}" style="max-width:100%" src="{_source(file.getvalue())}">'


def panels(title: str, words: str, parts: Iterable[str], *, problem: str = "") -> str:
    """A title and a sentence, above the parts; of a problem, another sentence."""
    alarm = f'<p role="alert" style="border-left:4px solid #d55e00;padding-left:.6em">{escape(problem)}</p>'
    head = f"<div><b>{escape(title)}</b> {escape(words)}" + (alarm if problem else "")
    return head + "".join(f"<div>{part}</div>" for part in parts if part) + "</div>"


def side_by_side(figures: Iterable[str]) -> str:
    """Pictures beside one another where there is room."""
    shown = "".join(figures)
    return f'<div style="display:flex;flex-wrap:wrap;gap:10px">{shown}</div>' if shown else ""


def folded(name: str, part: str) -> str:
    """A part that is opened by a press on its name."""
    return f"<details><summary>{escape(name)}</summary>{part}</details>" if part else ""


def log_lines(lines: Iterable[Iterable[str]]) -> str:
    """Times and events."""
    rows: Rows = [(str(when), str(what)) for when, what in lines]
    return as_table(rows) if rows else ""


def _source(png: bytes) -> str:
    """A PNG in its page."""
    return f"data:image/png;base64,{b64encode(png).decode()}"
