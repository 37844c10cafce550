"""Pictures of a scan as tiles of a pyramid: numbers of one byte a pixel with a table of colours, as PNG.

Level 0 is the grid itself, pixel for pixel; on level k a pixel is the mean of 2^k by 2^k of them. Tiles are `TILE`
pixels along a side. All colours are from tables that people with colour-blindness can read: grey, blue to red,
`cividis`, `viridis`.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.pictures.colours import UNVISITED, coverage_colours, grey_limits, signed_colours, to_rgb

__all__ = ["TILE", "Layer", "Shades", "levels_of", "png_of", "shades"]

TILE: Final = 1024

_MOST_LOOKED_AT: Final = 1 << 17
"""Pixels from which limits of grey are found."""

_STEPS: Final = 255
"""Shades of a table, from number 1 on; number 0 stands for pixels without a value."""

Region = tuple[slice, slice]
Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Shades:
    """A table of colours.

    Attributes
    ----------
    colours : ndarray of uint8, (256, 3)
    number : callable
        From values and limits to numbers in the table, 1 .. 255.
    """

    colours: npt.NDArray[np.uint8]
    number: Callable[[Values, tuple[float, float]], Values]


@cache
def shades(name: str) -> Shades:
    """A table by its name: "grey", "visits", "signed", "cividis" or "viridis"."""
    line = np.linspace(0.0, 1.0, _STEPS)[None, :]
    if name == "grey":
        return Shades(_table(to_rgb(line, (0.0, 1.0))[0]), _linear)
    if name == "visits":
        steps = coverage_colours(np.arange(_STEPS + 1)[None, :])[0][0]
        return Shades(steps, lambda values, limits: np.minimum(np.ceil(values), _STEPS))
    if name == "signed":
        return Shades(_table(signed_colours(2 * line - 1, 1.0)[0]), _signed)
    from matplotlib import colormaps

    return Shades(_table((255 * colormaps[name](line[0])[:, :3]).round()), _linear)


def _table(colours: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A table of `_STEPS` colours, behind that of pixels without a value."""
    return np.vstack([np.array([UNVISITED]), colours]).astype(np.uint8)


def _linear(values: Values, limits: tuple[float, float]) -> Values:
    """Numbers that grow evenly from one limit to the other."""
    low, high = limits
    scale = (_STEPS - 1) / max(high - low, 1e-30)
    return np.asarray(np.clip((values - np.float32(low)) * np.float32(scale) + np.float32(1.5), 1, _STEPS))


def _signed(values: Values, limits: tuple[float, float]) -> Values:
    """Numbers by the square of values, with their sign, so that noise is pale."""
    share = values * np.abs(values) / np.float32(max(limits[1], 1e-30) ** 2)
    return np.asarray(np.clip(share * np.float32(0.5 * (_STEPS - 1)) + np.float32(0.5 * (_STEPS - 1) + 1.5), 1, _STEPS))


