"""Specimens of the task of columns: crystals with defects, seen by probes that are not the model of any fit.

All are drawn at 10 pm per pixel. The columns' profile is the generator's: a Gaussian core convolved with a
Lorentzian-like tail that holds half of the intensity, the source's image and, in one, a tilt that draws columns out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from stemscan.errors import UsageError
from stemscan.recon.evaluation.images import ImageSource, described

__all__ = ["MADE", "SEEDS", "column_images"]

_DEFECTS: Final = "displaced=0.2&vacancies=0.02&substitutions=0.02&interstitials=0.03"

MADE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "perovskite": f"crystal:SrTiO3[001]?turn=3&background=0.08&{_DEFECTS}",
        "tilted": f"crystal:KTaO3[001]?turn=12&source=60pm&tilt=90pm&direction=35&background=0.05&{_DEFECTS}",
        "dumbbells": f"crystal:GaAs[110]?turn=8&probe=80pm&source=40pm&background=0.05&{_DEFECTS}",
        "metal edge": f"crystal:Au[001]?turn=20&tail=0.6&reach=0.2nm&edge=0.75&background=0.03&{_DEFECTS}",
    }
)
"""Name and crystal of each."""

SEEDS: Final = (201, 202)
"""Seeds of defects by default; no choice was made on them."""


def column_images(
    names: Sequence[str],
    seeds: Sequence[int],
    size: int,
    progress: Callable[[], None] | None = None,
) -> list[ImageSource]:
    """The specimens of the task.

    Parameters
    ----------
    names : sequence of str
        Keys of `MADE`; all by default.
    seeds : sequence of int
        Of their defects.
    size : int
        Rows and columns, a multiple of 8, at least 128.
    progress : callable, optional
        Called after each.

    Raises
    ------
    UsageError
        When a name is unknown, a seed stands twice, or the size is none.
    """
    unknown = next((name for name in names if name not in MADE), None)
    if unknown is not None:
        raise UsageError(f"expected specimens of {', '.join(MADE)}, got {unknown!r}; name one of these")
    if size < 128 or size % 8:
        raise UsageError(f"expected a size that is a multiple of 8 and at least 128, got {size}; take 512")
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise UsageError(f"expected each seed once, from 0, got {list(seeds)}; correct the list")
    return [
        described("columns", f"{name}, seed {seed}", f"{MADE[name]}&seed={seed}", size, progress)
        for name in names or MADE
        for seed in seeds
    ]
