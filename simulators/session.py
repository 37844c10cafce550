"""One simulated acquisition, from a plan and a specimen's name to a complete store."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from numpy.typing import NDArray

from stemscan.acquisition.session import acquire
from stemscan.arguments import check_beginning, described, file_path, whole_number
from stemscan.errors import UsageError
from stemscan.hardware.profile import load_profile
from stemscan.plan.given import plan_of
from stemscan.runtime.memory import require_memory
from stemscan.simulators.instrument.settings import Instrument, instrument_of
from stemscan.simulators.microscope import VirtualMicroscope
from stemscan.simulators.specimens.intensity import Range
from stemscan.simulators.specimens.kinds import CRYSTAL, kind_of
from stemscan.simulators.specimens.loading import Smooth, load_specimen, specimen_from_array
from stemscan.simulators.specimens.preparation import Fit
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.store.create import check_place
from stemscan.store.reader import Acquisition
from stemscan.types import Noise
from stemscan.units import parse_time_constant_ns

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["SpecimenReading", "simulate", "virtual_microscope"]

_BYTES_A_PIXEL: Final = 10
"""Memory of a specimen, the virtual microscope and the store for a pixel of the grid, by `benchmarks/memory.py`."""

_IN_FILES: Final = 9e8
"""Memory of a scan whose specimen is drawn or read band by band, whatever its size: what is written, mostly."""

_BUFFERS: Final = 1.5e8
_SMALL_GRID: Final = 30
"""Bytes of samples on their way, at most, and for a pixel of a small grid."""


class SpecimenReading(TypedDict, total=False):
    """Arguments of `load_specimen` that say how an image file is read."""

    fit: Fit
    value_range: Range | None
    smooth: Smooth | None
    median: int
    frame: int | str | None


def simulate(
    plan: ScanPlan | str | Path,
    specimen: Specimen | NDArray[Any] | str | Path,
    output: str | Path,
    *,
    noise: Noise = "poisson",
    seed: int = 1,
    coil_tau_ns: float | str | None = None,
    profile: str | Path | None = None,
    instrument: Instrument | str | Path = "ideal",
    detectors: Sequence[str] = ("haadf",),
    threads: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    **reading: Unpack[SpecimenReading],
) -> Acquisition:
    """Scan a virtual specimen by a plan and write the acquisition store.

    Parameters
    ----------
    plan : ScanPlan, str or Path
        A plan, or the path of its file.
    specimen : Specimen, ndarray (H, W), str or Path
        A specimen on the plan's grid, an array on it (floats in [0, 1] stay as they are, all else is scaled to it), or
        an image file or ``crystal:NAME``; see `load_specimen`.
    output : str or Path
        Folder of the store.
    noise : {"poisson", "eq5"}
        Statistics of the counts.
    seed : int
        Of the detector, 0 to 2**64 - 1.
    coil_tau_ns : float or str, optional
        Time constant of the scan coils in ns, or text with its unit like "5us"; with one above 0 the beam lags behind
        its path, and the store has the actual positions.
    profile : str or Path, optional
        Name of a shipped controller profile, or a file of one's own, for whose settle times and flyback the beam waits
        before its dwells.
    instrument : Instrument, str or Path
        Effects of the microscope: an instrument, the name of one that comes with the package, or a file of one's own.
    detectors : sequence of str
        Names of its detectors, a channel each (`stemscan.simulators.instrument.collection.KINDS`).
    threads : int, optional
        Threads of the detectors, at least 1; one a processor by default. Counts do not depend on it.
    resume : bool
        Go on with the store after its last committed sample, or begin it where there is none.
    overwrite : bool
        True if a store that is there may be replaced; not beside `resume`.
    progress : callable, optional
        Called with (samples done, samples in all).
    **reading : SpecimenReading
        Reading of an image file: `fit`, `value_range`, `smooth`, `median` and `frame` of `load_specimen`.

    Returns
    -------
    Acquisition
        The complete store.

    Raises
    ------
    UsageError
        When an argument is none that can be meant.
    StemscanError
        As `load_specimen`, `VirtualMicroscope` and `stemscan.acquisition.session.acquire`.
    """
    check_beginning(resume=resume, overwrite=overwrite)
    plan, output = plan_of(plan), file_path(output, "the new store")
    check_place(output, overwrite=overwrite, resume=resume)
    microscope = virtual_microscope(
        plan,
        specimen,
        noise=noise,
        seed=seed,
        coil_tau_ns=coil_tau_ns,
        profile=profile,
        instrument=instrument,
        detectors=detectors,
        threads=threads,
        **reading,
    )
    return acquire(plan, microscope, output, resume=resume, overwrite=overwrite, progress=progress)


def virtual_microscope(
    plan: ScanPlan,
    specimen: Specimen | NDArray[Any] | str | Path,
    *,
    noise: Noise = "poisson",
    seed: int = 1,
    coil_tau_ns: float | str | None = None,
    profile: str | Path | None = None,
    instrument: Instrument | str | Path = "ideal",
    detectors: Sequence[str] = ("haadf",),
    threads: int | None = None,
    **reading: Unpack[SpecimenReading],
) -> VirtualMicroscope:
    """A virtual microscope with a specimen in it.

    Parameters
    ----------
    plan, specimen, noise, seed, coil_tau_ns, profile, instrument, detectors, threads, **reading
        As for `simulate`.

    Raises
    ------
    StemscanError
        As `load_specimen`, `load_profile`, `instrument_of` and `VirtualMicroscope`.
    """
    known = instrument_of(instrument)
    controller = None if profile is None else load_profile(profile)
    rows, columns = plan.shape
    pixels = rows * columns
    needed = (_BYTES_A_PIXEL + known.bytes_a_pixel) * pixels + min(_BUFFERS, _SMALL_GRID * pixels)
    if known.is_ideal and _lies_in_files(specimen):
        needed = min(needed, _IN_FILES)
    require_memory(needed, f"to simulate a scan of {rows} x {columns} pixels")
    return VirtualMicroscope(
        _calibrated(_specimen(specimen, plan, reading), plan),
        plan,
        noise=noise,
        seed=seed,
        threads=whole_number(os.cpu_count() or 1 if threads is None else threads, "threads of at least 1", 1),
        coil_tau_ns=parse_time_constant_ns(coil_tau_ns) if isinstance(coil_tau_ns, str) else coil_tau_ns,
        profile=controller,
        instrument=known,
        detectors=(detectors,) if isinstance(detectors, str) else tuple(detectors),
    )


def _lies_in_files(specimen: object) -> bool:
    """Tell whether a specimen, where it is large, needs no memory; what has to be read as a whole asks for its own."""
    if not isinstance(specimen, str | os.PathLike):
        return False
    return kind_of(str(specimen)) in (CRYSTAL, None)


def _specimen(specimen: Specimen | NDArray[Any] | str | Path, plan: ScanPlan, reading: SpecimenReading) -> Specimen:
    """A specimen on the plan's grid, read by arguments that only files have."""
    known = SpecimenReading.__annotations__
    unknown = next((name for name in reading if name not in known), None)
    if unknown is not None:
        raise UsageError(f"expected keywords of simulate, or {', '.join(known)}, got {unknown!r}; correct it")
    if isinstance(specimen, str | os.PathLike):
        return load_specimen(specimen, plan.shape, pixel_size_nm=plan.pixel_size_nm, **reading)
    if reading:
        raise UsageError(
            f"expected no {next(iter(reading))} beside a specimen, got one; it is for image files, drop it"
        )
    if isinstance(specimen, Specimen):
        return specimen
    if not hasattr(specimen, "__array__"):
        raise UsageError(
            f"expected a specimen, an array, an image file or crystal:NAME, got {described(specimen)}; give one"
        )
    return specimen_from_array(specimen, pixel_size_nm=plan.pixel_size_nm)


def _calibrated(specimen: Specimen, plan: ScanPlan) -> Specimen:
    """Note in the record, and so in the store, a pixel size that the specimen has and the plan has not.

    The plan and its digest stay as they are: the same plan file resumes the scan, and runs on hardware. The size at
    which a crystal is drawn when none is stated is no calibration.
    """
    record = specimen.record
    if plan.pixel_size_nm is not None or specimen.pixel_size_nm is None or record.get("pixel_size_from") == "default":
        return specimen
    return replace(specimen, record={**record, "pixel_size_taken_nm": specimen.pixel_size_nm})
