"""Gain of reconstruction from knowing where the beam really was, beside believing what it was commanded.

A crystal is scanned in passes of 3 samples in each 8 x 8 block, in serpentine blocks, by a beam that lags behind its
path. Each scan is reconstructed twice: with samples at their actual and at their commanded positions. PSNR is absolute,
against the specimen, and the mean over seeds; the last column is the root mean square of error over predicted standard
deviation, with actual positions.

    python -m benchmarks.coil_lag [--side 384] [--dwell 2] [--seeds 1 2] [--methods NAME ...] [--band-limit 0.36]
"""

from __future__ import annotations

import argparse

import numpy as np

from stemscan.hardware.coil_lag import actual_positions
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import compare
from stemscan.recon.reconstruction import Reconstruction
from stemscan.recon.run import reconstruct
from stemscan.simulators.api import Specimen, VirtualMicroscope, render_crystal

TAUS_US = (0, 5, 30, 220)


def plan_of(side: int, dwell_us: float, seed: int) -> ScanPlan:
    """Four passes of 4.69 %, ten electrons per sample."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "order": {"kind": "serpentine-blocks"},
            "shape": [side, side],
            "passes": 4,
            "dwell_ns": round(1000 * dwell_us),
            "dose": {"electrons_per_sample": 10},
            "pixel_size_nm": 0.02,
            "seed": seed,
        }
    )


def scan(plan: ScanPlan, specimen: Specimen, tau_us: float, seed: int) -> tuple[Inputs, Inputs, float]:
    """The same scan with actual and with commanded positions, and their distance (root mean square, pixels)."""
    microscope, path = VirtualMicroscope(specimen, plan, seed=seed, coil_tau_ns=1000 * tau_us), ScanPath(plan)
    microscope.arm(path, 0, len(path))
    microscope.start()
    counts = []
    while (batch := microscope.read(1 << 20)) is not None:
        counts.append(batch.counts)
    electrons, commanded = np.concatenate(counts), path.positions(0, len(path))
    actual = actual_positions(path, 0, len(path), 1000 * tau_us)
    starts = tuple(index * plan.samples_per_pass for index in range(plan.passes + 1))
    dose = plan.electrons_per_sample
    made = [
        Inputs.from_samples(PlacedSamples.of(electrons, places, starts, plan.shape), dose)
        for places in (actual, commanded)
    ]
    return made[0], made[1].whole, float(np.sqrt(((actual - commanded) ** 2).sum(axis=1).mean()))


def misfit(made: Reconstruction, specimen: Specimen) -> float:
    """RMS of the error over the standard deviation that the method predicted; 1 where it predicted well."""
    if made.std is None:
        return float("nan")
    return float(np.sqrt(np.mean(((made.image - specimen.signal) / made.std) ** 2)))


def main() -> None:
    """Scan, reconstruct and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--dwell", type=float, default=2.0, help="microseconds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--methods", nargs="+", default=["fourier-eb", "fshnet"])
    parser.add_argument("--crystal", default="SrTiO3")
    parser.add_argument("--band-limit", type=float, help="of fourier-eb, cycles per pixel (found in the samples)")
    options = parser.parse_args()
    limited = {} if options.band_limit is None else {"band_limit": options.band_limit}
    shape = (options.side, options.side)
    specimen = render_crystal(options.crystal, shape, pixel_size_nm=0.02)
    print(f"{options.crystal}, {options.side} x {options.side}, dwell {options.dwell:g} us\n")
    print("| tau, us | distance, px | method | actual, dB | commanded, dB | gained, dB | error / std |")
    print("|---|---|---|---|---|---|---|")
    for tau in TAUS_US:
        scans = [scan(plan_of(options.side, options.dwell, seed), specimen, tau, seed) for seed in options.seeds]
        distance = float(np.mean([scanned[2] for scanned in scans]))
        for method in options.methods:
            settings = limited if method == "fourier-eb" else {}
            rows = []
            for scanned in scans:
                made = [reconstruct(inputs, method, **settings) for inputs in scanned[:2]]
                rows.append([compare(one.image, specimen.signal).psnr for one in made] + [misfit(made[0], specimen)])
            actual, commanded, off = np.mean(rows, axis=0)
            print(
                f"| {tau} | {distance:.2f} | {method} | {actual:.2f} | {commanded:.2f} | {actual - commanded:+.2f} | "
                f"{off:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
