"""One case: scan the image, reconstruct, measure. Runs in any process; what it gives depends on the case alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import StemscanError
from stemscan.recon.evaluation.cases import Case
from stemscan.recon.evaluation.rows import Measured, measure
from stemscan.recon.evaluation.scans import scans_of
from stemscan.recon.inputs.reading import input_bytes
from stemscan.recon.metrics import BYTES_A_PIXEL as COMPARED

__all__ = ["Outcome", "case_bytes", "failure_text", "run_case"]

_PROCESS: Final = 2e8
"""Bytes of a process with torch loaded that it shares with no other."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Result of a case.

    Attributes
    ----------
    image : ndarray of float16, (H, W), or None
        The reconstruction for a picture, where it was asked for; [0, 1] is the range of the truth.
    threads : int
        Threads that the method could use.
    found : dict of str to ndarray, or None
        In the task of columns: what is known and what was found of each column.
    """

    measured: Measured
    image: npt.NDArray[np.float16] | None
    threads: int
    found: Mapping[str, npt.NDArray[np.float64]] | None = None


def case_bytes(case: Case) -> float:
    """Memory that a case takes in a process of its own, by the parts that it is made of."""
    shape, passes = case.image.shape, case.passes
    needed = max(case.contender.find().bytes_needed(shape), COMPARED * math.prod(shape))
    return _PROCESS + needed + input_bytes(shape, passes)


def failure_text(problem: BaseException) -> str:
    """Reason of a failure on one line; of an error that is not ours, with its class."""
    kind = "" if isinstance(problem, StemscanError) else f"{type(problem).__name__}: "
    return " ".join(f"{kind}{problem}".split())[:500]


def run_case(case: Case, threads: int = 1, keep_image: bool = False) -> Outcome:
    """Run a case; a method that fails is a row, too.

    Parameters
    ----------
    threads : int
        Threads at most.
    keep_image : bool
        Give the image, too.
    """
    found = None
    try:
        if case.contender.judged != "picture":
            from stemscan.recon.evaluation.columns.judging import judged_table

            seconds, found = judged_table(case, threads)
            return Outcome(Measured(seconds=seconds, factor=1), None, threads, found)
        if case.image.set == "columns":
            from stemscan.recon.evaluation.columns.judging import judged_picture

            made, truth, found = judged_picture(case, threads)
        else:
            made, truth = scans_of(case.cell.noise).reconstructed(case, threads)
        measured = measure(made.image, truth, made.std, made.seconds, made.factor)
    except Exception as problem:  # noqa: BLE001 - whatever a method raises, the others go on
        return Outcome(Measured(error=failure_text(problem)), None, threads)
    image = made.image.clip(-100, 100).astype(np.float16) if keep_image else None
    return Outcome(measured, image, threads, found)
