"""Compiled functions where compiled code cannot be cached: no folder, a full disk, damaged files."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba.core.caching
import pytest

import stemscan
from stemscan.cli.common import Talk, _silence
from stemscan.errors import StemscanWarning
from stemscan.runtime import compiled as module
from stemscan.runtime.compiling import told_of_compilation

ROOT = Path(stemscan.__file__).parents[1]


def twice(number: int) -> int:
    return 2 * number


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for compiled code, empty; nothing reported yet."""
    monkeypatch.setenv(module._REPORTED, "")
    monkeypatch.delenv(module._REPORTED)
    monkeypatch.setattr(numba.core.caching.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def no_place(self: object, py_func: object) -> None:
    raise RuntimeError("cannot cache function 'twice': no locator available for file 'test_compiled.py'")


def full(self: object, path: str) -> None:
    raise OSError(28, "No space left on device", path)


@pytest.mark.parametrize(
    ("where", "name", "fault", "words"),
    [
        (numba.core.caching.CacheImpl, "__init__", no_place, "no folder for it can be written"),
        (numba.core.caching.IndexDataCacheFile, "_open_for_write", full, "No space left on device"),
    ],
)
def test_code_is_compiled_without_a_cache_and_that_is_said_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch, where: type, name: str, fault: Callable[..., Any], words: str
) -> None:
    monkeypatch.setattr(where, name, fault)
    with pytest.warns(StemscanWarning, match=f"cannot be cached .*{words}.*NUMBA_CACHE_DIR"):
        assert module.compiled()(twice)(4) == 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert module.compiled()(twice)(4) == 8


def test_damaged_and_unreadable_files_of_the_cache_are_gone_without(cache: Path) -> None:
    assert module.compiled()(twice)(4) == 8
    files = list(cache.rglob("*.nb?"))
    assert {file.suffix for file in files} == {".nbi", ".nbc"}
    for file in files:
        for content in (b"", b"\x80\x05garbage"):
            whole = file.read_bytes()
            file.write_bytes(content)
            os.environ.pop(module._REPORTED, None)
            with pytest.warns(StemscanWarning, match="cannot be cached .*damaged"):
                assert module.compiled()(twice)(4) == 8
            file.write_bytes(whole)


def test_whoever_wants_to_know_is_told_what_is_compiled_and_not_of_what_is_read(cache: Path) -> None:
    told: list[int] = []
    with told_of_compilation(lambda: told.append(1)):
        assert module.compiled()(twice)(4) == 8
        assert told == [1]
        assert module.compiled()(twice)(4) == 8
    assert module.compiled()(twice)(2.5) == 5.0  # type: ignore[arg-type]
    assert told == [1]


def test_the_line_of_progress_says_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("stemscan.cli.progress.is_watched", lambda: True)
    with Talk().progress("reconstructing") as report:
        assert module.compiled()(twice)(4) == 8
        report(1, 2)
    assert "reconstructing (compiling, once after an installation)" in capsys.readouterr().err


def bare_install(folder: Path) -> Path:
    """The package without a folder for compiled code, whoever is at work: a file stands in each one's place."""
    for place, _, files in os.walk(ROOT / "stemscan", followlinks=True):
        if Path(place).name == "__pycache__":
            continue
        here = folder / Path(place).relative_to(ROOT)
        here.mkdir()
        (here / "__pycache__").write_text("")
        for file in files:
            (here / file).symlink_to(Path(place) / file)
    return folder


def test_a_quiet_command_does_not_say_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _silence(True)
        monkeypatch.setattr(numba.core.caching.CacheImpl, "__init__", no_place)
        assert module.compiled()(twice)(4) == 8


def test_commands_work_in_an_install_that_nobody_may_write_to(tmp_path: Path) -> None:
    install = tmp_path / "site"
    install.mkdir()
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {
        name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", module._REPORTED)
    }
    done = subprocess.run(
        [sys.executable, "-m", "stemscan", "plan", "-o", "p.yaml", "--shape", "16x16"],
        env=environment | nowhere | {"PYTHONPATH": str(bare_install(install))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p.yaml").exists()
    assert done.stderr.startswith("warning: compiled code cannot be cached (no folder for it can be written)")
    assert done.stderr.count("\n") == 1
