"""Texts that a class declares in its docstring: a sentence for the class, and one for each of its fields.

The help of the command line and the tables of the documentation are made of them.
"""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import Any

__all__ = ["field_texts", "sentence_of"]

_HEADING = re.compile(r"(?m)^(\w[\w ]*)\n-{3,}\n")


def sentence_of(declared: type[Any]) -> str:
    """First paragraph of a class's docstring, on one line."""
    return " ".join(cleandoc(declared.__doc__ or "").split("\n\n")[0].split())


def field_texts(declared: type[Any]) -> dict[str, str]:
    """Texts of the section Parameters of a class and of its bases, each on one line without its full stop.

    Examples
    --------
    >>> from stemscan.plan.patterns.line_hop import LineHop
    >>> field_texts(LineHop)
    {'height': 'rows of a band, 1 to 1024; the sampling ratio is 1 / height'}
    """
    texts: dict[str, str] = {}
    for one in reversed(declared.__mro__):
        if one.__module__.partition(".")[0] == __name__.partition(".")[0]:
            texts |= _parameters(cleandoc(vars(one).get("__doc__") or ""))
    return texts


def _parameters(docstring: str) -> dict[str, str]:
    """Names and texts of a numpydoc section Parameters."""
    parts = _HEADING.split(docstring)
    section = dict(zip(parts[1::2], parts[2::2], strict=True)).get("Parameters", "")
    texts: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section.strip()):
        names, _, rest = entry.partition("\n")
        text = " ".join(rest.split()).removesuffix(".")
        text = text if text[1:2].isupper() else text[:1].lower() + text[1:]
        texts |= {name.strip(): text for name in names.partition(" : ")[0].split(",") if name.strip()}
    return texts
