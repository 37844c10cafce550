"""Thousands of attacks on a small store: what is refused, what makes no difference, and what changes in silence.

python -m benchmarks.store_attacks [--attacks 10000] [--seed 1]

One bit flipped, a file cut, removed, swapped with another or taken from another store, bytes replaced, a digit or a
letter of metadata changed; then everything is read. "changed in silence" must be 0. The other store has the same plan
and other counts. Attacked are a complete store and one that is committed in part.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter

from tests.stemscan.store.store_attacks import NAMES, attack, make_stores, places, state_of
from tests.stemscan.store_kit import memory_folder


def main() -> None:
    """Attack and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attacks", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with memory_folder() as folder:
        make_stores(folder)
        (folder / "work").mkdir()
        print("| store | files | refused | no difference | changed in silence |\n|---|---|---|---|---|")
        for name in NAMES:
            whole, files, counted = state_of(folder / name), places(folder / name), Counter[str]()
            for _ in range(options.attacks // len(NAMES)):
                counted[attack(folder, name, folder / "work", chance, files, whole)] += 1
            cells = (counted[outcome] for outcome in ("refused", "no difference", "changed in silence"))
            print(f"| {name} | {len(files)} | {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
