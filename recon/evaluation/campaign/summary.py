"""Tables of a campaign as Parquet: ``summary.parquet`` and ``times.parquet``, a row for each acquisition and contender.

The summary holds what is the same whoever did the jobs, in the order of the campaign file, so that its bytes are too;
times, attempts and sizes of stores are in a table of their own. Null is what is not defined.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from stemscan.files.writing import write_file
from stemscan.recon.evaluation.campaign.design import Design
from stemscan.recon.evaluation.campaign.folder import SUMMARY, TIMES
from stemscan.recon.evaluation.campaign.jobs import Job, contender_key
from stemscan.recon.evaluation.campaign.results import Results
from stemscan.recon.evaluation.campaign.work import Made, Row
from stemscan.recon.evaluation.columns.measures import Figures
from stemscan.recon.evaluation.contenders import Contender
from stemscan.recon.evaluation.rows import Measured
from stemscan.recon.output.parquet import require_pyarrow

__all__ = ["Failure", "Mean", "Summary", "write_summary"]

_FACTS: Final = ("samples", "visited", "specimen_sha256", "plan_sha256", "record_sha256")
_SHOWN: Final = ("psnr", "ssim")
_BATCH: Final = 20_000
_LISTED: Final = 100
_NOBODY: Final = Contender("", "")

_FIGURES: Final = {one.name: f"columns_{'judged' if one.name == 'columns' else one.name}" for one in fields(Figures)}
_MEASURES: Final = tuple(one.name for one in fields(Measured) if one.name not in ("seconds", "factor", "error"))

_SUMMARY: Final = (
    *((name, "string") for name in ("specimen", "plan", "instrument", "noise", "contender", "method")),
    ("seed", "uint64"),
    *((name, "int64") for name in ("grid_rows", "grid_cols", "passes", "samples")),
    *((name, "float64") for name in ("visited", "electrons_per_sample", "incident_e_per_A2")),
    *((name, "float64") for name in _MEASURES),
    ("factor", "int64"),
    *((name, "float64") for name in _FIGURES.values()),
    *((name, "string") for name in ("error", "acquisition", "specimen_sha256", "plan_sha256", "record_sha256")),
)
_TIMES: Final = (
    *((name, "string") for name in ("acquisition", "contender")),
    *((name, "float64") for name in ("scan_seconds", "scan_processor_seconds", "seconds", "processor_seconds")),
    ("store_bytes", "int64"),
    ("attempts", "int64"),
)


class Failure(NamedTuple):
    """A contender that failed on an acquisition, or an acquisition that failed."""

    job: Job
    contender: str
    error: str


class Mean(NamedTuple):
    """Means over specimens and seeds; NaN where no acquisition has a value."""

    plan: str
    electrons_per_sample: float
    instrument: str
    contender: str
    acquisitions: int
    psnr: float
    ssim: float


class _Sums:
    """Sums of what is shown of a group of rows."""

    def __init__(self) -> None:
        self.rows = 0
        self._sums, self._counts = dict.fromkeys(_SHOWN, 0.0), dict.fromkeys(_SHOWN, 0)

    def add(self, measured: Measured) -> None:
        """Add a row."""
        self.rows += 1
        for name in _SHOWN:
            value = getattr(measured, name)
            if not math.isnan(value):
                self._sums[name] += value
                self._counts[name] += 1

    def mean(self, name: str) -> float:
        """Mean of the values that are there; NaN without any."""
        return self._sums[name] / self._counts[name] if self._counts[name] else math.nan


@dataclass
class Summary:
    """Contents of the tables, in short.

    Attributes
    ----------
    failed : int
        Rows with an error.
    failures : list of Failure
        The first hundred of them.
    """

    rows: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    _sums: dict[tuple[str, float, str, str], _Sums] = field(default_factory=dict)

    @property
    def means(self) -> list[Mean]:
        """Means by plan, dose, instrument and contender."""
        return [Mean(*key, one.rows, *map(one.mean, _SHOWN)) for key, one in self._sums.items()]

    def add(self, job: Job, contender: Contender, row: Row) -> None:
        """Count a row."""
        self.rows += 1
        measured = row.measured
        if measured.error:
            self.failed += 1
            if len(self.failures) < _LISTED:
                self.failures.append(Failure(job, contender.label, measured.error))
            return
        key = (job.plan_label, job.plan.electrons_per_sample, job.instrument_label, contender.label)
        self._sums.setdefault(key, _Sums()).add(measured)


class _Entry(NamedTuple):
    """A row, and all that it is made of."""

    job: Job
    contender: Contender
    row: Row
    made: Made
    attempts: int


def write_summary(design: Design, results: Results, folder: Path) -> Summary:
    """Write the tables of a campaign; those that are there are replaced.

    Raises
    ------
    MissingDependencyError
        When pyarrow is not installed.
    StemscanError
        When the system refuses to write.
    """
    require_pyarrow()
    summary = Summary()

    def counted(entry: _Entry) -> dict[str, Any]:
        summary.add(entry.job, entry.contender, entry.row)
        return _summary_row(entry)

    for name, columns, row in ((SUMMARY, _SUMMARY, counted), (TIMES, _TIMES, _times_row)):
        _write(folder / name, columns, map(row, _entries(design, results)))
    return summary


def _entries(design: Design, results: Results) -> Iterator[_Entry]:
    """All rows, in the order of the campaign file."""
    of_columns = design.common.of_columns
    keyed = [(one, contender_key(one, of_columns=of_columns)) for one in design.common.contenders] or [(_NOBODY, "")]
    for job in design.jobs():
        found = results.of(job.digest)
        if found is None:
            continue
        made, attempts = found
        for contender, key in keyed:
            yield _Entry(job, contender, made.rows.get(key, Row(Measured())), made, attempts)


def _summary_row(entry: _Entry) -> dict[str, Any]:
    """A row of the summary."""
    job, contender, row, made, _ = entry
    plan, measured = job.plan, row.measured
    return {
        "specimen": job.source.label,
        "plan": job.plan_label,
        "instrument": job.instrument_label,
        "noise": job.common.noise,
        "contender": contender.label,
        "method": contender.method,
        "seed": job.seed,
        "grid_rows": plan.shape[0],
        "grid_cols": plan.shape[1],
        "passes": plan.passes,
        "electrons_per_sample": plan.electrons_per_sample,
        "incident_e_per_A2": plan.dose_e_per_A2,
        **{name: made.facts.get(name) for name in _FACTS},
        **{name: getattr(measured, name) for name in (*_MEASURES, "factor", "error")},
        **{column: row.figures.get(name) for name, column in _FIGURES.items()},
        "acquisition": job.digest,
    }


def _times_row(entry: _Entry) -> dict[str, Any]:
    """A row of the times."""
    return {
        "acquisition": entry.job.digest,
        "contender": entry.contender.label,
        "scan_seconds": entry.made.seconds,
        "scan_processor_seconds": entry.made.processor_seconds,
        "seconds": entry.row.seconds,
        "processor_seconds": entry.row.processor_seconds,
        "store_bytes": entry.made.store_bytes,
        "attempts": entry.attempts,
    }


def _write(path: Path, columns: Sequence[tuple[str, str]], rows: Iterator[dict[str, Any]]) -> None:
    """Write rows, some thousand at a time."""
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([(name, kind) for name, kind in columns])

    def fill(temporary: Path) -> None:
        with pyarrow.parquet.ParquetWriter(temporary, schema) as writer:
            while batch := list(islice(rows, _BATCH)):
                values = {name: [_value(row[name]) for row in batch] for name, _ in columns}
                writer.write_table(pyarrow.table(values, schema=schema))

    write_file(path, fill, overwrite=True)


def _value(value: Any) -> Any:
    """A value, None where it is not defined."""
    return None if isinstance(value, float) and math.isnan(value) else value
