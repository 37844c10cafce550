"""A complete store of sparse data measured elsewhere: checked, then written like any other acquisition.

There is no plan; a record of the grid, the passes and the dose stands in its place. The root's record is written when
all arrays are, so an import that was cut short is a half-made store, to be begun again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from stemscan.errors import UsageError
from stemscan.runtime.interrupts import Interrupts
from stemscan.store.batch import DetectorInfo
from stemscan.store.create import RootFile, checked_truth, claim_folder, fill_folder, with_arrays
from stemscan.store.files import Json
from stemscan.store.record import StoreRecord, plain_json
from stemscan.store.record_parts import ImportedRecord
from stemscan.store.schema import (
    ArraySpec,
    Layout,
    Noise,
    array_specs,
    counts_dtype,
    worst_case_bytes,
)

if TYPE_CHECKING:
    from stemscan.store.digests import DigestWriter

_FURTHEST = 0.501
"""Pixels between a position and its pixel, at most; half of one, rounded to float32."""

__all__ = ["Measured", "checked_import", "checked_measurement", "write_imported"]


@dataclass(frozen=True)
class Measured:
    """Samples measured elsewhere, checked: in scan order, pass after pass."""

    counts: NDArray[Any]
    positions: NDArray[np.int32]
    actual: NDArray[np.float32] | None
    frames_dtype: np.dtype[Any]
    visits_dtype: np.dtype[Any]

    @property
    def dtype_name(self) -> Literal["uint16", "uint32", "float32"]:
        """Type of the counts, as a detector names it."""
        return "float32" if self.counts.dtype.kind == "f" else "uint16" if self.counts.dtype.itemsize == 2 else "uint32"


def checked_import(
    shape: tuple[int, int],
    samples_per_pass: Sequence[int],
    electrons_per_sample: float,
    pixel_size_nm: float | None,
    record: Mapping[str, object] | None,
) -> ImportedRecord:
    """What stands in the place of a plan.

    Raises
    ------
    UsageError
        When a number is impossible.
    """
    try:
        return ImportedRecord(
            shape=(int(shape[0]), int(shape[1])),
            samples_per_pass=[int(samples) for samples in samples_per_pass],
            electrons_per_sample=float(electrons_per_sample),
            pixel_size_nm=None if pixel_size_nm is None else float(pixel_size_nm),
            record=plain_json(record or {}, "an import's record"),
        )
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        name, value, reason = first["loc"][0], first["input"], first["msg"].lower()
        raise UsageError(f"expected a possible {name} of the measured data, got {value!r}: {reason}") from problem


def checked_measurement(
    counts: NDArray[Any],
    positions: NDArray[Any],
    layout: Layout,
    detector: DetectorInfo,
    noise: Noise,
    actual: NDArray[Any] | None = None,
) -> Measured:
    """Check samples and choose the types that hold them and their sums.

    Raises
    ------
    UsageError
        Naming the first value that is wrong.
    """
    counts, positions = np.asarray(counts), np.asarray(positions)
    total = layout.total_samples
    if counts.shape != (total,) or total == 0:
        raise UsageError(f"expected counts of shape ({total},), one a sample and at least one, got {counts.shape}")
    if positions.shape != (total, 2) or positions.dtype.kind not in "iu":
        raise UsageError(
            f"expected integer positions (row, column) of shape ({total}, 2), got {positions.dtype} of shape "
            f"{positions.shape}"
        )
    outside = ((positions < 0) | (positions >= np.array(layout.shape))).any(axis=1)
    if outside.any():
        first = int(outside.argmax())
        raise UsageError(
            f"expected positions inside the grid {layout.shape}, got {positions[first].tolist()} at sample {first}"
        )
    if actual is not None:
        actual = np.ascontiguousarray(actual, np.float32)
        if actual.shape != (total, 2) or not (np.abs(actual - positions) <= _FURTHEST).all():
            raise UsageError(
                f"expected actual positions of shape ({total}, 2), each within half a pixel of its pixel, got others"
            )
    counts = _kept(counts, counts_dtype(detector, noise, layout.electrons_per_sample), detector)
    frames, visits = _sums(counts, positions, layout)
    return Measured(counts, np.ascontiguousarray(positions, np.int32), actual, frames, visits)


def _kept(counts: NDArray[Any], dtype: np.dtype[Any], detector: DetectorInfo) -> NDArray[Any]:
    """Counts in the type that keeps them unchanged, or an error."""
    if counts.dtype.kind not in "iuf":
        raise UsageError(f"expected counts of real numbers, got dtype {counts.dtype}")
    readings = detector.unit == "adu"
    bad = ~np.isfinite(counts) if readings else ~(np.isfinite(counts) & (counts >= 0))
    if bad.any():
        first = int(bad.argmax())
        expected = "finite readings" if readings else "finite counts of at least 0"
        cure = "leave such samples out"
        if counts[first] < 0 and np.isfinite(counts[first]):
            cure = "readings of a detector that may be negative have a gain (--gain)"
        raise UsageError(f"expected {expected}, got {counts[first]} at sample {first}; {cure}")
    if counts.dtype.kind == "f" or dtype.kind == "f" or counts.min() < 0:
        kept = counts.astype(np.float32)
        if counts.dtype.kind == "i" and not np.array_equal(kept.astype(np.int64), counts):
            raise UsageError(
                f"expected readings that float32 holds, within 2^24 on both sides of 0, got {counts.min()} to "
                f"{counts.max()}; subtract a constant and state it as the offset"
            )
        return kept
    highest = int(counts.max())
    if highest > np.iinfo(np.uint32).max:
        raise UsageError(f"expected counts of at most {np.iinfo(np.uint32).max}, got {highest}; check their unit")
    fits = highest <= np.iinfo(dtype).max
    return counts.astype(dtype if fits else np.uint32)


def _sums(counts: NDArray[Any], positions: NDArray[Any], layout: Layout) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Types of frames and visits that hold every sum of a pass."""
    most_visits, most_counts = 1, 0.0
    for start, stop in zip(layout.pass_starts, layout.pass_starts[1:], strict=False):
        flat = positions[start:stop, 0].astype(np.int64) * layout.shape[1] + positions[start:stop, 1]
        _, index, hits = np.unique(flat, return_inverse=True, return_counts=True)
        if hits.size and hits.max() > 1:
            most_visits = max(most_visits, int(hits.max()))
            most_counts = max(most_counts, float(np.bincount(index, weights=counts[start:stop]).max()))
    if most_visits > np.iinfo(np.uint16).max:
        raise UsageError(f"expected at most 65535 visits of a pixel in a pass, got {most_visits}; split the passes")
    frames = counts.dtype
    if frames.kind == "u" and most_counts > np.iinfo(frames).max:
        frames = np.dtype(np.uint32)
        if most_counts > np.iinfo(frames).max:
            raise UsageError(f"expected sums of at most {np.iinfo(frames).max} in a pixel, got {most_counts:.0f}")
    return frames, np.dtype(np.uint8 if most_visits <= 255 else np.uint16)


