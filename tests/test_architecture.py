"""The rooms and the direction of the arrows between them, and what importing costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rooms import circles, dotted

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {"stemscan": ROOT / "stemscan", "recon": ROOT / "recon", "simulators": ROOT / "simulators", "cli": ROOT / "cli"}
# What each room may import of the others; a module where only that one may be.
ALLOWED = {
    "stemscan": set(),
    "simulators": {"stemscan"},
    "recon": {"stemscan"},
    "cli": {"stemscan", "recon", "simulators"},
}
SIMULATOR_API_USERS = {"training", "evaluation"}


def modules(room: str) -> list[Path]:
    """Python files of a room, without those of the rooms that are linked into it."""
    linked = {"recon", "simulators", "cli"} if room == "stemscan" else set()
    files = ROOMS[room].rglob("*.py")
    return sorted(file for file in files if file.relative_to(ROOMS[room]).parts[0] not in linked)


def imported(file: Path) -> set[str]:
    """Absolute names of all modules that a file imports, wherever it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(name: str) -> str | None:
    """The room of an imported name; None for what is not ours."""
    parts = name.split(".")
    if parts[0] != "stemscan":
        assert parts[0] not in ("recon", "simulators", "cli"), f"{name}: import rooms through stemscan"
        return None
    return parts[1] if len(parts) > 1 and parts[1] in ("recon", "simulators", "cli") else "stemscan"


@pytest.mark.parametrize("room", ROOMS)
def test_arrows(room: str) -> None:
    assert modules(room)
    for file in modules(room):
        if file == ROOMS["stemscan"] / "__main__.py":
            continue
        for name in imported(file):
            target = room_of(name)
            inner = file.relative_to(ROOMS[room]).parts[0]
            by_api = name.startswith("stemscan.simulators.api") and inner in SIMULATOR_API_USERS
            allowed = target in (None, room) or target in ALLOWED[room] or (room == "recon" and by_api)
            assert allowed, f"{file.relative_to(ROOT)} imports {name}"


def test_methods_do_not_know_the_paper_they_are_compared_with() -> None:
    """Rooms of `recon/` find the room that re-enacts the paper by tables, and commands alone import it."""
    for file in modules("recon"):
        if file.parent.relative_to(ROOMS["recon"]).parts[:1] != ("paper",):
            assert not any(name.startswith("stemscan.recon.paper") for name in imported(file)), file


FLOORS = ("testing", "hardware", "acquisition", "store", "path", "plan", "files", "random", "runtime", "base")
"""Rooms of `stemscan/`, each of which imports none before it; `base` is errors, units and the like."""


def floor_of(name: str) -> str:
    """Room of `stemscan/` of a dotted name."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else "base"


def test_rooms_of_stemscan_import_downwards() -> None:
    for file in modules("stemscan"):
        if file.parent == ROOMS["stemscan"] and file.name in ("__init__.py", "__main__.py"):
            continue
        own = floor_of(dotted(file.relative_to(ROOT)))
        for name in imported(file):
            if room_of(name) == "stemscan":
                assert FLOORS.index(floor_of(name)) >= FLOORS.index(own), f"{file.relative_to(ROOT)} imports {name}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    files = [file for room in ROOMS for file in modules(room)]
    assert circles({file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in files}) == []


def test_every_folder_of_code_is_a_package() -> None:
    """A folder without `__init__.py` works in an editable install and is missing from the wheel."""
    for room in ROOMS:
        for file in modules(room):
            assert (file.parent / "__init__.py").exists(), file.parent


def test_rooms_are_linked() -> None:
    for room in ("recon", "simulators", "cli"):
        link = ROOT / "stemscan" / room
        assert link.is_symlink()
        assert link.resolve() == ROOMS[room]


HEAVY = ("torch", "numba", "scipy", "skimage", "matplotlib", "zarr", "ase", "rsciio", "pydantic", "numpy", "rich")


@pytest.mark.parametrize(
    "statement",
    [
        "import stemscan",
        "import stemscan.cli.main as m; m._run(['--help'])",
        "import stemscan.cli.main as m; m._run(['--version'])",
    ],
)
def test_imports_are_lazy(statement: str) -> None:
    """Neither importing the package nor asking for help waits for heavy libraries."""
    code = f"import sys; {statement}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_quick_reconstruction_does_not_wait_for_numba() -> None:
    """An image right after a scan is by `fshnet`, of which the non-local step alone has compiled kernels."""
    code = (
        "import sys; from stemscan.recon.inputs.inputs import Inputs; from stemscan.recon.run import reconstruct; "
        "reconstruct(Inputs.from_arrays([[[4.0, 0.0, 8.0]]], [[[1, 0, 1]]], 10.0), 'fshnet'); "
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False"]
