"""Error bars of columns by how far regular ones stand from their sites, for `stemscan.recon.columns.prior`.

    python -m benchmarks.regular_columns [--columns 130 500] [--seeds 12]

Everything is simulated: a fifth of the columns are displaced by 2.5 errors of the fit, the others by the spread named,
from sites whose own error is sqrt(1 / 20) of the fit's. Shares of empirical-Bayes errors within one and two of the
errors with which images are drawn, in per cent, of all columns and of regular ones.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt

from stemscan.recon.columns.prior import shrink

SPREADS = (0.0, 0.14, 0.22, 0.32, 0.45, 0.71)
_DISPLACED, _BY, _SITES = 0.2, 2.5, 0.05


def covered(columns: int, spread: float, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Errors over those claimed, (columns, 2), and which columns are displaced."""
    random = np.random.default_rng(seed)
    displaced = random.random(columns) < _DISPLACED
    moved = np.where(displaced, _BY, spread)[:, None] * random.normal(size=(columns, 2))
    fit, site = random.normal(size=(columns, 2)), np.sqrt(_SITES) * random.normal(size=(columns, 2))
    found = shrink(moved + fit - site, np.tile((1 + _SITES) * np.eye(2), (columns, 1, 1)))
    return np.abs(found.mean + site - moved) / np.sqrt(found.half**2 + _SITES), displaced


def main() -> None:
    """Print a row a number of columns and spread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, nargs="+", default=[130, 500], help="of a lattice")
    parser.add_argument("--seeds", type=int, default=12)
    given = parser.parse_args()
    print("columns  spread over error   all  regular, within 1 and 2")
    for columns in given.columns:
        for spread in SPREADS:
            several = [covered(columns, spread, seed) for seed in range(given.seeds)]
            off, displaced = (np.concatenate(parts) for parts in zip(*several, strict=True))
            shares = [[round(100 * (one <= far).mean()) for far in (1, 2)] for one in (off, off[~displaced])]
            print(f"{columns:7}  {spread:17.2f}   {shares[0][0]}, {shares[0][1]}  {shares[1][0]}, {shares[1][1]}")


if __name__ == "__main__":
    main()