@dataclass(frozen=True)
class Layer:
    """A picture that can be asked for tile by tile: a quotient of two arrays, such as counts over visits.

    Attributes
    ----------
    values : ndarray, (H, W)
        Sums, or an image.
    weights : ndarray or None, (H, W)
        By which the sums are divided; pixels with none have no value.
    shades : str
        As `shades` takes it.
    limits : tuple of float or None
        Values of the first and the last colour; found from the values where None.
    reduced : tuple of ndarray or None
        Values and weights summed up in blocks of the last level, where they are known.
    """

    values: Values
    weights: Values | None
    shades: str
    limits: tuple[float, float] | None = None
    reduced: tuple[Values, Values | None] | None = None

    def tile(self, level: int, row: int, column: int) -> tuple[npt.NDArray[np.uint8], tuple[float, float]]:
        """Numbers of the colours of one tile, (h, w), and the limits.

        Raises
        ------
        IndexError
            When there is no such tile.
        """
        side = TILE << level
        rows, columns = self.values.shape
        if not (0 <= level < levels_of((rows, columns)) and 0 <= row * side < rows and 0 <= column * side < columns):
            raise IndexError(f"no tile {row}, {column} on level {level}")
        region = (slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side))
        means, known = self._means(region, 1 << level)
        whole = level > 0 and rows <= side and columns <= side
        limits = self.limits or (_limits(means, known) if whole else self._found_limits(1 << level))
        return self._numbers(means, known, limits)

    def whole(self, side: int) -> tuple[npt.NDArray[np.uint8], tuple[float, float]]:
        """Numbers of the colours of the whole picture, of at most `side` pixels along a side, and the limits."""
        step = max(1, -(-max(self.values.shape) // side))
        means, known = self._means((slice(None), slice(None)), step)
        return self._numbers(means, known, self.limits or _limits(means, known))

    def _numbers(
        self, means: Values, known: npt.NDArray[np.bool_] | None, limits: tuple[float, float]
    ) -> tuple[npt.NDArray[np.uint8], tuple[float, float]]:
        """Numbers of colours of means, and the limits."""
        numbers = shades(self.shades).number(means, limits).astype(np.uint8)
        if known is not None:
            numbers[~known] = 0
        return numbers, limits

    def _means(self, region: Region, step: int) -> tuple[Values, npt.NDArray[np.bool_] | None]:
        """Means of blocks of a region, and which of them have a value."""
        if self.reduced is not None and step == 1 << (levels_of(self.values.shape) - 1) > 1:
            values, weights = self.reduced
        else:
            values = _block_sums(self.values[region], step)
            weights = None if self.weights is None else _block_sums(self.weights[region], step)
        if weights is None:
            return values / np.float32(step * step) if step > 1 else values, None
        known = weights > 0
        return np.divide(values, weights, out=np.zeros(values.shape, np.float32), where=known), known

    def _found_limits(self, step: int) -> tuple[float, float]:
        """Limits of grey by all blocks of a frame, or by pixels here and there."""
        return _limits(*(self._means((slice(None), slice(None)), step) if step > 1 else self._sampled()))

    def _sampled(self) -> tuple[Values, npt.NDArray[np.bool_] | None]:
        """Some pixels, as `_means` gives them."""
        every = _every(self.values.shape)
        thin = (slice(None, None, every), slice(None, None, every))
        return Layer(self.values[thin], None if self.weights is None else self.weights[thin], "grey")._means(
            (slice(None), slice(None)), 1
        )


def _limits(means: Values, known: npt.NDArray[np.bool_] | None) -> tuple[float, float]:
    """Limits of grey of means, by some of them; those of counts begin at 0 or below."""
    every = _every(means.shape)
    low, high = grey_limits(means[::every, ::every], None if known is None else known[::every, ::every])
    return (min(low, 0.0), high) if known is not None else (low, high)


def _every(shape: tuple[int, ...]) -> int:
    """Step between pixels that are looked at."""
    return max(1, math.ceil(math.sqrt(math.prod(shape) / _MOST_LOOKED_AT)))


def levels_of(shape: tuple[int, int]) -> int:
    """Number of levels: the last one fits into a tile.

    Examples
    --------
    >>> levels_of((512, 1024)), levels_of((4096, 4100))
    (1, 4)
    """
    return 1 + max(0, math.ceil(math.log2(max(*shape, 1) / TILE)))


def png_of(numbers: npt.NDArray[np.uint8], table: str) -> bytes:
    """A PNG of numbers of colours, made fast rather than small."""
    from PIL import Image

    image = Image.fromarray(numbers, "L")
    image.putpalette(shades(table).colours.tobytes())
    file = io.BytesIO()
    image.save(file, "png", compress_level=1, compress_type=zlib.Z_RLE)  # for noise, smaller and in half the time
    return file.getvalue()


def _block_sums(values: Values, step: int) -> Values:
    """Sums over blocks of step x step pixels, those at the border smaller."""
    if step == 1:
        return values
    for axis in (0, 1):
        shape = list(values.shape)
        shape[axis] = -(-shape[axis] // step)
        sums = np.zeros(shape, np.float32)
        for shift in range(min(step, values.shape[axis])):
            part = values[shift::step] if axis == 0 else values[:, shift::step]
            place = sums[: len(part)] if axis == 0 else sums[:, : part.shape[1]]
            place += part
        values = sums
    return values
