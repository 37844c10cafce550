"""Pyramids of frames: means of 2 x 2 pixels, and of these again, down to one chunk, so that viewers page through them.

A level follows from the frames alone. It is drawn chunk by chunk from the level before once all frames are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.failpoints import failpoint
from stemscan.store.array_reader import ArrayReader
from stemscan.store.arrays import ArrayWriter
from stemscan.store.schema import LEVELS, ArraySpec

if TYPE_CHECKING:
    from stemscan.store.digest_table import DigestWriter

__all__ = ["draw_levels", "level_chunks"]

_AT_ONCE = 2
Place = tuple[int, ...]


def draw_levels(folder: Path, specs: dict[str, ArraySpec], digests: DigestWriter | None) -> None:
    """Draw the levels that a store has, from its frames, beyond a power failure.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    specs : dict
        Its arrays by path.
    digests : DigestWriter or None
        Gets the digests of the chunks.

    Raises
    ------
    StoreError, DiskSpaceError
        When the store cannot be read or written.
    """
    for name in (name for name in LEVELS if name in specs):
        writer, waiting = ArrayWriter(folder, specs[name], digests), list[Future[None]]()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _, place, values in level_chunks(folder, specs, name):
                waiting.append(pool.submit(writer.write, place, values))
                while len(waiting) > _AT_ONCE:
                    waiting.pop(0).result()
            for write in waiting:
                write.result()
        writer.sync()
        failpoint("draw:level")
    if digests is not None:
        digests.flush()


def level_chunks(
    folder: Path, specs: dict[str, ArraySpec], name: str
) -> Iterator[tuple[Place, Place, NDArray[np.float32]]]:
    """Index, place and values of each chunk of a level, from the level before.

    Raises
    ------
    StoreError
        When that cannot be read.
    """
    spec, number = specs[name], LEVELS.index(name)
    finer = specs[LEVELS[number - 1] if number else "frames"]
    reader = ArrayReader(folder, finer)
    for index in product(*(range(count) for count in spec.grid)):
        place = tuple(at * size for at, size in zip(index, spec.chunks, strict=True))
        values = reader.part(_twice(place, spec, finer))
        yield index, place, _halved(values)


def _twice(place: Place, spec: ArraySpec, finer: ArraySpec) -> tuple[slice, ...]:
    """Part of the level before that a chunk is the mean of."""
    lots = tuple(slice(at, at + 1) for at in place[:-2])
    sides = zip(place[-2:], spec.chunks[-2:], finer.shape[-2:], strict=True)
    return (*lots, *(slice(2 * at, min(2 * (at + size), side)) for at, size, side in sides))


def _halved(values: NDArray[Any]) -> NDArray[np.float32]:
    """Means of 2 x 2 pixels; at an odd end, of those that there are."""
    return _paired(_paired(values, -2), -1)


def _paired(values: NDArray[Any], axis: int) -> NDArray[np.float32]:
    """Means of neighbours along an axis; the last one alone stays as it is."""
    lines = np.moveaxis(values, axis, 0)
    means = lines[0::2].astype(np.float32)
    pairs = means[: len(lines) // 2]
    pairs += lines[1::2]
    pairs *= np.float32(0.5)
    return np.moveaxis(means, 0, axis)
