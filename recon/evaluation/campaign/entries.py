"""Short forms of long lists in campaign files: ``{1..100}`` in a specimen's name, ``1..100`` for seeds, ``*.tif``."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

from stemscan.types import SEEDS

__all__ = ["MOST", "expanded", "files_of", "seeds_of"]

MOST: Final = 10_000_000
"""Entries of a list at most."""

_SPAN: Final = re.compile(r"\{(\d+)\.\.(\d+)\}")
_SEEDS: Final = re.compile(r"(\d+)\.\.(\d+)")


def expanded(text: str) -> Iterator[str]:
    """A text for each number of its spans, the last one changing fastest.

    Raises
    ------
    ValueError
        When a span ends before it begins, or there are more than `MOST`.

    Examples
    --------
    >>> list(expanded("synthetic:{5..6}/{0..1}"))
    ['synthetic:5/0', 'synthetic:5/1', 'synthetic:6/0', 'synthetic:6/1']
    >>> list(expanded("crystal:Si"))
    ['crystal:Si']
    """
    parts = _SPAN.split(text)
    spans = [_span(int(first), int(last)) for first, last in zip(parts[1::3], parts[2::3], strict=True)]
    count = 1
    for span in spans:
        count *= len(span)
    _check_count(count, text)
    for numbers in product(*spans):
        yield "".join(f"{words}{number}" for words, number in zip(parts[::3], [*numbers, ""], strict=True))


def seeds_of(entry: object) -> range:
    """Seeds of an entry: a number, or the first and last of several.

    Raises
    ------
    ValueError
        When it is neither.

    Examples
    --------
    >>> seeds_of(3), seeds_of("1..100")
    (range(3, 4), range(1, 101))
    """
    found = _SEEDS.fullmatch(entry) if isinstance(entry, str) else None
    if found is not None:
        span = _span(int(found[1]), int(found[2]))
    elif isinstance(entry, int) and not isinstance(entry, bool):
        span = range(entry, entry + 1)
    else:
        raise ValueError(f"expected a seed, or FIRST..LAST, got {entry!r}; correct it")
    if span.start < 0 or span.stop > SEEDS:
        raise ValueError(f"expected seeds of 0 to 2**64 - 1, got {entry!r}; correct it")
    _check_count(len(span), str(entry))
    return span


def files_of(text: str, folder: Path) -> list[str]:
    """Names of files that a pattern with ``*`` or ``?`` stands for, sorted; the name of one file as it is.

    Parameters
    ----------
    text : str
        From `folder`.

    Examples
    --------
    >>> files_of("a.tif", Path())
    ['a.tif']
    """
    if (folder / text).exists() or not glob.has_magic(text):
        return [text]
    return sorted(glob.glob(text, root_dir=folder))


def _span(first: int, last: int) -> range:
    """Numbers from the first to the last."""
    if last < first:
        raise ValueError(f"expected numbers as FIRST..LAST, got {first}..{last}; exchange them")
    return range(first, last + 1)


def _check_count(count: int, text: str) -> None:
    """Refuse a list that is too long."""
    if count > MOST:
        raise ValueError(f"expected at most {MOST:,} entries, got {count:,} of {text!r}; make several campaigns")
