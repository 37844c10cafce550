"""The number of contradictions in words."""

from __future__ import annotations

from stemscan.units import counted

__all__ = ["sentence"]


def sentence(count: int) -> str:
    """Say how many contradictions there are.

    Examples
    --------
    >>> sentence(0), sentence(1)
    ('0 places where the counts contradict the image', '1 place where the counts contradict the image')
    """
    return f"{counted(count, 'place')} where the counts contradict the image"
