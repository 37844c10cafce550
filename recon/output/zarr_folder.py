"""The folder of a reconstruction in the zarr form, written part by part, with a pyramid of its image.

Levels of the pyramid are means of 2 x 2 pixels of the level before, down to one chunk, so that viewers page through
images of any size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stemscan.recon.inputs.grids import bin_mean
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.store.array_reader import ArrayReader, Chunks
    from stemscan.store.arrays import ArrayWriter

__all__ = ["MAPS", "ZarrFolder"]

MAPS = ("image", "std", "contradiction")
"""Arrays that a reconstruction may have."""


class ZarrFolder:
    """Arrays of a reconstruction on disk.

    Parameters
    ----------
    folder : pathlib.Path
        Arrays that it lacks are made.
    shape : (int, int)
        Rows and columns of each array.
    names : sequence of str
        Of `MAPS`.
    chunk : int
        Side of a chunk in pixels.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], names: Sequence[str], chunk: int) -> None:
        self.folder, self.shape, self.names, self._chunk = folder, shape, tuple(names), chunk
        folder.mkdir(exist_ok=True)
        for name in names:
            self._create(name, shape)
        self._writers: dict[str, ArrayWriter] = {}
        self._readers: dict[str, tuple[ArrayReader, Chunks]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Processes that it is sent to open the arrays again."""
        return type(self), (self.folder, self.shape, self.names, self._chunk)

    def write(self, name: str, rows: slice, columns: slice, values: Image) -> None:
        """Write whole chunks."""
        if name not in self._writers:
            from stemscan.store.arrays import ArrayWriter

            self._writers[name] = ArrayWriter(self.folder, self._spec(name, self._shape_of(name)))
        self._writers[name].write((rows.start, columns.start), values)

    def sync(self) -> None:
        """Bring what was written beyond a power failure."""
        for writer in self._writers.values():
            writer.sync()

    def read(self, name: str, rows: slice, columns: slice) -> Image:
        """Part of an array of which the chunks were written."""
        if name not in self._readers:
            from stemscan.store.array_reader import ArrayReader

            self._readers[name] = ArrayReader(self.folder, self._spec(name, self._shape_of(name))), {}
        reader, kept = self._readers[name]
        return reader.region(rows, columns, kept)

    def whole(self, name: str) -> Image:
        """An array into memory."""
        return self.read(name, *(slice(0, side) for side in self._shape_of(name)))

    def finish(self, record: Mapping[str, Any], *, pixel_size_nm: float | None, factor: int) -> None:
        """Write the pyramid and the root, by which the folder becomes a reconstruction.

        Parameters
        ----------
        record : mapping
            Of `stemscan.recon.output.record.record_of`.
        factor : int
            Plan pixels per pixel of the image.
        """
        for level in range(1, len(self._levels())):
            self._draw_level(level)
        self.sync()
        attributes = {"ome": self._ome(pixel_size_nm, factor), "stemscan": dict(record)}
        root = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        text = json.dumps(root, indent=2, allow_nan=False) + "\n"
        (self.folder / "zarr.json").write_text(text, encoding="utf-8", newline="\n")

    def _levels(self) -> list[tuple[int, int]]:
        """Shapes of the levels, the image first."""
        shapes = [self.shape]
        while max(shapes[-1]) > self._chunk:
            shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
        return shapes

    def _draw_level(self, level: int) -> None:
        """Mean of the level before, chunk by chunk."""
        shape, before = self._levels()[level], self._levels()[level - 1]
        name, source = f"level{level}", f"level{level - 1}" if level > 1 else "image"
        self._create(name, shape)
        starts = (range(0, side, self._chunk) for side in shape)
        for top, left in product(*starts):
            rows, columns = (
                slice(first, min(first + self._chunk, side)) for first, side in zip((top, left), shape, strict=True)
            )
            finer = (
                slice(2 * part.start, min(2 * part.stop, side))
                for part, side in zip((rows, columns), before, strict=True)
            )
            self.write(name, rows, columns, bin_mean(self.read(source, *finer), 2))

    def _shape_of(self, name: str) -> tuple[int, int]:
        """Shape of an array or a level."""
        return self._levels()[int(name.removeprefix("level"))] if name.startswith("level") else self.shape

    def _create(self, name: str, shape: tuple[int, int]) -> None:
        """Make an array where it is missing."""
        from stemscan.store.arrays import create_array

        if not (self.folder / name / "zarr.json").exists():
            create_array(self.folder, self._spec(name, shape))

    def _spec(self, name: str, shape: tuple[int, int]) -> Any:
        """Declaration of an array."""
        from stemscan.store.schema import ArraySpec

        chunks = tuple(min(self._chunk, side) for side in shape)
        return ArraySpec(name, shape, chunks, np.dtype(np.float32), ("y", "x"))

    def _ome(self, size: float | None, factor: int) -> dict[str, Any]:
        """OME-Zarr 0.5 metadata: axes, pixel size where it is known (else one plan pixel is the unit), and levels.

        A coarser grid has a translation, so that the centres of its pixels lie where they belong on the plan's grid.
        """
        axes = [{"name": name, "type": "space"} | ({} if size is None else {"unit": "nanometer"}) for name in "yx"]
        pixel = 1.0 if size is None else size / factor
        datasets = []
        for level in range(len(self._levels())):
            coarse = factor * 2**level
            transformations: list[dict[str, Any]] = [{"type": "scale", "scale": [pixel * coarse] * 2}]
            if coarse > 1:
                transformations.append({"type": "translation", "translation": [pixel * (coarse - 1) / 2] * 2})
            path = f"level{level}" if level else "image"
            datasets.append({"path": path, "coordinateTransformations": transformations})
        return {"version": "0.5", "multiscales": [{"name": "image", "axes": axes, "datasets": datasets}]}
