"""The numbers of `benchmarks/rooms.py`, on code whose numbers are known."""

from __future__ import annotations

import ast
import doctest
from pathlib import Path

from benchmarks import rooms

HOUSE = {
    "stemscan/a.py": "from stemscan import b\n",
    "stemscan/b.py": "def f():\n    from stemscan.c import g\n    return g\n",
    "stemscan/c.py": "from stemscan.a import x\n",
    "stemscan/d.py": 'from stemscan.a import y\n"lissajous, a text"\nprint("not line-hopping")\n',
    "recon/e.py": 'KINDS = {"line-hop": None}\n',
    "cli/f.py": "Lissajous = 1\n",
}
TREES = {Path(name): ast.parse(code) for name, code in HOUSE.items()}


def test_examples() -> None:
    assert doctest.testmod(rooms).failed == 0


def test_circles() -> None:
    assert rooms.circles(TREES) == [["stemscan.a", "stemscan.b", "stemscan.c"]]
    assert rooms.circles(TREES, always=True) == []


def test_modules_that_know_of_something() -> None:
    assert rooms.naming(TREES, ["lissajous"]) == ["cli/f.py"]
    assert rooms.naming(TREES, ["line-hop"]) == ["recon/e.py"]


def test_every_module_is_counted_once() -> None:
    found = rooms.measure(rooms.ROOT, 0)
    assert sum(found["lines"].values()) >= found["package"] > 10_000
    places = list(rooms.files_of(rooms.ROOT, rooms.FOLDERS))
    assert len(places) == len({(rooms.ROOT / place).resolve() for place in places}) == sum(found["modules"].values())
