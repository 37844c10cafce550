"""Columns from first images that differ in their last bits, as they do between threads and versions of torch.

    python -m benchmarks.last_bits [--seeds 3 4] [--indices 0 10] [--size 512] [--relative 1e-7] [--repeats 3]

Specimens are `synthetic:SEED/INDEX`, scanned in 4 passes of 3 of 8 x 8, 10 electrons a sample. A row a specimen has
the PSNR of the drawn columns (the image of `columns` without what is no column), their number, and the span of both
over the repeats, each with other noise of so large a share of the first image.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.non_lattices import scan
from stemscan.recon.columns.find import finding, pilot_image
from stemscan.recon.columns.image import drawn_columns, paint
from stemscan.recon.metrics import compare
from stemscan.simulators.api import synthetic_specimen


def found(seed: int, index: int, size: int, relative: float, repeats: int) -> list[tuple[float, int]]:
    """PSNR and number of columns of each repeat; nothing of those in which no column was found."""
    signal = synthetic_specimen((size, size), seed=seed, index=index).signal.astype(np.float32)
    inputs = scan(signal, 3, 4, 10.0, seed + 1000 + index)
    image = pilot_image(inputs)
    out = []
    for repeat in range(repeats):
        noise = np.random.default_rng(repeat).normal(size=image.shape)
        columns = finding(inputs, (image * (1 + relative * noise)).astype(np.float32))
        if not isinstance(columns, str):
            drawn = paint(columns, drawn_columns(columns))[0]
            out.append((compare(drawn, signal).psnr, len(columns.places)))
    return out


def main() -> None:
    """Print a row a specimen, then how many differ by more than a twentieth of a decibel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 4])
    parser.add_argument("--indices", type=int, nargs=2, default=[0, 10], help="first, and the one before which to end")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--relative", type=float, default=1e-7)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    print("specimen         dB   span  columns  span")
    spans = []
    for seed in given.seeds:
        for index in range(*given.indices):
            several = found(seed, index, given.size, given.relative, given.repeats)
            if not several:
                continue
            quality, count = (np.array(values) for values in zip(*several, strict=True))
            spans.append(float(np.ptp(quality)))
            name = f"synthetic:{seed}/{index}"
            print(f"{name:14} {quality[0]:6.2f} {spans[-1]:6.2f} {count[0]:8} {np.ptp(count):5}", flush=True)
    print(f"{sum(span > 0.05 for span in spans)} of {len(spans)} differ by more than 0.05 dB")


if __name__ == "__main__":
    main()
