"""Thousands of attacks on a small store: what is refused, what makes no difference, and what changes in silence.

python -m benchmarks.store_attacks [--attacks 10000] [--seed 1]

One bit flipped, a file cut, removed, swapped with another or taken from another store, bytes replaced, a digit or a
letter of metadata changed; then everything is read. "changed in silence" must be 0. The other store has the same plan
and other counts.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter

from tests.stemscan.store_attacks import attack, places, state_of, two_stores
from tests.stemscan.store_kit import memory_folder


def main() -> None:
    """Attack and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attacks", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counted = Counter[str]()
    with memory_folder() as folder:
        two_stores(folder)
        whole, files = state_of(folder / "a.zarr"), places(folder / "a.zarr")
        chance = random.Random(options.seed)
        work = folder / "work"
        work.mkdir()
        counted.update(attack(folder, work, chance, files, whole) for _ in range(options.attacks))
    print(f"{options.attacks} attacks on {len(files)} files")
    for outcome in ("refused", "no difference", "changed in silence"):
        print(f"| {outcome} | {counted[outcome]} |")


if __name__ == "__main__":
    main()
