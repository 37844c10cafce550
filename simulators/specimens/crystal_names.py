"""Names of crystals with their zone axes, read."""

from __future__ import annotations

import difflib
import math
import re
from typing import Final

from stemscan.errors import SpecimenError
from stemscan.simulators.specimens.crystals import CRYSTALS, Zone
from stemscan.simulators.specimens.kinds import CRYSTAL

__all__ = ["parse_crystal"]

MAX_INDEX: Final = 12


def parse_crystal(spec: str) -> tuple[str, Zone]:
    """Read ``crystal:NAME`` or ``crystal:NAME[zone]``.

    A zone axis is three direct-lattice indices (``[001]``, ``[1-10]``, ``[1,-1,0]``), or four (``[11-20]``) for
    hexagonal axes; indices of two digits need commas or spaces. Common factors are divided out.

    Parameters
    ----------
    spec : str
        With or without the prefix ``crystal:``.

    Returns
    -------
    name : str
        Key of `CRYSTALS`.
    zone : tuple of int
        [uvw] without a common factor.

    Raises
    ------
    SpecimenError
        If the crystal is unknown or the zone axis is not one.
    """
    match = re.fullmatch(r"\s*([^\[\]]*?)\s*(?:\[([^\[\]]*)\])?\s*", CRYSTAL.without_word(spec))
    if match is None:
        raise SpecimenError(f"expected crystal:NAME[uvw], got {spec!r}, write for example crystal:SrTiO3[001]")
    name = _known_name(match[1])
    return name, CRYSTALS[name].zone if match[2] is None else _parse_zone(name, match[2])


def _known_name(name: str) -> str:
    """The crystal of that name, its case ignored; else an error that lists all."""
    folded = {known.casefold(): known for known in CRYSTALS}
    if name.casefold() in folded:
        return folded[name.casefold()]
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    hint = f", did you mean {folded[close[0]]}?" if close else ","
    raise SpecimenError(f"expected a known crystal, got {name!r}{hint} known are {', '.join(CRYSTALS)}")


def _parse_zone(name: str, text: str) -> Zone:
    """Indices of a zone axis from the text between the brackets."""
    if re.fullmatch(r"(\s*-?\d\s*)+", text) and not re.search(r"\d\s+-?\d", text):
        words = re.findall(r"-?\d", text)
    else:
        words = [word for word in re.split(r"[\s,]+", text.strip()) if word]
    if not words or not all(re.fullmatch(r"[+-]?\d{1,3}", word) for word in words):
        raise SpecimenError(f"expected a zone axis such as [001] or [1-10], got [{text}] for {name}, give integers")
    indices = [int(word) for word in words]
    if len(indices) == 4:
        indices = _from_four(name, text, indices)
    if len(indices) != 3 or not any(indices):
        raise SpecimenError(f"expected three indices, not all zero, as zone axis of {name}, got [{text}]")
    u, v, w = (index // math.gcd(*indices) for index in indices)
    if max(abs(u), abs(v), abs(w)) > MAX_INDEX:
        raise SpecimenError(f"expected zone axis indices from {-MAX_INDEX} to {MAX_INDEX}, got [{text}] for {name}")
    return u, v, w


def _from_four(name: str, text: str, indices: list[int]) -> list[int]:
    """Three direct-lattice indices of a hexagonal zone axis given with four."""
    u, v, t, w = indices
    if not CRYSTALS[name].hexagonal:
        raise SpecimenError(f"expected three zone axis indices for {name}, which is not hexagonal, got [{text}]")
    if u + v + t != 0:
        raise SpecimenError(f"expected hexagonal indices [uvtw] with u + v + t = 0, got [{text}] for {name}")
    return [u - t, v - t, w]
