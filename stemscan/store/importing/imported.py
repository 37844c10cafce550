"""A complete store of sparse data measured elsewhere: checked, then written like any other acquisition.

There is no plan; a record of the grid, the passes and the dose stands in its place. The root's record is written when
all arrays are, so an import that was cut short is a half-made store, to be begun again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from stemscan.errors import UsageError
from stemscan.objects.path import as_path
from stemscan.store.batch import DetectorInfo, check_channels, common_dtype
from stemscan.store.create import make_store
from stemscan.store.digest_table import DigestWriter
from stemscan.store.importing.measured import Samples
from stemscan.store.levels import draw_levels
from stemscan.store.pictures import PictureWriter
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.record import event, new_record, plain_json
from stemscan.store.record_parts import ImportedRecord
from stemscan.store.sample_writer import SampleWriter
from stemscan.store.schema import ArraySpec, Layout, array_specs, counts_dtype
from stemscan.types import Noise

__all__ = ["import_samples"]

_FURTHEST: Final = 0.501
"""Pixels between a position and its pixel, at most; half of one, rounded to float32."""


def import_samples(
    samples: Samples,
    output: str | Path,
    *,
    electrons_per_sample: float,
    pixel_size_nm: float | None = None,
    provenance: Provenance | None = None,
    record: Mapping[str, object] | None = None,
    overwrite: bool = False,
) -> Acquisition:
    """Make a complete store of data measured elsewhere.

    Parameters
    ----------
    samples : Samples
        Counts in scan order, pass after pass, at least 0, (N,), or (N, C) of several channels; floats are kept as
        float32. Readings of a detector in adu may be negative. A pixel may be visited several times.
    output : str or Path
        Of the new folder; its parent must exist.
    electrons_per_sample : float
        Dose per sample, lambda.
    pixel_size_nm : float, optional
        Distance of neighbouring pixels, where it is known.
    provenance : Provenance, optional
        Channels, noise, truth and session; counted electrons with Poisson noise unless given.
    record : mapping, optional
        Origin of the data, and what was done to them.
    overwrite : bool
        Remove a store that is there.

    Raises
    ------
    UsageError
        When the data are impossible; the message names the first wrong value.
    InputNotFoundError, OutputExistsError, DiskSpaceError, StoreError
        As `AcquisitionWriter.create`.
    """
    given = provenance or Provenance()
    imported = _checked_import(samples, electrons_per_sample, pixel_size_nm, record)
    layout = Layout.of_import(imported)
    check_channels(given.channels)
    measured = _checked_measurement(samples, layout, given.channels, given.noise)
    channels = zip(given.channels, measured.dtype_names, strict=True)
    known = replace(
        given,
        channels=tuple(replace(one, dtype=name) for one, name in channels),
        actual_positions=measured.actual is not None,
    )
    done = {"state": "complete", "samples_armed": layout.total_samples, "samples_committed": layout.total_samples}
    filled = new_record(known, imported=imported).model_copy(
        update={**done, "history": [event("imported", given.session)]}
    )
    specs = array_specs(
        layout,
        measured.counts.dtype,
        frames=measured.frames_dtype,
        visits=measured.visits_dtype,
        actual=known.actual_positions,
        truth=filled.truth,
        columns=None if filled.truth_columns is None else filled.truth_columns.shape,
        channels=len(known.channels),
        levels=layout.levels,
    )
    path = as_path(output)
    root, lock = make_store(
        path,
        layout,
        filled,
        specs,
        given,
        overwrite=overwrite,
        fill=lambda digests: _write_arrays(path, layout, specs, measured, digests),
    )
    lock.release()
    return Acquisition(root)


@dataclass(frozen=True)
class _Measured:
    """Samples measured elsewhere, checked: in scan order, pass after pass."""

    counts: NDArray[Any]
    dtype_names: tuple[Literal["uint16", "uint32", "float32"], ...]
    positions: NDArray[np.int32]
    actual: NDArray[np.float32] | None
    frames_dtype: np.dtype[Any]
    visits_dtype: np.dtype[Any]


def _checked_import(
    samples: Samples, electrons_per_sample: float, pixel_size_nm: float | None, record: Mapping[str, object] | None
) -> ImportedRecord:
    """The record that stands in the place of a plan.

    Raises
    ------
    UsageError
        When a number is impossible.
    """
    try:
        return ImportedRecord(
            shape=(int(samples.shape[0]), int(samples.shape[1])),
            samples_per_pass=[int(number) for number in samples.samples_per_pass],
            electrons_per_sample=float(electrons_per_sample),
            pixel_size_nm=None if pixel_size_nm is None else float(pixel_size_nm),
            record=plain_json(record or {}, "an import's record"),
        )
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        name, value, reason = first["loc"][0], first["input"], first["msg"].lower()
        raise UsageError(f"expected a possible {name} of the measured data, got {value!r}: {reason}") from problem


def _checked_measurement(
    samples: Samples, layout: Layout, channels: tuple[DetectorInfo, ...], noise: Noise
) -> _Measured:
    """Check samples and choose the types that hold them and their sums.

    Raises
    ------
    UsageError
        Naming the first value that is wrong.
    """
    counts, positions, actual = np.asarray(samples.counts), np.asarray(samples.positions), samples.actual
    total = layout.total_samples
    shape = (total,) if len(channels) == 1 else (total, len(channels))
    if counts.shape != shape or total == 0:
        raise UsageError(f"expected counts of shape {shape}, one a sample and at least one, got {counts.shape}")
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
    lots = counts.reshape(total, -1).T
    kept = [
        _unchanged(one, counts_dtype(channel, noise, layout.electrons_per_sample), channel)
        for one, channel in zip(lots, channels, strict=True)
    ]
    names = tuple(_dtype_name(one.dtype) for one in kept)
    counts = _together(kept).reshape(shape)
    frames, visits = _sums(counts, positions, layout)
    return _Measured(counts, names, np.ascontiguousarray(positions, np.int32), actual, frames, visits)


def _dtype_name(dtype: np.dtype[Any]) -> Literal["uint16", "uint32", "float32"]:
    """Type of counts, as a detector names it."""
    return "float32" if dtype.kind == "f" else "uint16" if dtype.itemsize == 2 else "uint32"


def _together(channels: list[NDArray[Any]]) -> NDArray[Any]:
    """Counts of all channels in the one type that holds them, (N, C)."""
    common = common_dtype([one.dtype for one in channels])
    most = max((int(one.max()) for one in channels if one.dtype.kind != "f"), default=0)
    if common.kind == "f" and most > 1 << 24:
        raise UsageError(
            f"expected counts of at most 2^24 beside a channel of floats (float32), got {most}; import them apart"
        )
    return np.stack([one.astype(common, copy=False) for one in channels], axis=1)


def _unchanged(counts: NDArray[Any], dtype: np.dtype[Any], detector: DetectorInfo) -> NDArray[Any]:
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
        as_float = counts.astype(np.float32)
        if counts.dtype.kind == "i" and not np.array_equal(as_float.astype(np.int64), counts):
            raise UsageError(
                f"expected readings that float32 holds, within 2^24 on both sides of 0, got {counts.min()} to "
                f"{counts.max()}; subtract a constant and state it as the offset"
            )
        return as_float
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
            for one in counts[start:stop].reshape(len(index), -1).T:
                most_counts = max(most_counts, float(np.bincount(index, weights=one).max()))
    if most_visits > np.iinfo(np.uint16).max:
        raise UsageError(f"expected at most 65535 visits of a pixel in a pass, got {most_visits}; split the passes")
    frames = counts.dtype
    if frames.kind == "u" and most_counts > np.iinfo(frames).max:
        frames = np.dtype(np.uint32)
        if most_counts > np.iinfo(frames).max:
            raise UsageError(f"expected sums of at most {np.iinfo(frames).max} in a pixel, got {most_counts:.0f}")
    return frames, np.dtype(np.uint8 if most_visits <= 255 else np.uint16)


def _write_arrays(
    path: Path, layout: Layout, specs: dict[str, ArraySpec], measured: _Measured, digests: DigestWriter
) -> None:
    """Samples, then pictures."""
    writer = SampleWriter(path, specs, lambda start, stop: measured.positions[start:stop], 0, digests)
    writer.append(measured.counts, measured.actual)
    writer.flush()
    pictures = PictureWriter(path, specs, layout)
    pictures.draw(layout.total_samples, digests, None)
    draw_levels(path, specs, digests)
