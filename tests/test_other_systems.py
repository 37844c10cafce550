"""The whole chain without what POSIX has and Windows has not, with files that other programs have open."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.other_system.sitecustomize import ABSENT
from tests.stemscan.store_kit import contents

ROOT = Path(__file__).resolve().parents[1]
SHIM = ROOT / "tests" / "other_system"

CHAIN = """
import sys
from stemscan.cli.main import _leave_at_once, _run, raise_interrupts
from stemscan.runtime import durable
durable.PATIENCE_S, durable._FIRST_PAUSE_S = float(sys.argv[1]), 0.001
raise_interrupts()
for line in sys.argv[2:]:
    if code := _run(line.split()):
        _leave_at_once(code)
"""
PLAN = "plan -o plan.yaml --shape 64x64 --passes 2 --pixel-size 0.02nm --overwrite -q"
SIMULATE = "simulate plan.yaml specimen.tif -o acq.zarr -q"
REST = (
    "recon acq.zarr -o image.npy --method normconv --overwrite -q",
    "recon acq.zarr -o image.zarr --method normconv --overwrite -q",
    "info acq.zarr --json",
    "info image.zarr --json",
    "verify acq.zarr -q",
)


def run(
    folder: Path, *lines: str, patience: float = 5.0, asked: Mapping[str, str] | None = None, shim: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run commands one after the other in a process, which ends with the code of the first that fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STEMSCAN_TEST")}
    environment["PYTHONPATH"] = os.pathsep.join([str(SHIM), str(ROOT)] if shim else [str(ROOT)])
    if shim:
        environment |= {"STEMSCAN_TEST_ROOT": f"{folder}{os.sep}"} | dict(asked or {})
    command = [sys.executable, "-c", CHAIN, str(patience), *lines]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the chain makes on this system."""
    folder = tmp_path_factory.mktemp("reference")
    make_specimen(folder)
    done = run(folder, PLAN, SIMULATE, *REST, shim=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def make_specimen(folder: Path) -> None:
    """A file that the worker process decodes."""
    import tifffile

    rows, columns = np.mgrid[:64, :64]
    image = np.rint(1000 * (1 + np.sin(rows / 3) * np.cos(columns / 4))).astype(np.uint16)
    tifffile.imwrite(folder / "specimen.tif", image, compression="zlib")


def assert_same(folder: Path, reference: Path) -> None:
    """The same plan, store and images, to the byte, and nothing beside them."""
    assert (folder / "plan.yaml").read_bytes() == (reference / "plan.yaml").read_bytes()
    assert contents(folder / "acq.zarr") == contents(reference / "acq.zarr")
    for name in ("image.npy", "image.zarr/image/c/0/0"):
        assert (folder / name).read_bytes() == (reference / name).read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in reference.iterdir())
    assert not list(folder.rglob("*.partial*"))


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize(
    ("stop", "code"), [("0:acq.zarr/samples/counts", 137), ("0:acq.zarr/frames/c", 137), ("2:acq.zarr/visits/c", 130)]
)
def test_the_chain_without_posix_resumes_after_a_kill(tmp_path: Path, reference: Path, stop: str, code: int) -> None:
    """Each file is refused twice before it may be renamed, replaced or deleted."""
    make_specimen(tmp_path)
    busy = {"STEMSCAN_TEST_BUSY": "2"}
    begun = run(tmp_path, PLAN, SIMULATE, asked=busy | {"STEMSCAN_TEST_STOP": stop})
    assert begun.returncode == code, begun.stderr
    done = run(tmp_path, f"{SIMULATE} --resume", *REST, *REST[:2], asked=busy)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"state": "complete"' in done.stdout
    assert_same(tmp_path, reference)


LOCKS = """
import importlib, os, signal, subprocess, sys
from pathlib import Path
assert not hasattr(os, "fork") and not hasattr(os, "O_DIRECTORY") and not hasattr(signal, "SIGHUP")
for name in ("fcntl", "resource"):
    try: importlib.import_module(name)
    except ImportError: pass
    else: raise SystemExit(f"{name} is there")
from stemscan.errors import StoreError
from stemscan.runtime import locks
from stemscan.store.files import StoreLock
assert locks.msvcrt
folder = Path(sys.argv[1])
if len(sys.argv) > 2:
    held = StoreLock(folder)
    os._exit(9) if sys.argv[2] == "die" else None
    raise SystemExit(0)
held = StoreLock(folder)
other = subprocess.run([sys.executable, "-c", os.environ["SCRIPT"], str(folder), "try"], capture_output=True, text=True)
print(StoreLock.is_held(folder), other.stderr.splitlines()[-1])
held.release()
dead = subprocess.run([sys.executable, "-c", os.environ["SCRIPT"], str(folder), "die"])
print(StoreLock.is_held(folder), dead.returncode)
StoreLock(folder).release()
"""


