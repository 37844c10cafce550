"""docs/results.md: the text of results_page.md with the tables of evaluations in their places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["PICTURES", "page"]

PICTURES: Final = (
    ("synthetic/psnr-ratio-synthetic-poisson.png", "psnr-ratio.jpg"),
    ("synthetic/psnr-dose-synthetic-poisson.png", "psnr-dose.jpg"),
    ("synthetic/psnr-seconds-synthetic-poisson.png", "psnr-seconds.jpg"),
    ("synthetic/panel-synthetic-000-poisson.png", "panel-1.jpg"),
    ("synthetic/panel-synthetic-001-poisson.png", "panel-2.jpg"),
)
"""Where an evaluation leaves a picture, and its name in docs/images."""

_TEXT: Final = Path(__file__).with_suffix(".md")
_PLACE: Final = re.compile(r"<!-- ([\w-]+): ([\d ]+) -->")


def page(tables: Mapping[str, str]) -> str:
    """Put the page together.

    Parameters
    ----------
    tables : mapping of str to str
        Text of ``tables.md`` by the name of the evaluation; one that is missing is said on the page.

    Returns
    -------
    str
    """

    def fill(place: re.Match[str]) -> str:
        name, wanted = place[1], place[2].split()
        return _chosen(tables[name], wanted) if name in tables else f"*Not run: `--parts {name}`.*"

    return _PLACE.sub(fill, _TEXT.read_text(encoding="utf-8"))


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
