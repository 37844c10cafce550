"""Frames and visits, drawn from the record of samples.

Pictures are a function of the samples alone. They are summed in wide types, band of rows by band where a whole frame
would take too much memory, and an error where a sum does not fit the picture's type: nothing wraps.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import StoreError
from stemscan.runtime.failpoints import failpoint
from stemscan.store.schema import ArraySpec, Layout

if TYPE_CHECKING:
    from stemscan.store.digest_table import DigestWriter
    from stemscan.store.digests import ChunkChecks

__all__ = ["BAND_BYTES", "PictureWriter", "Samples", "draw_pass", "draw_stack"]

Samples = Callable[[int, int], tuple[NDArray[Any], NDArray[np.int32]]]
"""Counts (n,) and positions (n, 2) of samples start .. stop - 1."""

BAND_BYTES = 256 << 20
"""Memory that the sums of a band may take."""

Band = tuple[int, NDArray[Any], NDArray[Any]]


def draw_pass(
    samples: Samples,
    layout: Layout,
    index: int,
    *,
    committed: int,
    piece: int,
    counts: np.dtype[Any],
    visits: np.dtype[Any],
    tile_rows: int,
) -> Iterator[Band]:
    """Draw one pass from the samples that are committed.

    Parameters
    ----------
    samples : callable
    layout : Layout
    index : int
        Of the pass.
    committed : int
        Samples to use; a pass beyond them is empty.
    piece : int
        Samples to read at once.
    counts, visits : numpy.dtype
        Of the pictures.
    tile_rows : int
        Bands are multiples of it.

    Yields
    ------
    tuple of (int, ndarray, ndarray)
        First row of a band, its counts and its visits, (rows, columns).

    Raises
    ------
    StoreError
        When a position lies outside the grid or a sum does not fit.
    """
    rows, columns = layout.shape
    start, stop = layout.pass_starts[index], min(layout.pass_starts[index + 1], committed)
    wide = np.dtype(np.float64 if counts.kind == "f" else np.uint32 if counts.itemsize <= 2 else np.uint64)
    height = max(1, BAND_BYTES // (columns * (wide.itemsize + 4)) // tile_rows) * tile_rows
    pieces = [(first, min(first // piece * piece + piece, stop)) for first in _starts(start, stop, piece)]
    spans = {} if height >= rows else {part: _rows_of(samples, part) for part in pieces}
    for top in range(0, rows, height):
        bottom = min(top + height, rows)
        sums, hits = np.zeros((bottom - top) * columns, wide), np.zeros((bottom - top) * columns, np.uint32)
        for part in pieces:
            lowest, highest = spans.get(part, (top, top))
            if lowest < bottom and highest >= top:
                _add(sums, hits, *samples(*part), (top, bottom), layout.shape)
        band = (bottom - top, columns)
        yield top, _narrow(sums, counts, index).reshape(band), _narrow(hits, visits, index).reshape(band)


def draw_stack(
    samples: Samples, layout: Layout, *, committed: int, piece: int, counts: np.dtype[Any], visits: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Frames and visits of all passes, (T, H, W), from the samples that are committed; see `draw_pass`."""
    stack = (layout.passes, *layout.shape)
    frames, hits = np.zeros(stack, counts), np.zeros(stack, visits)
    for index in range(layout.passes):
        if layout.pass_starts[index] >= committed:
            break
        bands = draw_pass(
            samples, layout, index, committed=committed, piece=piece, counts=counts, visits=visits, tile_rows=1
        )
        for top, frame, visit in bands:
            frames[index, top : top + len(frame)] = frame
            hits[index, top : top + len(visit)] = visit
    return frames, hits