def test_one_writer_at_a_time_without_posix(tmp_path: Path) -> None:
    """By the stand-in for Windows' locks of bytes; that of a process that died is gone."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(SHIM), str(ROOT)]),
        "STEMSCAN_TEST_ROOT": f"{tmp_path}{os.sep}",
        "SCRIPT": LOCKS,
    }
    done = subprocess.run(
        [sys.executable, "-c", LOCKS, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("True stemscan.errors.StoreError: expected to be the only writer")
    assert second == "False 9"


@pytest.mark.parametrize("kept", ["image.npy", "image.zarr"])
def test_an_output_that_stays_open_elsewhere_is_one_sentence(tmp_path: Path, reference: Path, kept: str) -> None:
    shutil.copytree(reference, tmp_path, dirs_exist_ok=True)
    before = contents_of(tmp_path)
    for_ever = {"STEMSCAN_TEST_BUSY_FOR_EVER": f"/{kept}"}
    done = run(tmp_path, f"recon acq.zarr -o {kept} --method nearest --overwrite -q", patience=0.2, asked=for_ever)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"error: expected to write '{kept}', got: another program has it open.*; close it there and try again\n",
        done.stderr,
    )
    assert contents_of(tmp_path) == before


def test_a_store_that_stays_open_elsewhere_is_gone_on_with_later(tmp_path: Path, reference: Path) -> None:
    make_specimen(tmp_path)
    for_ever = {"STEMSCAN_TEST_BUSY_FOR_EVER": "/acq.zarr/frames/c/1/0/0/0"}
    done = run(tmp_path, PLAN, SIMULATE, patience=0.2, asked=for_ever)
    assert done.returncode == 1
    assert "frames/c/1/0/0/0', got: another program has it open" in done.stderr
    assert done.stderr.count("\n") == 1
    assert run(tmp_path, f"{SIMULATE} --resume", *REST).returncode == 0
    assert_same(tmp_path, reference)


def contents_of(folder: Path) -> dict[str, bytes]:
    """Every file in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


PLATFORM_MODULES = {"fcntl", "msvcrt", "resource", "pwd", "grp", "termios", "winreg", "ctypes"}


def test_only_runtime_knows_what_systems_lack() -> None:
    """Neither a module nor a name that Windows lacks is used in another room."""
    names = {f"{module}.{name}" for module, absent in ABSENT.items() for name in absent} | {"sys.platform", "os.name"}
    for room in ("stemscan", "recon", "simulators", "cli"):
        for file in (ROOT / room).rglob("*.py"):
            place = file.relative_to(ROOT)
            if place.parts[:2] == ("stemscan", "runtime"):
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                used: set[str] = set()
                if isinstance(node, ast.Import):
                    used = {alias.name for alias in node.names} & PLATFORM_MODULES
                elif isinstance(node, ast.ImportFrom):
                    used = {node.module or ""} & PLATFORM_MODULES
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    used = {f"{node.value.id}.{node.attr}"} & names
                assert not used, f"{place}:{getattr(node, 'lineno', 0)} uses {used}"


def test_texts_have_an_encoding_and_line_ends_of_their_own() -> None:
    """Neither is that of the system, so that files are the same everywhere."""
    for room in ("stemscan", "recon", "simulators", "cli"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    wanted = {"read_text": {"encoding"}, "write_text": {"encoding", "newline"}}.get(
                        node.func.attr, set()
                    )
                    if node.func.attr == "open" and any(
                        isinstance(one, ast.Constant) and one.value in ("r", "w", "a", "x") for one in node.args
                    ):
                        wanted = {"encoding", "newline"}
                    missing = wanted - {keyword.arg for keyword in node.keywords}
                    assert not missing, f"{file.relative_to(ROOT)}:{node.lineno} lacks {missing}"