def write_imported(
    path: Path,
    layout: Layout,
    record: StoreRecord,
    measured: Measured,
    truth: NDArray[Any] | None,
    history: list[Json],
    *,
    overwrite: bool,
) -> RootFile:
    """Write a complete store; the record last."""
    truth32 = checked_truth(truth, layout.shape)
    specs = array_specs(
        layout,
        measured.counts.dtype,
        frames=measured.frames_dtype,
        visits=measured.visits_dtype,
        actual=measured.actual is not None,
        truth=truth is not None,
    )
    lock = claim_folder(path, worst_case_bytes(specs.values(), layout), overwrite=overwrite, resume=False)
    try:
        with Interrupts(polite=True) as interrupts:  # zarr writes in a thread, which would go on
            digests = fill_folder(path, specs, truth32)
            _write_arrays(path, layout, specs, measured, digests)
            root = RootFile.new(path, layout, with_arrays(record, specs, digests, complete=True))
            total = layout.total_samples
            root.save(state="complete", samples_armed=total, samples_committed=total, history=history)
        interrupts.check()
    finally:
        lock.release()
    return root


def _write_arrays(
    path: Path, layout: Layout, specs: dict[str, ArraySpec], measured: Measured, digests: DigestWriter
) -> None:
    """Samples, then pictures."""
    from stemscan.store.pictures import PictureWriter
    from stemscan.store.writer import SampleWriter

    writer = SampleWriter(path, specs, lambda start, stop: measured.positions[start:stop], 0, digests)
    writer.append(measured.counts, measured.actual)
    writer.flush()
    pictures = PictureWriter(path, specs, layout)
    pictures.draw(layout.total_samples, digests, None)
