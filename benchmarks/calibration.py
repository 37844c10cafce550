"""Gain, offset and read noise found by `calibrate` against those that made the readings, at 100,000 pairs.

    python -m benchmarks.calibration

An analogue detector of gain 12, offset 100 and read noise 6 reads two full scans of each specimen at 10 electrons a
sample.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import stemscan as ss
from stemscan.recon.calibration.calibration import calibrate_readings
from stemscan.simulators.session import virtual_microscope

SPECIMENS: Final = ("crystal:SrTiO3[001]", "synthetic:5/3")
SIDE: Final = 316
GAIN, OFFSET, READ, DOSE = 12.0, 100.0, 6.0, 10.0
SEEDS: Final = 4


def main() -> None:
    """Print the table: RMS errors over seeds, and the mean of those that were told."""
    print("| specimen | known | gain, % | told | largest | offset | told | read noise | told |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    plan = ss.ScanPlan(
        pattern=ss.Raster(), shape=(SIDE, SIDE), passes=2, dwell="1us", dose=ss.Dose(electrons_per_sample=DOSE),
        pixel_size="0.02nm", seed=1,
    )  # fmt: skip
    places = np.tile(np.argwhere(np.ones((SIDE, SIDE), bool)), (2, 1))
    for specimen in SPECIMENS:
        signal = virtual_microscope(plan, specimen).specimen.signal.ravel().astype(np.float64)
        for known in ("nothing", "offset", "dark readings"):
            errors = []
            for seed in range(SEEDS):
                rng = np.random.default_rng(seed)
                noise = [READ * rng.standard_normal(SIDE**2) for _ in range(2)]
                readings = np.concatenate([OFFSET + GAIN * rng.poisson(DOSE * signal) + one for one in noise])
                dark = np.rint(OFFSET + READ * rng.standard_normal(10_000))
                beside: dict[str, Any] = {"offset": OFFSET} if known == "offset" else {}
                beside |= {"dark": dark} if known == "dark readings" else {}
                starts = (0, SIDE**2, 2 * SIDE**2)
                made = calibrate_readings(np.rint(readings), places, starts, (SIDE, SIDE), **beside)
                off = (100 * (made.gain / GAIN - 1), made.offset - OFFSET, made.read_noise - READ)
                errors.append((*off, 100 * made.gain_error / GAIN, made.offset_error, made.read_noise_error))
            table = np.array(errors)
            (gain, offset, read), told = np.sqrt((table[:, :3] ** 2).mean(axis=0)), table[:, 3:].mean(axis=0)
            largest = np.abs(table[:, 0]).max()
            print(
                f"| {specimen} | {known} | {gain:.2f} | {told[0]:.2f} | {largest:.2f} | {offset:.2f} | {told[1]:.2f} | "
                f"{read:.2f} | {told[2]:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
