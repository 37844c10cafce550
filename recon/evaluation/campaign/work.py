"""One job from scan to figures, as a worker does it: one thread, and the same result whoever does it."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan import __version__
from stemscan.errors import ReconError, SpecimenError, refusal
from stemscan.recon.evaluation.campaign.jobs import Job, Source, contender_key, file_digest
from stemscan.recon.evaluation.contenders import Contender
from stemscan.recon.evaluation.rows import Measured, measure
from stemscan.recon.evaluation.run import failure_text
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.run import reconstruct
from stemscan.recon.threads import limit_threads
from stemscan.simulators.api import Specimen, load_specimen, simulate

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.recon.columns.table import ColumnTable
    from stemscan.recon.evaluation.columns.known import Known
    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.store.reader import Acquisition

__all__ = ["Made", "Row", "check_worker", "run_job"]

_ONE_AT_A_TIME: Final = threading.Lock()
"""Numbers of threads are set for a whole process, so a worker with several threads does one job after the other."""

_KEPT: Final = 4
_FOUND: Final[set[tuple[str, Path]]] = set()


@dataclass(frozen=True)
class Row:
    """A contender's result on an acquisition.

    Attributes
    ----------
    measured : Measured
        Without seconds, which no run repeats.
    figures : dict of str to float
        Of columns (`stemscan.recon.evaluation.columns.measures.Figures`); empty where none are known.
    seconds : float
        Wall time of the method.
    processor_seconds : float
        Processor time of the method and of judging it.
    """

    measured: Measured
    figures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = float("nan")
    processor_seconds: float = float("nan")


@dataclass(frozen=True)
class Made:
    """Result of a job.

    Attributes
    ----------
    facts : dict
        Of the acquisition: digests of specimen, plan and record, samples, visited share.
    rows : dict of str to Row
        By `contender_key`.
    seconds, processor_seconds : float
        Of specimen and scan.
    store_bytes : int
        Of the acquisition's store.
    """

    facts: Mapping[str, Any]
    rows: Mapping[str, Row]
    seconds: float = float("nan")
    processor_seconds: float = float("nan")
    store_bytes: int = 0

    @property
    def error(self) -> str:
        """The first failure; empty where all went well."""
        return next((row.measured.error for row in self.rows.values() if row.measured.error), "")

    @classmethod
    def failed(cls, job: Job, problem: BaseException | str) -> Made:
        """A job of which nothing came."""
        words = problem if isinstance(problem, str) else failure_text(problem)
        keys = [contender_key(one, of_columns=job.common.of_columns) for one in job.common.contenders] or [""]
        return cls({}, {key: Row(Measured(error=words)) for key in keys})


def check_worker(version: str, mark: Path | None) -> str:
    """Tell what keeps this process from doing jobs; empty where nothing does.

    Parameters
    ----------
    version : str
        Of the package that made the jobs.
    mark : Path or None
        A file that must be seen here, where something is kept beside it.
    """
    if version != __version__:
        return f"stemscan {__version__} in place of {version}; install the same version there"
    if mark is not None and not mark.is_file():
        return f"no folder {str(mark.parent)!r}; let workers see the same files, or keep nothing"
    return ""


def run_job(job: Job) -> Made:
    """Do a job; a method that fails is a row, too.

    Raises
    ------
    StemscanError
        When the acquisition cannot be made.
    """
    if complaint := check_worker(job.common.version, None):
        raise ReconError(f"expected a worker that can do the job, got {complaint}")
    with _ONE_AT_A_TIME, limit_threads(1), _place(job) as place:
        began, cpu = time.perf_counter(), time.process_time()
        specimen, acquisition = _acquired(job, place)
        inputs = load_inputs(acquisition)
        facts = {
            "specimen_sha256": specimen.sha256,
            "plan_sha256": acquisition.plan_digest,
            "record_sha256": acquisition.digest(),
            "samples": acquisition.samples_committed,
            "visited": float(np.mean(inputs.V > 0)),
        }
        seconds, processor = time.perf_counter() - began, time.process_time() - cpu
        size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        judge = _Judge(job, specimen, inputs)
        of_columns = job.common.of_columns
        contenders = {contender_key(one, of_columns=of_columns): one for one in job.common.contenders}
        rows = {key: judge.row(one) for key, one in contenders.items()} or {"": Row(Measured())}
    return Made(facts, rows, seconds, processor, size)


@contextmanager
def _place(job: Job) -> Iterator[Path]:
    """Where the acquisition goes: its own place, or one that is gone afterwards."""
    if job.store is not None:
        try:
            job.store.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise ReconError(f"expected to make {str(job.store.parent)!r}, got: {refusal(problem)}") from problem
        yield job.store
        return
    with tempfile.TemporaryDirectory(prefix="stemscan-") as folder:
        yield Path(folder) / "acq.zarr"


def _acquired(job: Job, place: Path) -> tuple[Specimen, Acquisition]:
    """The specimen, and its scan; one that was begun is gone on with, one that is complete is read."""
    plan = job.scan_plan()
    _find_files(job.plan, job.plan_digest, job.plan_folder)
    specimen = _specimen(job.source, plan.shape, plan.pixel_size_nm, tuple(job.common.reading.items()))
    noise, instrument = job.common.noise, job.instrument
    made = simulate(plan, specimen, place, noise=noise, seed=job.seed, instrument=instrument, threads=1, resume=True)
    return specimen, made


def _find_files(plan: ScanPlan, digest: str, folder: Path) -> None:
    """See that the files that a plan names are there, once in a process, which remembers their places."""
    if (digest, folder) not in _FOUND:
        plan.check_files(folder)
        _FOUND.add((digest, folder))


@lru_cache(maxsize=_KEPT)
def _specimen(
    source: Source, shape: tuple[int, int], pixel_size_nm: float | None, reading: tuple[tuple[str, Any], ...]
) -> Specimen:
    """Draw or read a specimen; the last ones are kept.

    Raises
    ------
    SpecimenError
        When a file is not what it was when the campaign began.
    """
    if not source.sha256:
        return load_specimen(source.place, shape, pixel_size_nm=pixel_size_nm)
    if file_digest(Path(source.place)) != source.sha256:
        raise SpecimenError(
            f"expected {source.place!r} as it was when the campaign began, got another file; put the old one back, and "
            "show all workers the same folder"
        )
    return load_specimen(source.place, shape, pixel_size_nm=pixel_size_nm, **dict(reading))


class _Judge:
    """Contenders of one acquisition, and what is known of it."""

    def __init__(self, job: Job, specimen: Specimen, inputs: Inputs) -> None:
        self._job, self._specimen, self._inputs = job, specimen, inputs
        self._blind = replace(inputs, truth=None, truth_columns=None)  # no method may look
        self._known_: Known | None = None
        self._table: tuple[ColumnTable, float] | None = None

    def row(self, contender: Contender) -> Row:
        """A contender's result on the acquisition, or the reason why it fails."""
        began, cpu = time.perf_counter(), time.process_time()
        try:
            made = self._fitted(contender) if contender.judged != "picture" else self._pictured(contender)
        except Exception as problem:  # noqa: BLE001 - whatever a method raises, the others go on
            made = Row(Measured(error=failure_text(problem)), seconds=time.perf_counter() - began)
        return replace(made, processor_seconds=time.process_time() - cpu)

    def _pictured(self, contender: Contender) -> Row:
        """Figures of a picture."""
        method, truth = contender.find(), self._inputs.truth
        assert truth is not None  # of simulations
        inputs = self._inputs if method.sees_truth else self._blind
        settings, weights = dict(contender.settings), contender.weights
        done = reconstruct(inputs, method, weights=weights, device="cpu", threads=1, contradictions=False, **settings)
        measured = measure(done.image, truth, done.std, float("nan"), done.native_factor)
        if (place := self._job.image(contender)) is not None:
            from stemscan.recon.output.writing import write_reconstruction

            place.parent.mkdir(parents=True, exist_ok=True)
            write_reconstruction(done, place, overwrite=True)
        figures: dict[str, float] = {}
        if (known := self._known()) is not None:
            from stemscan.recon.evaluation.columns.found import found_in_picture

            figures = _figures(known, found_in_picture(known, done.image))
        return Row(measured, figures, done.seconds)

    def _fitted(self, contender: Contender) -> Row:
        """Figures of columns fitted to the counts."""
        known = self._known()
        if known is None:
            return Row(Measured())
        from stemscan.recon.columns.find import find_columns
        from stemscan.recon.evaluation.columns.found import found_in_table

        if self._table is None:
            began = time.perf_counter()
            self._table = find_columns(self._blind), time.perf_counter() - began
        table, seconds = self._table
        found = found_in_table(known, table, posterior=contender.judged == "posterior")
        return Row(Measured(factor=1), _figures(known, found), seconds)

    def _known(self) -> Known | None:
        """Knowledge of the columns, where the task asks for it and the specimen has any: of crystals."""
        if self._known_ is None and self._job.common.of_columns and self._has_columns():
            from stemscan.recon.evaluation.columns.known import known_columns

            signal, columns = self._inputs.truth, self._inputs.truth_columns
            assert signal is not None
            self._known_ = known_columns(replace(self._specimen, signal=signal, columns=columns), self._inputs)
        return self._known_

    def _has_columns(self) -> bool:
        """Tell whether the specimen knows its columns and their profile."""
        columns, steps = self._inputs.truth_columns, self._specimen.record.get("steps", [])
        has_profile = bool(steps) and "probe" in steps[0] and self._specimen.pixel_size_nm is not None
        return columns is not None and len(columns) > 0 and has_profile


def _figures(known: Known, found: Mapping[str, Any]) -> dict[str, float]:
    """Figures of what was found."""
    from stemscan.recon.evaluation.columns.found import known_arrays
    from stemscan.recon.evaluation.columns.measures import figures

    return {name: float(value) for name, value in asdict(figures([{**known_arrays(known), **found}])).items()}
