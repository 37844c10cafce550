"""Frames and visits, drawn from the record of samples.

Pictures are a function of the samples alone. They are summed band of rows by band where a whole frame would take too
much memory, and an error where a sum does not fit the picture's type: nothing wraps.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import StoreError
from stemscan.runtime.failpoints import failpoint
from stemscan.store.array_reader import SampleReader
from stemscan.store.arrays import ArrayWriter
from stemscan.store.schema import PICTURES, ArraySpec, Layout

if TYPE_CHECKING:
    from stemscan.store.digest_table import DigestWriter
    from stemscan.store.digests import ChunkChecks

__all__ = ["BAND_BYTES", "PictureWriter", "draw_pass", "draw_stack"]

BAND_BYTES = 256 << 20
"""Memory that the sums of a band may take."""

Band = tuple[str, tuple[int, ...], NDArray[Any]]
"""Array, place and values of part of a picture."""


def draw_pass(
    samples: SampleReader, layout: Layout, specs: dict[str, ArraySpec], index: int, committed: int
) -> Iterator[Band]:
    """Draw one pass from the samples that are committed.

    Parameters
    ----------
    specs : dict
        Arrays of the store by path; of the pictures' types, and bands are of whole chunks of both.
    index : int
        Of the pass.
    committed : int
        Samples to use; a pass beyond them is empty.

    Yields
    ------
    tuple of (str, tuple of int, ndarray)
        "frames" or "visits", where a band begins in that array, and its values, with all axes of the array; bands of
        frames channel by channel.

    Raises
    ------
    StoreError
        When a position lies outside the grid or a sum does not fit.
    """
    rows, columns = layout.shape
    counts, tile_rows = specs["frames"].dtype, math.lcm(*(specs[name].chunks[-2] for name in PICTURES))
    start, stop = layout.pass_starts[index], min(layout.pass_starts[index + 1], committed)
    wide = np.dtype(np.float64) if counts.kind == "f" else counts
    channels = math.prod(specs["frames"].shape[1:-2])
    pixel_bytes = wide.itemsize * channels + specs["visits"].dtype.itemsize
    height = max(1, BAND_BYTES // (columns * pixel_bytes) // tile_rows) * tile_rows
    chunk = samples.chunk
    pieces = [(first, min(first // chunk * chunk + chunk, stop)) for first in _starts(start, stop, chunk)]
    spans = {} if height >= rows else {part: _rows_of(samples, part) for part in pieces}
    for top in range(0, rows, height):
        bottom = min(top + height, rows)
        sums = np.zeros((channels, bottom - top, columns), wide)
        hits = np.zeros((bottom - top, columns), specs["visits"].dtype)
        for part in pieces:
            lowest, highest = spans.get(part, (top, top))
            if lowest < bottom and highest >= top:
                _add(sums, hits, *samples(*part), top, layout.shape, index, counts)
        for name, channel, values in (*(("frames", *one) for one in enumerate(sums)), ("visits", 0, hits)):
            lot = (channel,)[: len(specs[name].shape) - 3]
            narrow = values.astype(specs[name].dtype, copy=False)
            yield name, (index, *lot, top, 0), narrow.reshape(1, *(1 for _ in lot), bottom - top, columns)


def draw_stack(
    samples: SampleReader, layout: Layout, specs: dict[str, ArraySpec], committed: int
) -> dict[str, NDArray[Any]]:
    """Frames and visits of all passes, as the arrays, from the samples that are committed; see `draw_pass`."""
    pictures = {name: np.zeros(specs[name].shape, specs[name].dtype) for name in PICTURES}
    for index in range(layout.passes):
        if layout.pass_starts[index] >= committed:
            break
        for name, place, band in draw_pass(samples, layout, specs, index, committed):
            region = tuple(slice(at, at + size) for at, size in zip(place, band.shape, strict=True))
            pictures[name][region] = band
    return pictures


class PictureWriter:
    """Writes frames and visits of passes as they become whole.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    specs : dict
        Its arrays by path.
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
        samples = SampleReader(self._folder, self._specs, checks)
        writers = {name: ArrayWriter(self._folder, self._specs[name], digests) for name in PICTURES}
        with ThreadPoolExecutor(2) as pool:
            waiting: list[Future[None]] = []
            for index in range(self._drawn, last):
                for name, place, band in draw_pass(samples, self._layout, self._specs, index, committed):
                    waiting.append(pool.submit(writers[name].write, place, band))
                    while len(waiting) > 3:
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


def _starts(start: int, stop: int, piece: int) -> list[int]:
    """First samples of the pieces of a range, cut at multiples of `piece`."""
    inner = range((start // piece + 1) * piece, stop, piece)
    return [start, *inner] if start < stop else []


def _rows_of(samples: SampleReader, part: tuple[int, int]) -> tuple[int, int]:
    """First and last row that a piece visits, so that bands can pass over it."""
    rows = samples(*part)[1][:, 0]
    return int(rows.min()), int(rows.max())


def _add(
    sums: NDArray[Any],
    hits: NDArray[Any],
    counts: NDArray[Any],
    positions: NDArray[np.int32],
    top: int,
    shape: tuple[int, int],
    index: int,
    dtype: np.dtype[Any],
) -> None:
    """Add the samples that lie in a band of rows, in scan order."""
    from stemscan.store.picture_kernels import add_samples

    row, column = positions[:, 0], positions[:, 1]
    if row.min() < 0 or column.min() < 0 or row.max() >= shape[0] or column.max() >= shape[1]:
        raise StoreError(
            f"expected positions inside the grid {shape}, got rows {row.min()}..{row.max()} and columns "
            f"{column.min()}..{column.max()}; restore samples/position from a copy"
        )
    most = _largest(dtype), _largest(hits.dtype)
    channel, sample = add_samples(
        sums, hits, counts, positions, top, np.array(most, np.promote_types(sums.dtype, "u4"))
    )
    if sample >= 0:
        of, kind, limit = ("visits", hits.dtype, most[1]) if channel == len(sums) else ("counts", dtype, most[0])
        raise StoreError(
            f"expected {of} of at most {limit} ({kind}) in a pixel of pass {index}, got more at row {row[sample]}, "
            f"column {column[sample]}; the samples themselves are kept"
        )


def _largest(dtype: np.dtype[Any]) -> Any:
    """Largest number of a type."""
    return np.finfo(dtype).max if dtype.kind == "f" else np.iinfo(dtype).max
