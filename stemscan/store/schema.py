"""Contents of an acquisition store: its arrays, and how large it may grow (contract 2).

A `Layout` says what was or will be scanned; `array_specs` which arrays there are and of what shape, chunks and type.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from stemscan.errors import StoreError
from stemscan.store.batch import DetectorInfo, common_dtype
from stemscan.store.files import read_json
from stemscan.types import UINT16_ELECTRONS, Noise

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.record import StoreRecord
    from stemscan.store.record_parts import ImportedRecord, SpecimenRecord

__all__ = [
    "DIGEST_BYTES",
    "DRAWN",
    "FRAME_CHUNK",
    "LEVELS",
    "PICTURES",
    "SAMPLES",
    "SAMPLE_CHUNK",
    "TRACKS",
    "TRUTHS",
    "ArraySpec",
    "Layout",
    "array_specs",
    "counts_dtype",
    "counts_dtypes",
    "planned_specs",
    "remedy",
    "spec_on_disk",
    "worst_case_bytes",
]

FRAME_CHUNK = 1024
SAMPLE_CHUNK = 1 << 18
TRACKS: Final[dict[str, tuple[int, ...]]] = {
    "truth_trajectory": (2,),
    "truth_current": (),
    "truth_fading": (),
    "truth_contamination": (),
}
"""Truths of a simulated instrument that have a value for each sample: the shape of one; see docs/instrument.md."""

SAMPLES: Final = ("samples/counts", "samples/position", "samples/actual", *TRACKS)
PICTURES: Final = ("frames", "visits")
TRUTHS: Final = ("truth", "truth_columns")
LEVELS: Final = tuple(f"level{number}" for number in range(1, 13))
"""Means of 2 x 2 pixels of frames, and of the level before, of frames that are larger than a chunk."""

DRAWN: Final = (*PICTURES, *LEVELS)
"""What follows from the samples."""

COLUMN_CHUNK: Final = 1 << 14
_OF_A_PICTURE: Final = re.compile(r"/(frames|visits|level\d+)(/zarr\.json|/c(/\d+)+)?$")
DIGEST_BYTES: Final = 32

_KINDS = {
    "frames": ("uint16", "uint32", "float32"),
    "visits": ("uint8", "uint16"),
    "samples/counts": ("uint16", "uint32", "float32"),
    "samples/position": ("int32",),
    "samples/actual": ("float32",),
    "truth": ("float32",),
    "truth_columns": ("float64",),
    **dict.fromkeys((*TRACKS, *LEVELS), ("float32",)),
}


@dataclass(frozen=True)
class Layout:
    """Plan of a store: the grid, the samples of each pass, and the units.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the grid.
    samples_per_pass : tuple of int
        Samples of each pass; passes follow one another in scan order.
    electrons_per_sample : float
        Dose per sample, lambda.
    seconds_per_pass : float, optional
        Total dwell time of a pass.
    """

    shape: tuple[int, int]
    samples_per_pass: tuple[int, ...]
    electrons_per_sample: float
    pixel_size_nm: float | None
    seconds_per_pass: float | None

    @classmethod
    def of_plan(cls, plan: ScanPlan, specimen: SpecimenRecord | None = None) -> Self:
        """The layout of a planned scan; where the plan has no pixel size, with that of a calibrated specimen."""
        known = None if specimen is None else specimen.pixel_size_nm
        per_pass = plan.samples_per_pass
        return cls(
            shape=plan.shape,
            samples_per_pass=(per_pass,) * plan.passes,
            electrons_per_sample=plan.electrons_per_sample,
            pixel_size_nm=known if plan.pixel_size_nm is None else plan.pixel_size_nm,
            seconds_per_pass=plan.dwell_ns * per_pass / 1e9,
        )

    @classmethod
    def of_import(cls, imported: ImportedRecord) -> Self:
        """The layout of data measured elsewhere."""
        return cls(
            shape=imported.shape,
            samples_per_pass=tuple(imported.samples_per_pass),
            electrons_per_sample=imported.electrons_per_sample,
            pixel_size_nm=imported.pixel_size_nm,
            seconds_per_pass=None,
        )

    @property
    def passes(self) -> int:
        """Number of passes, T."""
        return len(self.samples_per_pass)

    @property
    def total_samples(self) -> int:
        """Samples of all passes, N."""
        return self.pass_starts[-1]

    @property
    def levels(self) -> int:
        """Levels of a pyramid of the frames, down to one chunk; 0 where the frames are one."""
        number = 0
        while max(self.level_shape(number)) > FRAME_CHUNK and number < len(LEVELS):
            number += 1
        return number

    def level_shape(self, number: int) -> tuple[int, int]:
        """Rows and columns of a level; the frames are level 0."""
        rows, columns = self.shape
        return -(-rows // 2**number), -(-columns // 2**number)

    @cached_property
    def pass_starts(self) -> tuple[int, ...]:
        """Index of the first sample of each pass, and the total at the end: T + 1 numbers."""
        return (0, *accumulate(self.samples_per_pass))


@dataclass(frozen=True)
class ArraySpec:
    """One array of a store."""

    path: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    dimension_names: tuple[str, ...]

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return tuple(-(-side // chunk) for side, chunk in zip(self.shape, self.chunks, strict=True))

    def chunk_file(self, folder: Path, index: tuple[int, ...]) -> Path:
        """File of a chunk of the array in the store `folder`."""
        return folder.joinpath(self.path, "c", *map(str, index))

    def chunks_of(
        self, origin: tuple[int, ...], shape: tuple[int, ...]
    ) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Indices of the chunks that an array of whole chunks at `origin` consists of, and their places in it."""
        sides = list(zip(origin, shape, self.chunks, strict=True))
        for steps in product(*(range(0, size, chunk) for _, size, chunk in sides)):
            index = tuple((at + step) // chunk for step, (at, _, chunk) in zip(steps, sides, strict=True))
            yield index, tuple(slice(step, step + chunk) for step, (_, _, chunk) in zip(steps, sides, strict=True))


def counts_dtype(detector: DetectorInfo, noise: Noise, electrons_per_sample: float) -> np.dtype[Any]:
    """Data type of counts: the detector's own for float32 and ADU; uint16 up to 60000 electrons per sample, or uint32.

    Parameters
    ----------
    noise : {"poisson", "eq5"}
        Samples under eq5 are float32.
    electrons_per_sample : float
        Dose per sample, lambda.
    """
    if noise == "eq5" or detector.dtype == "float32":
        return np.dtype(np.float32)
    if detector.unit == "adu":
        return np.dtype(detector.dtype)
    return np.dtype(np.uint16 if electrons_per_sample <= UINT16_ELECTRONS else np.uint32)


def counts_dtypes(record: StoreRecord, layout: Layout) -> tuple[np.dtype[Any], ...]:
    """Data type that holds the counts of each channel."""
    return tuple(counts_dtype(one, record.noise, layout.electrons_per_sample) for one in record.detectors)


def array_specs(
    layout: Layout,
    counts: np.dtype[Any],
    *,
    frames: np.dtype[Any] | None = None,
    visits: np.dtype[Any] | None = None,
    actual: bool,
    truth: bool,
    columns: tuple[int, int] | None = None,
    tracks: Collection[str] = (),
    channels: int | None = 1,
    levels: int = 0,
) -> dict[str, ArraySpec]:
    """The arrays of a store by path; frames are of the counts' type and visits uint8 unless told otherwise.

    `columns` are the numbers of true columns and of their fields, where they are known, `tracks` names in `TRACKS`.
    Without `channels`, those of schema 1, in which counts and frames had no axis of channels. The truth has one where
    there are several channels. `levels` are those of a pyramid of the frames.
    """
    total, passes, (rows, width) = layout.total_samples, layout.passes, layout.shape
    chunk = min(SAMPLE_CHUNK, total)
    tile = (min(FRAME_CHUNK, rows), min(FRAME_CHUNK, width))
    lots = () if channels is None else (channels,)
    one, axis = (1,) * len(lots), ("channel",) * len(lots)
    specs = [
        ArraySpec(
            "frames",
            (passes, *lots, rows, width),
            (1, *one, *tile),
            frames or counts,
            ("t", *("c" for _ in lots), "y", "x"),
        ),
        ArraySpec("visits", (passes, rows, width), (1, *tile), visits or np.dtype(np.uint8), ("t", "y", "x")),
        ArraySpec("samples/counts", (total, *lots), (chunk, *lots), counts, ("sample", *axis)),
        ArraySpec("samples/position", (total, 2), (chunk, 2), np.dtype(np.int32), ("sample", "axis")),
    ]
    for number in range(1, levels + 1):
        name, (high, wide) = LEVELS[number - 1], layout.level_shape(number)
        shape, chunks = (passes, *lots, high, wide), (1, *one, min(FRAME_CHUNK, high), min(FRAME_CHUNK, wide))
        specs.append(ArraySpec(name, shape, chunks, np.dtype(np.float32), ("t", *("c" for _ in lots), "y", "x")))
    if actual:
        specs.append(ArraySpec("samples/actual", (total, 2), (chunk, 2), np.dtype(np.float32), ("sample", "axis")))
    for name in tracks:
        one_sample = TRACKS[name]
        named = ("sample", *("axis" for _ in one_sample))
        specs.append(ArraySpec(name, (total, *one_sample), (chunk, *one_sample), np.dtype(np.float32), named))
    if truth:
        many = lots if lots > (1,) else ()
        shape, chunks = (*many, rows, width), (*(1 for _ in many), *tile)
        specs.append(ArraySpec("truth", shape, chunks, np.dtype(np.float32), (*("c" for _ in many), "y", "x")))
    if columns is not None:
        chunks = (min(COLUMN_CHUNK, columns[0]), columns[1])
        specs.append(ArraySpec("truth_columns", columns, chunks, np.dtype(np.float64), ("column", "field")))
    return {spec.path: spec for spec in specs}


def planned_specs(plan: ScanPlan, record: StoreRecord, layout: Layout) -> dict[str, ArraySpec]:
    """The arrays of a planned scan by path; pictures are wide where a pass may visit a pixel again."""
    counts = common_dtype(counts_dtypes(record, layout))
    return array_specs(
        layout,
        counts,
        frames=np.dtype(np.uint32) if plan.repeats_pixels and counts.kind == "u" else None,
        visits=np.dtype(np.uint16) if plan.repeats_pixels else None,
        actual=record.actual_positions,
        truth=record.truth,
        columns=None if record.truth_columns is None else record.truth_columns.shape,
        tracks=record.tracks,
        channels=len(record.channels),
        levels=layout.levels,
    )


def spec_on_disk(folder: Path, spec: ArraySpec, *, exactly: bool = False) -> ArraySpec:
    """The array as its metadata says it is: of the expected shape, of an allowed type, with the chunks it was given.

    With `exactly`, of the expected type and chunks too.

    Raises
    ------
    StoreError
        When the array is missing or another one.
    """
    where = folder / spec.path / "zarr.json"
    if not where.is_file():
        raise StoreError(f"expected an array at {str(where.parent)!r}, got none; {remedy(where)}")
    try:
        found = read_json(where)
        shape, dtype = tuple(found["shape"]), found["data_type"]
        chunks = tuple(found["chunk_grid"]["configuration"]["chunk_shape"])
    except (KeyError, TypeError) as problem:
        raise StoreError(f"expected array metadata in {str(where)!r}, got none; {remedy(where)}") from problem
    types = (spec.dtype.name,) if exactly else _KINDS[spec.path]
    fits = len(chunks) == len(shape) and all(isinstance(side, int) and side > 0 for side in chunks)
    if shape != spec.shape or dtype not in types or not fits or (exactly and chunks != spec.chunks):
        raise StoreError(
            f"expected an array of shape {spec.shape} and type {' or '.join(types)} in {str(where)!r}, got shape "
            f"{shape} and type {dtype} in chunks {chunks}; {remedy(where)}"
        )
    return replace(spec, chunks=chunks, dtype=np.dtype(dtype))


def worst_case_bytes(specs: Iterable[ArraySpec], layout: Layout) -> int:
    """Most bytes that a store of these arrays takes on disk.

    Samples and truth count uncompressed. A sparse frame compresses whatever its counts are: its bit planes hold at
    most one bit a sample, so it takes a few bytes per sample and a small share of its pixels, never more than it is.
    """
    need = 64 * 1024
    for spec in specs:
        size = math.prod(spec.shape) * spec.dtype.itemsize
        if spec.path in DRAWN:
            lots = math.prod(spec.shape[1:-2])
            size = min(size, 4 * spec.dtype.itemsize * layout.total_samples * lots + size // 64)
        need += size + size // 128 + (4096 + DIGEST_BYTES) * math.prod(spec.grid)
    return need


def remedy(where: Path) -> str:
    """Advice where a file or array of a store is damaged: pictures follow from samples, all else is copied."""
    drawn = _OF_A_PICTURE.search(where.as_posix())
    return "redraw it by stemscan verify --repair" if drawn else "restore it from a copy"
