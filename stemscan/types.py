"""Types and limits that several rooms share, each defined once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

__all__ = [
    "NOISES",
    "RGB",
    "SEEDS",
    "UINT16_ELECTRONS",
    "Array",
    "Floats",
    "Image",
    "Integers",
    "Mask",
    "Noise",
    "Points",
    "ReadOnlyMapping",
]

Noise = Literal["poisson", "eq5"]
"""Statistics of counts: electrons that arrive one by one, or equation 5 of the FSHNet paper."""

NOISES: Final[tuple[Noise, ...]] = get_args(Noise)

SEEDS: Final = 1 << 64
"""Number of seeds: 0 to 2**64 - 1."""

UINT16_ELECTRONS: Final = 60000.0
"""Electrons per sample up to which counts are uint16: 22 standard deviations below its largest value."""

Array = npt.NDArray[Any]
"""Numbers of any type, such as raw counts."""

Image = npt.NDArray[np.float32]
"""A picture, (H, W), or a stack of them; single precision."""

Floats = npt.NDArray[np.float64]
"""Numbers in double precision."""

Integers = npt.NDArray[np.int64]
"""Counts and indices."""

Points = npt.NDArray[np.int32]
"""(row, column) of pixels, (n, 2)."""

Mask = npt.NDArray[np.bool_]
"""Yes or no for each element."""

RGB = npt.NDArray[np.uint8]
"""Colours, (H, W, 3)."""


class ReadOnlyMapping(Mapping[str, Any]):
    """A mapping that stays as it is and, unlike `types.MappingProxyType`, can be copied and pickled.

    Examples
    --------
    >>> ReadOnlyMapping({"path": None})
    {'path': None}
    """

    def __init__(self, items: Mapping[str, Any] | None = None) -> None:
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)
