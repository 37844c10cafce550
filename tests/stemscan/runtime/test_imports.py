"""Imports of large libraries: the collector meanwhile, and torch's library ahead of torch."""

from __future__ import annotations

import gc
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from stemscan.runtime.imports import without_collector

ROOT = Path(__file__).resolve().parents[3]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment or None, check=False
    )


def test_the_collector_goes_on_after_an_import_also_of_what_fails() -> None:
    frozen, enabled = gc.get_freeze_count(), []
    with suppress(ImportError), without_collector():
        enabled.append(gc.isenabled())
        raise ImportError
    assert [*enabled, gc.isenabled()] == [False, True]
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


AHEAD = "from stemscan.runtime import imports; imports.load_torch_ahead(); [one.join() for one in imports._threads]; "


@pytest.mark.skipif(sys.platform != "linux", reason="the library is loaded ahead on Linux alone")
def test_torch_computes_after_its_library_was_loaded_ahead() -> None:
    mapped = "print(any('libtorch_cpu' in line for line in open('/proc/self/maps')), 'torch' in sys.modules); "
    done = run(f"import sys; {AHEAD}{mapped}import torch; print(float(torch.ones(3).sum()), imports.loading())")
    assert done.stdout.split() == ["True", "False", "3.0", "False"], done.stderr


def test_a_library_that_cannot_be_loaded_is_left_to_the_import_to_tell(tmp_path: Path) -> None:
    (tmp_path / "torch" / "lib").mkdir(parents=True)
    (tmp_path / "torch" / "lib" / "libtorch_cpu.so").write_text("no library")
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('torch is broken')")
    done = run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {AHEAD}print('on'); import torch")
    assert done.stdout == "on\n"
    assert done.stderr.endswith("ImportError: torch is broken\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.zarr"], "got 'missing.zarr', which does not exist"),
        (["tests"], "expected an acquisition store at 'tests', got another folder"),
    ],
)
def test_what_is_wrong_with_the_input_is_said_before_torch_is_imported(arguments: list[str], said: str) -> None:
    for method in ("fshnet", "blend"):
        command = ["recon", *arguments, "-o", "/tmp/never.zarr", "--method", method]
        done = run(f"import sys; from stemscan.cli.main import _run; print(_run({command!r}), 'torch' in sys.modules)")
        code, torch = done.stdout.split()
        assert (int(code) > 0, torch) == (True, "False")
        assert said in done.stderr
