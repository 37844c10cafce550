"""Pages of the documentation as programs: their blocks run from top to bottom, each page in one fresh folder.

Marks are HTML comments on a line of their own, which neither GitHub nor the site shows:

    <!-- given: frames.npy mask.npy -->    files that the reader has (`given.py` makes them)
    <!-- file: campaign.yaml -->           the next block is that file
    <!-- long -->                          the next block takes minutes or more, and says so
    <!-- not run: REASON -->               the next block needs what no test has
    <!-- elsewhere -->                     the next block runs in a terminal of its own until the page ends
    <!-- fails: WORDS -->                  the next block ends with an error that holds these words
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Block", "blocks_of", "commands_of", "given_by"]

_MARK = re.compile(r"<!-- (given|file|long|not run|elsewhere|fails)(?:: (.*?))? -->")


@dataclass
class Block:
    """A block of code of a page.

    Parameters
    ----------
    kind : str
        Language of the fence; `doctest` for examples with prompts.
    text : str
    line : int
        Of its first line in the page, from 1.
    marks : dict
        Marks before it, by name.
    """

    kind: str
    text: str
    line: int
    marks: dict[str, str] = field(default_factory=dict)


def given_by(page: str) -> list[str]:
    """Names of the files that the reader of a page has."""
    return [name for mark, names in _MARK.findall(page) if mark == "given" for name in names.split()]


def blocks_of(page: str) -> list[Block]:
    """All blocks of a page in their order; indented examples with prompts count, other indented text does not."""
    blocks: list[Block] = []
    marks: dict[str, str] = {}
    inside: Block | None = None
    for number, line in enumerate(page.splitlines(), 1):
        if inside is not None:
            ended = line.rstrip() == "```" if inside.kind != "doctest" else not line.startswith("    ") and line.strip()
            if not ended:
                inside.text += (line[4:] if inside.kind == "doctest" else line) + "\n"
                continue
            kind, inside = inside.kind, None
            if kind != "doctest":
                continue
        if (mark := _MARK.fullmatch(line.strip())) is not None:
            if mark[1] != "given":
                marks[mark[1]] = mark[2] or ""
        elif line.startswith("```"):
            inside = Block(line[3:].strip(), "", number + 1, marks)
            blocks.append(inside)
            marks = {}
        elif line.startswith("    >>> "):
            inside = Block("doctest", line[4:] + "\n", number, marks)
            blocks.append(inside)
            marks = {}
    for block in blocks:
        if block.kind == "python" and block.text.lstrip().startswith(">>> "):
            block.kind = "doctest"
    return blocks


def commands_of(block: Block) -> list[str]:
    """Commands of a block for the shell, without comments, continued lines joined."""
    joined = block.text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def read(path: Path) -> str:
    """Text of a page."""
    return path.read_text(encoding="utf-8")
