"""Figures that the FSHNet paper prints, to stand beside ours.

He, Zhang, Zhang, Han: "A Hybrid Frequency-Spatial Domain Model for Sparse Image Reconstruction in Scanning Transmission
Electron Microscopy" (ICCV 2021), Tables 1 to 4. PSNR in dB is after min-max normalisation of estimate and truth, each
on its own; mean over the authors' 45 synthetic images, which are not ours. Ratios are given as samples of 64.
"""

from __future__ import annotations

from typing import Final

from stemscan.recon.evaluation.printed import Printed, Score, Scores

__all__ = ["METHOD_NAMES", "PARAMETERS", "PRINTED", "SECONDS", "TABLE_1", "TABLE_3", "TABLE_4"]

METHOD_NAMES: Final = {"bpfa": "BPFA", "csnet": "CSNet", "reconnet": "ReconNet", "fshnet": "FSHNet"}
"""Our names of methods, and the paper's."""

TABLE_1: Final[dict[tuple[str, int, float], Score]] = {
    (method, samples, dose): score
    for method, scores in {
        "BPFA": (
            ((9.973, 0.357), (10.22, 0.377)),
            ((11.03, 0.458), (11.16, 0.480)),
            ((11.26, 0.485), (11.40, 0.503)),
            ((11.14, 0.486), (11.53, 0.521)),
            ((11.29, 0.491), (11.70, 0.529)),
            ((11.27, 0.487), (12.00, 0.540)),
        ),
        "CSNet": (
            ((18.28, 0.638), (17.80, 0.625)),
            ((18.38, 0.652), (18.47, 0.655)),
            ((18.74, 0.664), (18.75, 0.665)),
            ((18.44, 0.657), (18.85, 0.668)),
            ((18.77, 0.664), (18.93, 0.669)),
            ((18.77, 0.662), (19.02, 0.671)),
        ),
        "ReconNet": (
            ((15.70, 0.472), (16.01, 0.531)),
            ((15.98, 0.506), (16.58, 0.553)),
            ((15.98, 0.506), (16.49, 0.555)),
            ((15.79, 0.505), (16.59, 0.558)),
            ((16.39, 0.527), (16.44, 0.557)),
            ((16.44, 0.527), (16.58, 0.560)),
        ),
        "FSHNet": (
            ((25.22, 0.818), (25.38, 0.836)),
            ((25.85, 0.847), (25.67, 0.854)),
            ((26.08, 0.856), (26.67, 0.868)),
            ((26.45, 0.867), (27.55, 0.875)),
            ((26.34, 0.874), (27.85, 0.885)),
            ((27.24, 0.882), (27.90, 0.885)),
        ),
    }.items()
    for samples, pair in enumerate(scores, start=1)
    for dose, score in zip((10.0, 25.0), pair, strict=True)
}
"""Table 1, by method, samples of 64 and dose: weights trained at each ratio and dose."""

SECONDS: Final = {"CSNet": 0.4824, "ReconNet": 0.5518, "FSHNet": 0.3788, "BPFA": 74465.0}
"""Table 2: seconds per image; networks on an RTX 3080, BPFA on a Core i9-9980."""

PARAMETERS: Final = {"CSNet": 428936, "ReconNet": 40578, "FSHNet": 161761}
"""Table 2: number of parameters."""

TABLE_3: Final[dict[tuple[str, int], Score]] = {
    (method, samples): score
    for method, scores in {
        "BPFA": ((9.973, 0.357), (11.03, 0.458), (11.23, 0.485), (11.14, 0.486), (11.29, 0.491), (11.27, 0.487)),
        "CSNet": ((17.80, 0.616), (18.42, 0.649), (18.62, 0.658), (18.74, 0.664), (18.81, 0.666), (18.80, 0.668)),
        "ReconNet": ((15.59, 0.508), (15.91, 0.522), (16.24, 0.527), (16.18, 0.528), (15.87, 0.520), (16.06, 0.525)),
        "FSHNet": ((21.22, 0.726), (25.39, 0.845), (26.72, 0.866), (26.84, 0.867), (26.92, 0.873), (26.80, 0.873)),
    }.items()
    for samples, score in enumerate(scores, start=1)
}
"""Table 3, by method and samples of 64: weights trained at 3 of 64, dose 10."""

TABLE_4: Final[dict[tuple[str, int], Score]] = {
    (variant, samples): score
    for variant, scores in {
        "FSHNet": ((21.22, 0.726), (25.39, 0.845), (26.72, 0.866), (26.84, 0.867), (26.92, 0.873), (26.80, 0.872)),
        "without non-local": (
            (19.97, 0.657),
            (23.89, 0.802),
            (25.86, 0.845),
            (26.54, 0.860),
            (26.67, 0.864),
            (26.96, 0.867),
        ),
        "without structure prior": (
            (20.83, 0.657),
            (24.71, 0.79),
            (25.84, 0.838),
            (26.02, 0.853),
            (26.14, 0.861),
            (26.08, 0.866),
        ),
        "without frequency initialisation": (
            (21.05, 0.663),
            (22.10, 0.700),
            (22.07, 0.708),
            (22.18, 0.711),
            (22.28, 0.711),
            (22.22, 0.712),
        ),
        "linear initialisation": (
            (19.02, 0.634),
            (21.02, 0.757),
            (22.07, 0.793),
            (22.13, 0.807),
            (22.42, 0.812),
            (22.70, 0.815),
        ),
    }.items()
    for samples, score in enumerate(scores, start=1)
}
"""Table 4, by variant and samples of 64: weights trained at 3 of 64, dose 10."""

_DOSE: Final = 10.0  # of Tables 3 and 4


def _columns(table: dict[tuple[str, int, float], Score]) -> dict[str, Scores]:
    """A table's scores by its columns."""
    names = dict.fromkeys(name for name, _, _ in table)
    return {name: {(n, d): score for (own, n, d), score in table.items() if own == name} for name in names}


def _at_dose(table: dict[tuple[str, int], Score]) -> dict[tuple[str, int, float], Score]:
    """A table of one dose with the dose in its keys."""
    return {(name, samples, _DOSE): score for (name, samples), score in table.items()}


PRINTED: Final = Printed(
    names=METHOD_NAMES,
    note="Columns that end in *paper* are the FSHNet paper's own figures, on its own images.",
    costs="The paper's: RTX 3080, BPFA on a Core i9-9980.",
    conditions=_columns(TABLE_1),
    robustness=_columns(_at_dose(TABLE_3)),
    variants=_columns(_at_dose(TABLE_4)),
    varied="fshnet",
    seconds=SECONDS,
    parameters=PARAMETERS,
    noises=("eq5", "published"),
)
"""The paper's figures for the tables and curves of `stemscan.recon.evaluation`."""
