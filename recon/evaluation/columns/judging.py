"""One case of the task of columns: the scan, what the contender makes of it, and what that says of each column."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from stemscan.recon.columns.find import find_columns
from stemscan.recon.evaluation.columns.found import Found, found_in_picture, found_in_table, known_arrays
from stemscan.recon.evaluation.columns.known import Known, known_columns
from stemscan.recon.evaluation.columns.strata import STRATA, pixel_coverage
from stemscan.recon.evaluation.contenders import Contender
from stemscan.recon.evaluation.images import loaded
from stemscan.recon.evaluation.scans import scanned, scans_of
from stemscan.recon.inputs.inputs import Inputs, Noise
from stemscan.recon.threads import limit_threads
from stemscan.simulators.api import sampled_frames

if TYPE_CHECKING:
    from stemscan.recon.columns.table import ColumnTable
    from stemscan.recon.evaluation.cases import Case
    from stemscan.recon.evaluation.scans import Made
    from stemscan.types import Image

__all__ = ["judged_picture", "judged_table"]

_ANY = Contender("", "")
_RASTER = Contender("", "", judged="raster")


def judged_picture(case: Case, threads: int) -> tuple[Made, Image, Found]:
    """A contender's picture, the truth, and what the picture says of the columns."""
    made, truth = scans_of(case.cell.noise).reconstructed(case, threads)
    known, table, _ = _told(_scan_of(case), threads)
    found = found_in_picture(known, made.image)
    strata = pixel_coverage(known, table, made.image, made.std, truth)
    return made, truth, {**known_arrays(known), **found, "strata": strata}


def judged_table(case: Case, threads: int) -> tuple[float, Found]:
    """Seconds, and what fitted columns say: of the case's scan, or of a full raster of as many electrons."""
    kept = _scan_of(case)
    if case.contender.judged == "raster":
        kept = replace(kept, contender=_RASTER)
    known, table, seconds = _told(kept, threads)
    found = found_in_table(known, table, posterior=case.contender.judged == "posterior")
    return seconds, {**known_arrays(known), **found, "strata": np.full((len(STRATA), 4), np.nan)}


def _scan_of(case: Case) -> Case:
    """The case without what does not change its scan."""
    return replace(case, contender=_ANY, device="cpu")


@lru_cache(maxsize=3)
def _told(case: Case, threads: int) -> tuple[Known, ColumnTable, float]:
    """Knowledge of a scan, and the table of fitted columns with its seconds; the last ones are kept."""
    inputs = _raster(case, threads) if case.contender.judged == "raster" else scanned(case, threads)
    specimen = loaded(case.image).specimen
    assert specimen is not None
    known = known_columns(specimen, inputs)
    with limit_threads(threads):
        start = time.perf_counter()
        table = find_columns(inputs)
        return known, table, time.perf_counter() - start


def _raster(case: Case, threads: int) -> Inputs:
    """A full raster of one pass with the electrons of the case's scan."""
    from stemscan.plan.scan_plan import ScanPlan

    plan = case.plan()
    dose = plan.electrons_per_sample * plan.samples_per_pass * plan.passes / (plan.shape[0] * plan.shape[1])
    full = ScanPlan.from_dict(
        {**plan.to_dict(), "pattern": {"kind": "raster"}, "passes": 1, "dose": {"electrons_per_sample": dose}}
    )
    noise: Noise = "eq5" if case.cell.noise == "eq5" else "poisson"
    image = loaded(case.image)
    frames, visits = sampled_frames(image.fine, full, noise=noise, seed=case.scan_seed, threads=threads)
    return Inputs.from_arrays(frames, visits, dose, noise=noise, pixel_size_nm=image.pixel_size_nm)
