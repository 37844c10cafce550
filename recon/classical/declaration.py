"""Methods that need no learning."""

from __future__ import annotations

from typing import Final

from stemscan.recon.method import Method

__all__ = ["METHODS"]

_ROOM: Final = "stemscan.recon.classical"

METHODS: Final = (
    Method(
        "normconv",
        f"{_ROOM}.normalised_convolution:normconv",
        "Gaussian normalised convolution, width by cross-validation",
        gives_std=True,
        beside=True,
        memory=(32, 0),
        cost=1.5,
        rank=4,
    ),
    Method(
        "iht",
        f"{_ROOM}.iht:iht",
        "Fourier iterative hard thresholding: the few strongest coefficients, their number by cross-validation",
        memory=(64, 0),
        cost=2,
        rank=5,
    ),
    Method(
        "lowpass",
        f"{_ROOM}.lowpass:lowpass",
        "low-pass of the summed samples, measured means blended in: equations 10 and 11 of He et al. 2021",
        memory=(17, 0),
        cost=0.2,
        rank=7,
    ),
    Method(
        "linear",
        f"{_ROOM}.interpolation:linear",
        "linear interpolation on the Delaunay triangles of the samples",
        memory=(22, 4e7),
        cost=1,
        rank=8,
    ),
    Method(
        "nearest", f"{_ROOM}.interpolation:nearest", "value of the nearest sample", memory=(16, 0), cost=0.5, rank=9
    ),
    Method(
        "constant",
        f"{_ROOM}.interpolation:constant",
        "the mean of all samples everywhere",
        beside=True,
        memory=(4, 0),
        cost=0.1,
        rank=10,
    ),
)
