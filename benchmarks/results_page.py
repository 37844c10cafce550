"""Pages of results: the text of results_page.md and limits_page.md with the tables of evaluations in their places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["PAGES", "PICTURES", "page"]

PICTURES: Final = (
    ("synthetic/psnr-ratio-synthetic-poisson.png", "psnr-ratio.jpg"),
    ("synthetic/psnr-dose-synthetic-poisson.png", "psnr-dose.jpg"),
    ("synthetic/psnr-seconds-synthetic-poisson.png", "psnr-seconds.jpg"),
    ("synthetic/panel-synthetic-000-poisson.png", "panel-1.jpg"),
    ("synthetic/panel-synthetic-001-poisson.png", "panel-2.jpg"),
    ("columns/limits.png", "limits.jpg"),
)
"""Where an evaluation leaves a picture, and its name in docs/images."""

PAGES: Final = ("results", "limits")
"""Names of the pages in docs/, and of their texts here."""

_PLACE: Final = re.compile(r"<!-- ([\w-]+): ([\d ]+) -->")


def page(name: str, tables: Mapping[str, str], present: str = "") -> str:
    """Put a page together.

    Parameters
    ----------
    name : str
        Of `PAGES`.
    tables : mapping of str to str
        Text of ``tables.md`` by the name of the evaluation.
    present : str
        The page as it is: tables of an evaluation that is missing stay; without any, the page says so.

    Returns
    -------
    str
    """

    def fill(place: re.Match[str]) -> str:
        part, wanted = place[1], place[2].split()
        end = f"<!-- end of {part} -->"
        if part in tables:
            body = _chosen(tables[part], wanted)
        else:
            kept = re.search(f"{re.escape(place[0])}\n\n(.*?)\n\n{end}", present, re.DOTALL)
            body = kept[1] if kept else f"*Not run: `--parts {part}`.*"
        return f"{place[0]}\n\n{body}\n\n{end}"

    text = Path(__file__).with_name(f"{name}_page.md").read_text(encoding="utf-8")
    return _PLACE.sub(fill, text)


def _chosen(written: str, wanted: list[str]) -> str:
    """An evaluation's tables of these numbers, under headings of the fourth level."""
    blocks: list[str] = []
    title = ""
    for part in re.split(r"(?m)^(?=#{2,3} )", written):
        if part.startswith("## "):
            title = part[3:].strip()
        elif (found := re.match(r"### Table (\d+): (.*)\n", part)) and found[1] in wanted:
            body = re.sub(r"(?m)^† .*$", "", part[found.end() :])
            blocks.append(f"#### {title}: {found[2]}\n\n{body.strip()}")
    failed = re.search(r"(?m)^† .*$", written)
    return "\n\n".join([*blocks, *([failed.group()] if failed else [])])
