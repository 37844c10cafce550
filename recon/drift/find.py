"""Drift of an acquisition: found, judged, and written into its store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stemscan.arguments import described
from stemscan.display import Rows, as_html, as_text
from stemscan.errors import OutputExistsError, ReconError, UsageError
from stemscan.recon.drift.finding import Found, find_trajectory
from stemscan.recon.drift.passes import covering_parts
from stemscan.recon.drift.timed import TimedSamples
from stemscan.runtime.memory import require_memory
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition
    from stemscan.store.trajectory import Trajectory

__all__ = ["Drift", "find_drift", "opened", "store_drift"]

_WHOLE: Final = 1 << 24
_STRIP: Final = 1 << 22
"""Pixels of the largest frame that is looked at as a whole, and of a strip of larger ones."""

_BYTES_A_SAMPLE = 400
_BYTES_A_PIXEL = 160
"""Memory by the sizes of the arrays, of up to eight passes."""


@dataclass(frozen=True, eq=False, repr=False)
class Drift:
    """Drift of an acquisition, as far as its samples tell.

    Attributes
    ----------
    verdict : {"drift", "still", "unknown", "ambiguous"}
        "drift" where the trajectory is better than none; "still" where the samples show no motion beyond errors;
        "unknown" where they cannot tell; "ambiguous" where two motions, a unit cell of the lattice apart, explain them
        alike, and none is guessed.
    reason : str
        Finding, in a few words.
    trajectory : Trajectory or None
        Offsets of the beam on the specimen, with their errors; None where nothing can be known.
    notes : tuple of str
        Limits of these samples, one sentence each.
    samples : int
        Number of samples.
    settings : dict
        Settings of the estimate, as stores keep them.
    """

    verdict: str
    reason: str
    trajectory: Trajectory | None
    notes: tuple[str, ...]
    samples: int
    pixel_size_nm: float | None
    settings: dict[str, Any]

    def rows(self) -> Rows:
        """The result for people."""
        rows = [("drift", f"{self.verdict}: {self.reason}")]
        known = self.trajectory
        if known is not None:
            rows.append(("motion", f"{self._length(known.rms)} RMS about its mean, {self._length(known.span)} at most"))
            rows.append(("known to", f"{self._length(known.rms_std)} RMS a direction"))
        return rows + [("note", note) for note in self.notes]

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        known = self.trajectory
        numbers = {} if known is None else {"rms_px": known.rms, "span_px": known.span, "std_px": known.rms_std}
        return {"verdict": self.verdict, "reason": self.reason, **numbers, "notes": list(self.notes), **self.settings}

    def _length(self, pixels: float) -> str:
        """A length in pixels, and in picometres where the pixel size is known."""
        size = "" if self.pixel_size_nm is None else f" ({1000 * pixels * self.pixel_size_nm:.3g} pm)"
        return f"{pixels:.3g} px{size}"

    def __repr__(self) -> str:
        return as_text("Drift", self.rows())

    def _repr_html_(self) -> str:
        return as_html("Drift", self.rows())


def find_drift(source: Acquisition | str | Path, progress: Callable[[int, int], None] | None = None) -> Drift:
    """Estimate the drift of an acquisition from its samples alone.

    Shifts of passes are refined on the samples, each held against an image of the *other* time slabs; the trajectory is
    as smooth as the evidence makes it. See docs/drift.md. The store is not changed.

    Parameters
    ----------
    source : Acquisition, str or Path
        An acquisition, or the path of its store.
    progress : callable, optional
        Called with (steps done, steps in all).

    Raises
    ------
    InputNotFoundError, StoreError
        When there is no store, or a damaged one.
    ReconError
        When it holds no samples.
    """
    acquisition = opened(source)
    if not acquisition.samples_committed:
        raise ReconError(f"expected samples in {str(acquisition.path)!r}, got none; acquire some first")
    rows, columns = acquisition.shape
    pixels = rows * columns if rows * columns <= _WHOLE else _STRIP
    share = pixels / (rows * columns)
    needed = share * (_BYTES_A_SAMPLE * acquisition.samples_committed + _BYTES_A_PIXEL * rows * columns)
    require_memory(needed, f"to find the drift of {rows} x {columns} pixels")
    samples = TimedSamples.up_to(acquisition, pixels)
    return drift_of(samples, acquisition.pixel_size_nm, progress)


def drift_of(
    samples: TimedSamples, pixel_size_nm: float | None = None, progress: Callable[[int, int], None] | None = None
) -> Drift:
    """Estimate the drift of samples; see `find_drift`."""
    found = find_trajectory(samples, progress)
    settings = {
        "method": "passes, refined on samples against the other slabs",
        "width_px": found.width,
        "gain_nats": round(found.gain, 1),
        "freedom": round(found.freedom, 2),
    }
    return Drift(
        found.verdict,
        found.reason,
        found.trajectory,
        _notes(samples, found),
        samples.count,
        pixel_size_nm,
        settings,
    )


def store_drift(source: Acquisition | str | Path, drift: Drift, *, overwrite: bool = False) -> None:
    """Write a drift into the store of its acquisition, beside the record, which stays as it is.

    Parameters
    ----------
    source : Acquisition, str or Path
        As it was when the drift was found.
    overwrite : bool
        True if a drift that is there may be replaced.

    Raises
    ------
    OutputExistsError
        When one is there.
    ReconError
        When nothing was found.
    StoreError, DiskSpaceError
        When the store has other samples, another writer is at work, or it cannot be written.
    """
    from stemscan.store.drift import write_drift

    acquisition = opened(source)
    if drift.trajectory is None or drift.verdict != "drift":
        raise ReconError(f"expected a drift that was found, got {drift.verdict}: {drift.reason}; store none")
    check_stored(acquisition, overwrite=overwrite)
    provenance = {"verdict": drift.verdict, "reason": drift.reason, "notes": list(drift.notes), **drift.settings}
    write_drift(acquisition.path, drift.trajectory, provenance, of=acquisition.bound_to)


def check_stored(acquisition: Acquisition, *, overwrite: bool) -> None:
    """Refuse a store that has a drift which may not be replaced."""
    if acquisition.has_drift and not overwrite:
        raise OutputExistsError(
            f"expected a store without a drift at {str(acquisition.path)!r}, got one with it; replace it by "
            "--overwrite (overwrite=True), or remove it by --undo"
        )


def opened(source: Acquisition | str | Path) -> Acquisition:
    """An acquisition, or the one at a path."""
    from stemscan.store.reader import Acquisition

    if isinstance(source, Acquisition):
        return source
    if not isinstance(source, str | Path):
        raise UsageError(f"expected an acquisition or the path of its store, got {described(source)}; give one")
    return Acquisition.open(source)


def _notes(samples: TimedSamples, found: Found) -> tuple[str, ...]:
    """Notes on motion that these samples cannot tell."""
    notes = []
    if covering_parts(samples) == 1:
        if samples.passes == 1:
            notes.append("each place was visited once and at one time, so that drift is a distorted specimen")
        else:
            notes.append(
                "motion that repeats in every pass of this order cannot be told from a distorted specimen; the order "
                "delocalised removes that"
            )
    if found.verdict == "ambiguous":
        notes.append(f"more passes in the same time would tell; {counted(samples.passes, 'pass')} do not")
    return tuple(notes)
