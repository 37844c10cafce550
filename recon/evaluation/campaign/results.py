"""Results of jobs, a line each, appended as they come.

A line is whole or does not count, so that whatever ends a campaign, what was done stays. Several lines of one
acquisition, of contenders that came later, count together.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Self

from stemscan.errors import OutputExistsError, StemscanError, refusal
from stemscan.recon.evaluation.cache import decoded, encoded
from stemscan.recon.evaluation.campaign.work import Made, Row
from stemscan.recon.evaluation.rows import Measured
from stemscan.runtime.locks import lock, open_lock

__all__ = ["Results"]

_SYNC_S: Final = 1.0
_NUMBERS: Final = ("seconds", "processor_seconds")


class Results:
    """File of results, locked as long as it is open.

    Parameters
    ----------
    path : Path
        Made where it is missing.

    Raises
    ------
    OutputExistsError
        When another process writes it.
    StemscanError
        When the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[str, tuple[int, ...]] = {}
        self._done: dict[str, frozenset[str]] = {}
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        self._synced = time.monotonic()
        try:
            self._file = os.fdopen(open_lock(path, create=True), "r+b")
        except OSError as problem:
            raise StemscanError(f"expected to write {str(path)!r}, got: {refusal(problem)}") from problem
        if not _locked(self._file.fileno()):
            self._file.close()
            raise OutputExistsError(
                f"expected a campaign that nobody runs, got {str(path.parent)!r}, which another process writes; "
                "wait for it, or choose another folder"
            )
        self._read_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        """Digests of all acquisitions of which there are results."""
        return iter(self._places)

    def done(self, digest: str) -> frozenset[str]:
        """Keys of the contenders of which there are results of an acquisition, failures not among them."""
        return self._done.get(digest, frozenset())

    def of(self, digest: str) -> tuple[Made, int] | None:
        """All that is known of an acquisition, and the number of attempts; None where nothing is."""
        facts: Mapping[str, Any] = {}
        rows: dict[str, Row] = {}
        times: Mapping[str, Any] = {}
        attempts = 0
        for place in self._places.get(digest, ()):
            self._file.seek(place)
            data = json.loads(self._file.readline())
            facts, times = data["facts"] or facts, data["times"] if data["facts"] or not times else times
            rows |= {key: _row(row) for key, row in data["rows"].items()}
            attempts += data["attempts"]
        if not attempts:
            return None
        seconds = {name: float(times[name]) for name in _NUMBERS}
        return Made(facts, rows, **seconds, store_bytes=times["store_bytes"]), attempts

    def put(self, digest: str, made: Made, attempts: int) -> None:
        """Append a result.

        Raises
        ------
        StemscanError
            When the system refuses to write.
        """
        data = {
            "acquisition": digest,
            "facts": dict(made.facts),
            "rows": {key: _plain(row) for key, row in made.rows.items()},
            "times": {name: encoded(getattr(made, name)) for name in (*_NUMBERS, "store_bytes")},
            "attempts": attempts,
        }
        line = json.dumps(data, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            place = self._file.seek(0, os.SEEK_END)
            self._file.write(line)
            self._file.flush()
            if time.monotonic() - self._synced > _SYNC_S:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as problem:
            raise StemscanError(f"expected to write {str(self.path)!r}, got: {refusal(problem)}") from problem
        self._note(data, place)

    def _read_all(self) -> None:
        """Note where each result is; end a line that was being written when its process was killed."""
        place, line = 0, b"\n"
        for line in self._file:
            with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
                data = json.loads(line)
                for row in data["rows"].values():
                    _row(row)
                if line.endswith(b"\n") and data["attempts"] > 0 and isinstance(data["facts"], dict):
                    self._note(data, place)
            place += len(line)
        if not line.endswith(b"\n"):
            self._file.seek(0, os.SEEK_END)
            self._file.write(b"\n")
            self._file.flush()

    def _note(self, data: Mapping[str, Any], place: int) -> None:
        """Remember a result's place and the contenders that did not fail."""
        digest = str(data["acquisition"])
        good = {key for key, row in data["rows"].items() if not row["measured"]["error"]}
        known = frozenset((self.done(digest) - data["rows"].keys()) | good)
        self._places[digest] = (*self._places.get(digest, ()), place)
        self._done[digest] = self._sets.setdefault(known, known)


def _locked(handle: int) -> bool:
    """Lock a file; False where another process has locked it. One of a file system without locks counts as locked."""
    try:
        return lock(handle)
    except OSError:
        return True


def _plain(row: Row) -> dict[str, Any]:
    """A row as JSON has it."""
    measured = {field.name: encoded(getattr(row.measured, field.name)) for field in fields(Measured)}
    figures = {name: encoded(value) for name, value in row.figures.items()}
    return {"measured": measured, "figures": figures, **{name: encoded(getattr(row, name)) for name in _NUMBERS}}


def _row(data: Mapping[str, Any]) -> Row:
    """A row from JSON."""
    measured = Measured(**{field.name: decoded(field.type, data["measured"][field.name]) for field in fields(Measured)})
    figures = {str(name): float(value) for name, value in data["figures"].items()}
    return Row(measured, figures, **{name: float(data[name]) for name in _NUMBERS})