class PictureWriter:
    """Writes frames and visits of passes as they become whole.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    specs : dict
        Its arrays by path.
    layout : Layout
    """

    def __init__(self, folder: Path, specs: dict[str, ArraySpec], layout: Layout) -> None:
        self._folder, self._specs, self._layout = folder, specs, layout
        self._drawn = 0

    def is_due(self, committed: int) -> bool:
        """Tell whether a pass is committed whole that this writer has not drawn yet."""
        return self._drawn < self._layout.passes and self._layout.pass_starts[self._drawn + 1] <= committed

    def draw(self, committed: int, digests: DigestWriter | None, checks: ChunkChecks | None) -> None:
        """Draw the passes that are committed whole and that this writer has not drawn yet, beyond a power failure."""
        if self.is_due(committed):
            last = bisect_right(self._layout.pass_starts, committed, lo=self._drawn + 1) - 1
            self._write(last, committed, digests, checks)

    def draw_empty(self, digests: DigestWriter | None) -> None:
        """Draw the passes that were not drawn as passes without a visit, beyond a power failure."""
        if self._drawn < self._layout.passes:
            self._write(self._layout.passes, 0, digests, None)

    def rewind(self, committed: int) -> None:
        """Forget the passes that are no longer whole."""
        self._drawn = min(self._drawn, bisect_right(self._layout.pass_starts, committed) - 1)

    def _write(self, last: int, committed: int, digests: DigestWriter | None, checks: ChunkChecks | None) -> None:
        """Write the passes up to `last`."""
        from stemscan.store.arrays import ArrayWriter, SampleReader

        samples = SampleReader(self._folder, self._specs, checks)
        names = ("frames", "visits")
        writers = {name: ArrayWriter(self._folder, self._specs[name], digests) for name in names}
        with ThreadPoolExecutor(2) as pool:
            waiting: list[Future[None]] = []
            for index in range(self._drawn, last):
                for top, *pictures in self._bands(samples, samples.chunk, index, committed):
                    for name, picture in zip(names, pictures, strict=True):
                        channel = (0,) * (len(self._specs[name].shape) - 3)
                        band = picture.reshape(1, *(1 for _ in channel), *picture.shape)
                        waiting.append(pool.submit(writers[name].write, (index, *channel, top, 0), band))
                    while len(waiting) > 2:
                        waiting.pop(0).result()
                failpoint("draw:pass")
            for write in waiting:
                write.result()
        for writer in writers.values():
            writer.sync()
        if digests is not None:
            digests.flush()
        self._drawn = last
        failpoint("draw:synced")

    def _bands(self, samples: Samples, piece: int, index: int, committed: int) -> Iterator[Band]:
        """A whole pass in bands of whole chunks."""
        frames, visits = self._specs["frames"], self._specs["visits"]
        return draw_pass(
            samples,
            self._layout,
            index,
            committed=committed,
            piece=piece,
            counts=frames.dtype,
            visits=visits.dtype,
            tile_rows=math.lcm(frames.chunks[-2], visits.chunks[-2]),
        )


def _starts(start: int, stop: int, piece: int) -> list[int]:
    """First samples of the pieces of a range, cut at multiples of `piece`."""
    inner = range((start // piece + 1) * piece, stop, piece)
    return [start, *inner] if start < stop else []


def _rows_of(samples: Samples, part: tuple[int, int]) -> tuple[int, int]:
    """First and last row that a piece visits, so that bands can pass over it."""
    rows = samples(*part)[1][:, 0]
    return int(rows.min()), int(rows.max())


def _add(
    sums: NDArray[Any],
    hits: NDArray[Any],
    counts: NDArray[Any],
    positions: NDArray[np.int32],
    band: tuple[int, int],
    shape: tuple[int, int],
) -> None:
    """Add the samples that lie in a band of rows, in scan order."""
    row, column = positions[:, 0], positions[:, 1]
    if row.min() < 0 or column.min() < 0 or row.max() >= shape[0] or column.max() >= shape[1]:
        raise StoreError(
            f"expected positions inside the grid {shape}, got rows {row.min()}..{row.max()} and columns "
            f"{column.min()}..{column.max()}; restore samples/position from a copy"
        )
    if band != (0, shape[0]):
        inside = (row >= band[0]) & (row < band[1])
        row, column, counts = row[inside], column[inside], counts[inside]
    flat = (row - band[0]).astype(np.int64) * shape[1] + column
    np.add.at(sums, flat, counts.astype(sums.dtype))
    np.add.at(hits, flat, np.uint32(1))


def _narrow(sums: NDArray[Any], dtype: np.dtype[Any], index: int) -> NDArray[Any]:
    """Sums in the picture's type, or an error where one does not fit."""
    highest = sums.max(initial=0)
    limit = np.finfo(dtype).max if dtype.kind == "f" else np.iinfo(dtype).max
    if highest > limit:
        raise StoreError(
            f"expected sums of at most {limit} ({dtype}) in a pixel of pass {index}, got {highest}; the samples "
            "themselves are kept"
        )
    return sums.astype(dtype)
