"""The house in numbers: lines by room, import circles, modules that know of a pattern or method, seconds to start.

    python -m benchmarks.rooms [--runs 9] [--json] [--code FOLDER]

prints tables. Logical lines are statements without docstrings: blanks, comments and line breaks do not count. `--code`
counts another checkout, as one of an earlier state by `git worktree add FOLDER COMMIT`.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TREES = ("stemscan", "recon", "simulators")
"""Folders whose folders are rooms of their own; of other folders each is one room."""

FOLDERS = (*TREES, "cli", "benchmarks", "tests", "examples")
LINKED = {"cli", "recon", "simulators"}
PACKAGE = (*TREES, "cli")


def files_of(root: Path, folders: Iterable[str]) -> Iterator[Path]:
    """Python files below folders, relative to the root, each once, whatever links show it again."""
    for folder in folders:
        for file in sorted((root / folder).rglob("*.py")):
            place = file.relative_to(root)
            if not (place.parts[0] == "stemscan" and place.parts[1] in LINKED):
                yield place


def logical_lines(tree: ast.Module) -> int:
    """Statements of a module without docstrings.

    Examples
    --------
    >>> logical_lines(ast.parse('"A docstring."\\nx = (1,\\n2)  # a comment\\ndef f():\\n    return x\\n'))
    3
    """
    return sum(isinstance(node, ast.stmt) and not _is_text(node) for node in ast.walk(tree))


def _is_text(node: ast.stmt) -> bool:
    """Tell whether a statement is a text that stands for itself."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def room_of(place: Path) -> str:
    """Room of a file.

    Examples
    --------
    >>> [room_of(Path(name)) for name in ("stemscan/plan/patterns/spiral.py", "stemscan/units.py", "cli/app.py")]
    ['stemscan/plan', 'stemscan', 'cli']
    """
    return "/".join(place.parts[:-1][:2]) if place.parts[0] in TREES else place.parts[0]


def dotted(place: Path) -> str:
    """Name by which a file is imported.

    Examples
    --------
    >>> dotted(Path("recon/fshnet/__init__.py")), dotted(Path("stemscan/units.py"))
    ('stemscan.recon.fshnet', 'stemscan.units')
    """
    parts = place.with_suffix("").parts
    parts = parts if parts[0] == "stemscan" else ("stemscan", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, *, always: bool = False) -> set[str]:
    """Names of all modules and objects that a module imports; those at its top alone with `always`."""
    nodes = _top(tree) if always else ast.walk(tree)
    names = set[str]()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _top(tree: ast.AST) -> Iterator[ast.AST]:
    """Statements that run when a module is imported."""
    for node in ast.iter_child_nodes(tree):
        guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if not (guarded or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            yield node
            yield from _top(node)


def circles(trees: dict[Path, ast.Module], *, always: bool = False) -> list[list[str]]:
    """Groups of modules that import each other by way of each other, at any time or when they are imported."""
    modules = {dotted(place): tree for place, tree in trees.items()}
    arrows = {}
    for name, tree in modules.items():
        found = {one if one in modules else one.rpartition(".")[0] for one in imported(tree, always=always)}
        arrows[name] = (found & modules.keys()) - {name}
    reached = {name: _reached(name, arrows) for name in modules}
    groups = {frozenset(other for other in reached[name] if name in reached[other]) for name in modules}
    return sorted(sorted(group) for group in groups if group)


def _reached(start: str, arrows: dict[str, set[str]]) -> set[str]:
    """Modules that a module reaches by its imports and those of what it imports."""
    reached, waiting = set[str](), list(arrows[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += arrows[name]
    return reached


def naming(trees: dict[Path, ast.Module], words: Iterable[str]) -> list[str]:
    """Modules of the package whose code has one of the words, in a name or a text that is no docstring."""
    wanted = re.compile("|".join(rf"(?<![a-z]){re.escape(word)}(?![a-z])" for word in words), re.IGNORECASE)
    return [str(place) for place, tree in trees.items() if any(wanted.search(text) for text in _texts(tree))]


def _texts(tree: ast.Module) -> Iterator[str]:
    """Names and texts in the code of a module, docstrings aside."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.stmt) and _is_text(node)}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value
        for field in ("id", "attr", "name", "module", "asname"):
            text = getattr(node, field, None)
            if isinstance(text, str):
                yield re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)


def milliseconds(arguments: list[str], runs: int) -> float:
    """Median time of a fresh process of Python, after one that is not counted."""
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, cwd=ROOT)
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times[1:])


KNOWN = {
    "pattern lissajous": ("lissajous",),
    "pattern line-hop": ("line-hop", "line_hop"),
    "method normconv": ("normconv", "normalised_convolution"),
    "method iht": ("iht",),
}


def measure(root: Path, runs: int) -> dict[str, Any]:
    """All numbers."""
    trees = {place: ast.parse((root / place).read_text(encoding="utf-8")) for place in files_of(root, FOLDERS)}
    lines, modules = Counter[str](), Counter[str]()
    for place, tree in trees.items():
        lines[room_of(place)] += logical_lines(tree)
        modules[room_of(place)] += 1
    package = {place: tree for place, tree in trees.items() if place.parts[0] in PACKAGE}
    starts = {"python alone": ["-c", ""], "import stemscan": ["-c", "import stemscan"]}
    starts["stemscan --help"] = ["-m", "stemscan", "--help"]
    return {
        "lines": dict(sorted(lines.items())),
        "modules": dict(sorted(modules.items())),
        "package": sum(map(logical_lines, package.values())),
        "circles": circles(package),
        "circles at import": circles(package, always=True),
        "naming": {what: naming(package, words) for what, words in KNOWN.items()},
        "milliseconds": {what: milliseconds(command, runs) for what, command in starts.items()} if runs else {},
    }


def main() -> None:
    """Print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="fresh processes of each command; 0 times nothing")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--code", type=Path, default=ROOT, help="folder of the checkout to count")
    options = parser.parse_args()
    found = measure(options.code, options.runs if options.code == ROOT else 0)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print(f"| {'room':24} | modules | logical lines |\n|{'-' * 26}|{'-' * 9}|{'-' * 15}|")
    for room, lines in found["lines"].items():
        print(f"| {room:24} | {found['modules'][room]:7} | {lines:13} |")
    without = sum(lines for room, lines in found["lines"].items() if room != "tests")
    print(f"| {'all without tests':24} | {'':7} | {without:13} |")
    print(f"| {'the package':24} | {'':7} | {found['package']:13} |")
    for what in ("circles", "circles at import"):
        print(f"\n{what}: {len(found[what])}")
        for group in found[what]:
            print("  " + " ".join(group))
    for what, names in found["naming"].items():
        print(f"\n{what} is named in {len(names)}: {' '.join(names)}")
    for what, value in found["milliseconds"].items():
        print(f"\n{what}: {value:.0f} ms (median of {options.runs})")


if __name__ == "__main__":
    main()
