"""One case: scan the image, reconstruct, measure. Runs in any process; what it gives depends on the case alone."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import StemscanError
from stemscan.recon.evaluation.cases import PUBLISHED, Case
from stemscan.recon.evaluation.contenders import ORACLE, Contender
from stemscan.recon.evaluation.images import ImageSource, loaded
from stemscan.recon.evaluation.rows import Measured, measure
from stemscan.recon.inputs.inputs import Inputs, input_bytes
from stemscan.recon.metrics import BYTES_A_PIXEL as COMPARED
from stemscan.recon.paper.contender import reconstruct_published
from stemscan.recon.paper.protocol import PublishedScan, published_scan
from stemscan.recon.registry import METHODS, reconstruct
from stemscan.recon.threads import limit_threads
from stemscan.simulators.api import sampled_frames

__all__ = ["Outcome", "case_bytes", "normalised", "published_draw", "run_case", "scanned"]

Image = npt.NDArray[np.float32]

_ANY = Contender("", "")

_PROCESS: Final = 2e8
"""Bytes of a process with torch loaded that it shares with no other."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a case.

    Attributes
    ----------
    measured : Measured
    image : ndarray of float16, (H, W), or None
        The reconstruction for a picture, where it was asked for; [0, 1] is the range of the truth.
    threads : int
        Threads that the method could use.
    """

    measured: Measured
    image: npt.NDArray[np.float16] | None
    threads: int


def case_bytes(case: Case) -> float:
    """Memory that a case takes in a process of its own, by the parts that it is made of."""
    shape, passes = case.image.shape, case.passes
    method = METHODS.get(case.contender.method)
    needed = max(0 if method is None else method.bytes_needed(shape), COMPARED * math.prod(shape))
    return _PROCESS + needed + input_bytes(shape, passes)


def run_case(case: Case, threads: int = 1, keep_image: bool = False) -> Outcome:
    """Run a case; a method that fails is a row, too.

    Parameters
    ----------
    case : Case
    threads : int
        Threads at most.
    keep_image : bool
        Whether to give the image, too.

    Returns
    -------
    Outcome
    """
    try:
        made, truth = _published(case, threads) if case.cell.noise == PUBLISHED else _scanned(case, threads)
        measured = measure(made.image, truth, made.std, made.seconds, made.factor)
    except Exception as problem:  # noqa: BLE001 - whatever a method raises, the others go on
        kind = "" if isinstance(problem, StemscanError) else f"{type(problem).__name__}: "
        return Outcome(Measured(error=" ".join(f"{kind}{problem}".split())[:500]), None, threads)
    image = made.image.clip(-100, 100).astype(np.float16) if keep_image else None
    return Outcome(measured, image, threads)


@dataclass(frozen=True, eq=False)
class _Made:
    """A reconstruction on the truth's grid and scale."""

    image: Image
    std: Image | None
    seconds: float
    factor: int


def _scanned(case: Case, threads: int) -> tuple[_Made, Image]:
    """Reconstruct a scan on the absolute scale; and the truth."""
    inputs, truth = scanned(case, threads), loaded(case.image).fine
    if case.contender.method == ORACLE:
        return _oracle(inputs, truth, case.device, threads), truth
    done = reconstruct(inputs, case.contender.method, threads=threads, **_arguments(case.contender, case.device))
    return _Made(done.image, done.std, done.seconds, done.native_factor), truth


def _arguments(contender: Contender, device: str) -> dict[str, Any]:
    """Weights, device and settings of a contender."""
    arguments: dict[str, Any] = {"device": device, **dict(contender.settings)}
    if METHODS[contender.method].needs_weights:
        arguments["weights"] = contender.weights
    return arguments


def _oracle(inputs: Inputs, truth: Image, device: str, threads: int) -> _Made:
    """The spectral oracle."""
    from stemscan.recon.fourier_eb.spectral_oracle import spectral_oracle

    with limit_threads(threads):
        began = time.perf_counter()
        image = spectral_oracle(
            inputs.S, inputs.V, inputs.electrons_per_sample, truth.copy(), noise=inputs.noise, device=device
        )
        return _Made(image, None, time.perf_counter() - began, 1)


def _published(case: Case, threads: int) -> tuple[_Made, Image]:
    """Reconstruct a draw of the published protocol; and its truth, with [0, 1] as its range."""
    drawn = published_draw(case)
    made = reconstruct_published(drawn, case.cell.dose, case.contender, device=case.device, threads=threads)
    return _Made(normalised(made.image, drawn.truth), None, made.seconds, made.factor), normalised(
        drawn.truth, drawn.truth
    )


def normalised(image: Image, truth: Image) -> Image:
    """An image shifted and scaled as brings the truth to [0, 1], so that PSNR's data range is the truth's."""
    low, span = float(truth.min()), float(np.ptp(truth))
    scaled: Image = ((image.astype(np.float64) - low) / span).astype(np.float32)
    return scaled


def scanned(case: Case, threads: int = 1) -> Inputs:
    """The scan of a case's image, the same for all contenders.

    Parameters
    ----------
    case : Case
        Of noise "poisson" or "eq5".
    threads : int
        Threads of the detector; the scan does not depend on it.

    Returns
    -------
    Inputs
        Without truth.
    """
    return _scan(replace(case, contender=_ANY, device="cpu"), threads)


def published_draw(case: Case) -> PublishedScan:
    """The draw of the published protocol of a case's image, the same for all contenders."""
    cell = case.cell
    return _draw(case.image, cell.samples_per_block, cell.dose, case.scan_seed)


@lru_cache(maxsize=2)
def _scan(case: Case, threads: int) -> Inputs:
    """Counts and visits of a scan; the last ones are kept."""
    noise: Any = case.cell.noise
    image, plan = loaded(case.image), case.plan()
    frames, visits = sampled_frames(image.fine, plan, noise=noise, seed=case.scan_seed, threads=threads)
    return Inputs.from_arrays(frames, visits, case.cell.dose, noise=noise, pixel_size_nm=image.pixel_size_nm)


@lru_cache(maxsize=2)
def _draw(image: ImageSource, samples_per_block: int, dose: float, seed: int) -> PublishedScan:
    """A draw of the published protocol; the last ones are kept."""
    coarse = loaded(image).coarse
    rows, columns = (side // 4 * 4 for side in coarse.shape)
    return published_scan(coarse[:rows, :columns], samples_per_block, dose, seed)
