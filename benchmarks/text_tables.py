"""Tables of numbers written in random dialects and damaged at random, then read: counts of what comes back.

    python -m benchmarks.text_tables --tables 20000

Each table is written whole and read back: equal, refused, or wrong. Then a character of it is changed, put in or taken
out: read as something, or refused with one sentence; anything else raised is a failure.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from stemscan.errors import DataError
from stemscan.files.tables import read_table

_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1")
_SEPARATORS = ("\t", ";", ",", "|", " ", "; ", ", ", "  ")


def written(draw: random.Random) -> tuple[list[list[float]], str, bool]:
    """Numbers, a text of them, and whether its dialect alone does not tell what they are (decimal commas)."""
    columns, rows = draw.randint(1, 5), draw.randint(1, 8)
    digits = draw.choice((0, 0, 1, 3, 6))
    table = [[round(draw.uniform(-2000, 2000), digits) for _ in range(columns)] for _ in range(rows)]
    separator, comma, quotes = draw.choice(_SEPARATORS), draw.random() < 0.4, draw.random() < 0.2
    comma = comma and (quotes or separator.strip() != ",")

    def field(number: float) -> str:
        text = str(int(number)) if number.is_integer() else repr(number)
        text = text.replace(".", ",") if comma else text
        return f'"{text}"' if quotes else text

    lines = [separator.join(map(field, row)) for row in table]
    if draw.random() < 0.5:
        lines.insert(0, separator.join(f"name{i}" for i in range(columns)))
    if draw.random() < 0.2 and columns > 1:
        lines = [line + separator for line in lines]
    return table, draw.choice(("\n", "\r\n", "\r")).join(lines) + draw.choice(("", "\n")), comma


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw, whole, damaged = random.Random(options.seed), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        for _ in range(options.tables):
            table, text, comma = written(draw)
            encoding = draw.choice(_ENCODINGS)
            path.write_bytes(text.encode(encoding))
            try:
                equal = np.array_equal(read_table(path).values, np.array(table))
                kind = "equal" if equal else "commas taken for separators" if comma and len(table[0]) == 1 else "wrong"
                whole[kind] += 1
            except DataError:
                whole["refused, commas" if comma else "refused without need"] += 1
            at, put = draw.randrange(len(text)), draw.choice("0123456789.,;-\t \n\"'eE#xy\0\u2212\u0663")
            path.write_bytes((text[:at] + put + text[at + draw.randint(0, 1) :]).encode("utf-8"))
            try:
                read_table(path)
                damaged["read"] += 1
            except DataError as problem:
                damaged["refused in one sentence" if "\n" not in str(problem) else "refused in several lines"] += 1
            except Exception as problem:  # noqa: BLE001 - what is counted here
                damaged[f"raised {type(problem).__name__}"] += 1
    for what, counts in (("whole", whole), ("damaged", damaged)):
        print(f"{options.tables} {what}: " + ", ".join(f"{count} {kind}" for kind, count in counts.most_common()))


if __name__ == "__main__":
    main()
