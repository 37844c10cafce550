"""Reconstruction from fitted columns: their posterior mean, and a Gaussian process for all that is no column.

The columns are those of `stemscan columns`, found from the peaks of the Fourier analysis and the counts themselves.
What the counts say beyond the columns is analysed like a scan of its own (`stemscan.recon.fourier_eb.analysis`, with
the columns' image as what is known already) and added. What is still left and the counts show in many places together
comes last: in all cells of a lattice (`stemscan.recon.columns.cell`), around all columns of crystals
(`stemscan.recon.columns.halo`). It is last because contrast that varies over a field is better told by the process,
and what is the same everywhere too faint for it. Where no column is found, the image is that of `fourier-eb`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from stemscan.recon.columns.cell import repeated
from stemscan.recon.columns.find import finding
from stemscan.recon.columns.finding import Finding
from stemscan.recon.columns.halo import halo
from stemscan.recon.columns.image import Drawn, drawn_columns, paint, spread
from stemscan.recon.fourier_eb.analysis import analyse
from stemscan.recon.fourier_eb.method import fourier_eb
from stemscan.recon.fourier_eb.shared import analysed
from stemscan.recon.inputs.grids import upsample, upsample_linear
from stemscan.recon.reconstruction import Estimate
from stemscan.runtime.work import part

if TYPE_CHECKING:
    import numpy.typing as npt

    from stemscan.recon.fourier_eb.analysis import FourierAnalysis
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["columns", "columns_estimate"]

_AROUND = 0.4
"""Width of local means over the distance of the background's nodes, which is two and a half distances of columns."""
_LEAST_SIGNAL = 0.02
"""Share of the mean below which no signal is taken to fall where it decides the noise."""


def columns(inputs: Inputs, *, device: str = "cpu") -> Estimate:
    """Reconstruct by fitted columns.

    Parameters
    ----------
    device : str
        Of torch, for the Fourier analysis.

    Returns
    -------
    Estimate
        Image and standard deviation on the scan grid; the variance is that of the columns, of the background under them
        and of the Gaussian process. Where no column is found, that of `fourier-eb`.
    """
    return columns_estimate(inputs, device, with_std=True)


def columns_estimate(inputs: Inputs, device: str, *, with_std: bool) -> Estimate:
    """As `columns`, or without the standard deviation where columns were found."""
    whole, dose = inputs.whole, inputs.electrons_per_sample
    with part(0.08):
        pilot = analysed(whole.S, whole.V, dose, noise=whole.noise, device=device)
    unclipped = bool(whole.S.min() < 0)
    with part(0.56):
        found = finding(whole, _on_plan(pilot.image, pilot, whole.shape))
    if isinstance(found, str):
        return replace(fourier_eb(whole, device=device), settings=_settings(found))
    shown = drawn_columns(found)
    drawn, variance = paint(found, shown)
    with part(0.06):
        rest = analyse(whole.S, whole.V, dose, noise=whole.noise, device=device, prior=drawn)
    image = drawn + _on_plan(rest.image, rest, whole.shape)
    common, uncertain = _common(found, shown, whole, image)
    image = image + common
    image = image if unclipped else np.maximum(image, np.float32(0))
    if not with_std:
        return Estimate(image=image, settings=_settings(found))
    beyond = _on_plan(rest.std, rest, whole.shape, linear=True) * _dimmed(image, found.model.spacing)
    std = np.hypot(np.hypot(spread(found, variance), beyond), uncertain)
    return Estimate(image=image, std=std, settings=_settings(found))


def _common(
    found: Finding, shown: Drawn, inputs: Inputs, image: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Signal that cells of lattices, and their columns, have in common beyond an image, and its standard deviation."""
    if not found.lattices:  # what was taken for columns may be anything
        return np.zeros_like(image), np.zeros_like(image)
    noisy = np.maximum(image + found.scan.raised, _LEAST_SIGNAL * max(inputs.mean, 1e-12)).astype(np.float64)
    a_visit = inputs.electrons_per_sample / noisy ** (2 if inputs.noise == "eq5" else 1)
    known, pull = a_visit * inputs.V, a_visit * (inputs.S - inputs.V * image)
    cells, of_cells = repeated(found, pull, known)
    around, of_rings = halo(found.model, shown, pull - known * cells, known)
    return (cells + around).astype(np.float32), np.sqrt(of_cells + of_rings).astype(np.float32)


def _dimmed(image: npt.NDArray[np.float32], spacing: float) -> npt.NDArray[np.float32]:
    """Factor of the standard deviation of what is no column: where there is less matter there is less of that.

    The process has one power for the whole image, too much for vacuum. Of local means below the image's own the square
    root is taken, to which the variance is in proportion: errors in vacuum are smaller than without a factor, and
    larger than if the variance were in proportion to the mean itself.
    """
    local = gaussian_filter(image, _AROUND * spacing, mode="nearest")
    return np.asarray(np.clip(local / max(float(image.mean()), 1e-12), 0, 1) ** 0.25, np.float32)


def _on_plan(
    image: npt.NDArray[np.float32], analysis: FourierAnalysis, shape: tuple[int, int], *, linear: bool = False
) -> npt.NDArray[np.float32]:
    """An image of an analysis on the plan's grid."""
    if analysis.factor == 1:
        return image
    return upsample_linear(image, analysis.factor, shape) if linear else upsample(image, analysis.factor, shape)


def _settings(found: Finding | str) -> dict[str, Any]:
    """Numbers of columns and lattices."""
    if isinstance(found, str):
        return {"columns": 0, "lattices": 0}
    return {"columns": int(found.inside.sum()), "lattices": len(found.lattices)}
