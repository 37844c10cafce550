"""Commands on odd terminals and systems: results or one clear sentence, and the named cause is the cause."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemscan.errors import NO_THREAD, is_out_of_threads, refusal
from tests.cli.conftest import Stemscan

STEMSCAN = f"{sys.executable} -m stemscan"
LATIN = "caf\udce9.yaml"  # a byte that is no UTF-8


def shell(command: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Run a line of shell with `stemscan` in it; a variable of None is not set."""
    environment = {name: value for name, value in {**os.environ, **variables}.items() if value is not None}
    line = ["bash", "-c", command.replace("stemscan", STEMSCAN, 1)]
    return subprocess.run(line, capture_output=True, text=True, errors="surrogateescape", check=False, env=environment)


@pytest.fixture
def plan(stemscan: Stemscan) -> Path:
    """A plan in the folder where commands run."""
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "16x16").code == 0
    return Path("plan.yaml")


def test_stdout_that_is_full(plan: Path) -> None:
    done = shell("stemscan info plan.yaml > /dev/full")
    assert (done.returncode, done.stderr) == (
        1,
        "error: expected to write the result, got: No space left on device; free some space\n",
    )


def test_stdout_that_ends_early(plan: Path) -> None:
    done = shell("stemscan info plan.yaml --json | true")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "2>/dev/full"])
def test_streams_that_are_closed_or_full(plan: Path, closed: str) -> None:
    assert shell(f"stemscan info plan.yaml {closed}").returncode == 0
    assert shell(f"stemscan info none {closed}").returncode == 2


def test_a_locale_of_plain_ascii(plan: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None}
    done = shell("stemscan info 'nicht-da-é'", **ascii_only)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    for command in ("recon", "plan", "evaluate"):
        assert shell(f"stemscan {command} --help", **ascii_only).returncode == 0


def test_letters_that_a_code_page_lacks(plan: Path) -> None:
    """Output of Windows that goes into a file or another program is in such a page."""
    plan.rename("λ.yaml")
    done = shell("stemscan info λ.yaml", PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("\\u03bb.yaml: scan plan")


def test_a_narrow_terminal_without_colour(plan: Path) -> None:
    done = shell("stemscan info plan.yaml", COLUMNS="40", NO_COLOR="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "digest" in done.stdout


def test_no_home(plan: Path) -> None:
    assert shell("stemscan info plan.yaml", HOME=None).returncode == 0


def test_a_working_folder_that_was_deleted(tmp_path: Path) -> None:
    done = shell(f"mkdir {tmp_path}/gone && cd {tmp_path}/gone && rmdir {tmp_path}/gone && stemscan plan -o p.yaml")
    assert (done.returncode, done.stderr) == (
        1,
        "error: expected a working folder, got one that was deleted; go to another\n",
    )


def test_files_are_as_private_as_the_user_wants(stemscan: Stemscan, plan: Path) -> None:
    before = os.umask(0o077)
    try:
        assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr").code == 0
        assert stemscan("recon", "a.zarr", "-o", "a.tif", "--method", "constant").code == 0
    finally:
        os.umask(before)
    made = [Path("a.zarr"), Path("a.tif"), *Path("a.zarr").rglob("*")]
    assert not [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077]


@pytest.mark.parametrize("name", ["a b.yaml", "a\nb.yaml", "-dash.yaml", LATIN, "é.yaml"])
def test_odd_names(stemscan: Stemscan, name: str) -> None:
    assert stemscan("plan", f"-o{name}", "--shape", "16x16").code == 0
    assert stemscan("info", "--", name).code == 0
    done = stemscan("plan", f"-o{name}", "--shape", "16x16")
    assert done.code == 2
    assert done.err.count("\n") == 1
    store = name.replace(".yaml", ".zarr")
    assert stemscan("simulate", "-o", f"./{store}", "--", name, "crystal:Si").code == 0
    assert stemscan("recon", f"./{store}", "-o", f"./{store}.tif", "--method", "constant").code == 0


def link_to_itself(path: Path) -> None:
    """A link that leads nowhere."""
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Path.mkdir, "is a folder|Is a directory"),
        (link_to_itself, "symbolic links; mend the link|does not exist"),
        (lambda path: path.symlink_to("nowhere"), "does not exist|No such file"),
    ],
)
def test_what_is_no_file(stemscan: Stemscan, make: Callable[[Path], Any], said: str) -> None:
    make(Path("odd.yaml"))
    done = stemscan("simulate", "odd.yaml", "crystal:Si", "-o", "a.zarr")
    assert done.code in (1, 2)
    assert any(words in done.err for words in said.split("|")), done.err
    assert "restore" not in done.err
    assert "damaged" not in done.err


def test_too_many_open_files(plan: Path) -> None:
    program = "import resource, sys; import stemscan.cli.app as app; from pathlib import Path; "
    program += "import stemscan.plan.scan_plan, stemscan.path.summary, stemscan.cli.info; "
    program += "app.run_command(['info', 'plan.yaml', '-q']); files = []\n"
    program += "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
    program += "try:\n    while True: files.append(open('plan.yaml'))\nexcept OSError: pass\n"
    program += "sys.exit(app.run_command(['info', 'plan.yaml']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert "Too many open files; raise the limit of open files (ulimit -n)" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_thread_to_be_started(stemscan: Stemscan, plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr")
    assert (done.code, done.err) == (1, f"error: {NO_THREAD}\n")


def test_an_error_that_led_to_another_is_found() -> None:
    outer = ValueError("of zarr")
    outer.__cause__ = RuntimeError("can't start new thread")
    assert is_out_of_threads(outer)
    assert not is_out_of_threads(ValueError("can't start new thread"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.EMFILE])
def test_each_refusal_has_a_remedy(number: int) -> None:
    reason, remedy = refusal(OSError(number, os.strerror(number))).split("; ")
    assert reason == os.strerror(number)
    assert remedy


def test_a_refusal_without_a_number() -> None:
    assert refusal(OSError("of a library\n with two lines")) == "of a library with two lines"
