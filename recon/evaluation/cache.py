"""Rows on disk, one file a case, under the case's digest.

A file appears whole or not at all, so whatever ends an evaluation, what was computed stays; a file that cannot be read
counts as missing. A failure is kept to be shown, and tried again by the next run.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from stemscan.errors import StemscanError
from stemscan.files.writing import write_file, write_text
from stemscan.recon.evaluation.cases import Case
from stemscan.recon.evaluation.implementation import code_of
from stemscan.recon.evaluation.rows import Measured
from stemscan.recon.evaluation.run import Outcome

__all__ = ["Cache", "CachedRow", "decoded", "encoded"]

_SCHEMA: Final = 1


@dataclass(frozen=True)
class CachedRow:
    """Content of the cache for a case.

    Attributes
    ----------
    threads : int
        Threads that the method could use.
    code : str
        Digest of the code that computed it.
    """

    measured: Measured
    threads: int
    code: str


class Cache:
    """Folder of rows and of the images that pictures need.

    Parameters
    ----------
    folder : Path
        Made where it is missing, if its parent exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(exist_ok=True)  # another evaluation may make it at the same moment
        except OSError as problem:
            raise StemscanError(
                f"expected to make the folder {str(folder)!r}, got: {problem.strerror}; choose another"
            ) from problem

    def get(self, case: Case) -> CachedRow | None:
        """The row of a case; None where there is no sound one."""
        try:
            data = json.loads(self._path(case, "json").read_text(encoding="utf-8"))
            if data["schema"] != _SCHEMA or data["digest"] != case.digest:
                return None
            measured = {field.name: decoded(field.type, data["measured"][field.name]) for field in fields(Measured)}
            return CachedRow(Measured(**measured), int(data["threads"]), str(data["code"]))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    def put(self, case: Case, outcome: Outcome) -> CachedRow:
        """Keep what came of a case, at once and whole."""
        row = CachedRow(outcome.measured, outcome.threads, code_of(case.contender))
        scores = {field.name: getattr(outcome.measured, field.name) for field in fields(Measured)}
        data = {
            "schema": _SCHEMA,
            "digest": case.digest,
            "measured": {name: encoded(value) for name, value in scores.items()},
            "threads": row.threads,
            "code": row.code,
            "case": {
                "image": case.image.name,
                "noise": case.cell.noise,
                "samples_per_block": case.cell.samples_per_block,
                "dose": case.cell.dose,
                "method": case.contender.method,
                "settings": dict(case.contender.settings),
                "weights_sha256": case.contender.weights_sha256,
            },
        }
        self._path(case, "json").parent.mkdir(exist_ok=True)
        image = outcome.image
        if image is not None:
            write_file(self._path(case, "npy"), lambda path: np.save(path, image), overwrite=True)
        if outcome.found is not None:
            found = {name: np.asarray(values) for name, values in outcome.found.items()}
            write_file(self._path(case, "npz"), partial(_write_arrays, found), overwrite=True)
        write_text(self._path(case, "json"), json.dumps(data, indent=1, allow_nan=False) + "\n", overwrite=True)
        return row

    def image(self, case: Case) -> npt.NDArray[np.float32] | None:
        """The kept image of a case, where there is a whole one."""
        with suppress(OSError, ValueError, EOFError):
            image = np.load(self._path(case, "npy"), allow_pickle=False)
            if image.ndim == 2 and image.dtype == np.float16:
                found: npt.NDArray[np.float32] = image.astype(np.float32)
                return found
        return None

    def found(self, case: Case) -> dict[str, npt.NDArray[np.float64]] | None:
        """Findings of a case of the task of columns, where there is a whole file of them."""
        with suppress(OSError, ValueError, EOFError, BadZipFile), np.load(self._path(case, "npz")) as arrays:
            return {name: np.asarray(arrays[name], np.float64) for name in arrays.files}
        return None

    def has_found(self, case: Case) -> bool:
        """Tell whether there is all that a case needs beside its row: of the task of columns, what it found."""
        return case.image.set != "columns" or self._path(case, "npz").is_file()

    def has_image(self, case: Case) -> bool:
        """Tell whether an image of the case is kept."""
        return self._path(case, "npy").is_file()

    def _path(self, case: Case, suffix: str) -> Path:
        """Path of a case."""
        return self.folder / case.digest[:2] / f"{case.digest}.{suffix}"


def _write_arrays(arrays: dict[str, npt.NDArray[np.float64]], path: Path) -> None:
    """Write arrays by their names."""
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def encoded(value: Any) -> Any:
    """A value as JSON has it: infinity and NaN as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def decoded(kind: Any, value: Any) -> Any:
    """The value of a field from JSON."""
    return {"float": float, "int": int, "str": str}[kind](value)
