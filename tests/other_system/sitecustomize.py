"""Makes the Python that finds this on its path one without what Windows lacks, before it imports anything else.

Names of POSIX are gone, from this process and from those that it starts. Only `stemscan.runtime.locks` sees a
`sys.platform` of win32, for all other libraries are built for this machine; its `msvcrt` is made of flock. Files follow
the rules of Windows: what this process has open can be neither renamed nor deleted, and names must be possible ones.
Variables of the environment ask for more:

STEMSCAN_TEST_BUSY : how often each file is refused, as open in another program, when it is renamed or deleted
STEMSCAN_TEST_BUSY_FOR_EVER : the end of a path that is always refused
STEMSCAN_TEST_STOP : signal number, or 0 to die at once, and the part of a path whose renaming is the moment to do so
"""

from __future__ import annotations

import asyncio  # noqa: F401  it needs what is taken away
import collections
import errno
import fcntl
import importlib.machinery
import os
import re
import subprocess
import sys
import types
from pathlib import PurePosixPath
from typing import Any

ABSENT = {
    "os": (
        *("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "fork", "forkpty", "sched_getaffinity", "getuid"),
        *("geteuid", "getgid", "getpgid", "killpg", "setsid", "setpgid", "mkfifo", "fchmod", "chown", "nice"),
    ),
    "signal": (
        *("SIGHUP", "SIGKILL", "SIGPROF", "SIGALRM", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIG_BLOCK"),
        *("SIG_UNBLOCK", "SIG_SETMASK", "setitimer", "getitimer", "ITIMER_PROF", "alarm", "pthread_kill"),
        *("pthread_sigmask", "sigwait", "siginterrupt"),
    ),
}
_IMPOSSIBLE = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)', re.IGNORECASE)
_tries: collections.Counter[str] = collections.Counter()
_flock, _lock_kinds = fcntl.flock, (fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN)


def _refused(path: str, winerror: int = 32) -> PermissionError:
    """The error of Windows for a file that is open."""
    problem = PermissionError(errno.EACCES, "The process cannot access the file, it is being used", path)
    problem.winerror = winerror  # type: ignore[attr-defined,unused-ignore]
    return problem


def _absolute(path: Any, folder: int = -1) -> str:
    """A path in full; a relative one may be that of an open folder."""
    start = os.readlink(f"/proc/self/fd/{folder}") if folder >= 0 else os.getcwd()
    return os.path.normpath(os.path.join(start, os.fsdecode(path)))


def _is_open(path: str) -> bool:
    """Tell whether this process has a file open, or one in a folder."""
    for handle in os.listdir("/proc/self/fd"):
        try:
            there = os.readlink(f"/proc/self/fd/{handle}")
        except OSError:
            continue
        if (there == path or there.startswith(f"{path}/")) and not os.path.isdir(f"/proc/self/fd/{handle}"):
            return True
    return False


def _check_change(path: str) -> None:
    """Refuse to rename or delete what is open."""
    _tries[path] += 1
    always = os.environ.get("STEMSCAN_TEST_BUSY_FOR_EVER")
    busy = _tries[path] <= int(os.environ.get("STEMSCAN_TEST_BUSY", "0"))
    if busy or (always and path.endswith(always)):
        raise _refused(path, 5 if _tries[path] % 2 else 32)
    if _is_open(path):
        raise _refused(path)


def _stop(path: str) -> None:
    """End or interrupt this process at the moment that was asked for, once."""
    signum, _, part = os.environ.get("STEMSCAN_TEST_STOP", "").partition(":")
    if part and part in path:
        os.environ["STEMSCAN_TEST_STOP"] = ""
        if signum == "0":
            os._exit(137)
        os.kill(os.getpid(), int(signum))


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Apply the rules of Windows below the folder of the test."""
    if event not in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "open") or isinstance(arguments[0], int):
        return
    if event == "os.rename":
        paths = [_absolute(arguments[0], arguments[2]), _absolute(arguments[1], arguments[3])]
    else:
        paths = [_absolute(arguments[0], -1 if event == "open" else arguments[-1])]
    root = os.environ["STEMSCAN_TEST_ROOT"]
    if not all(path.startswith(root) for path in paths):
        return
    for name in PurePosixPath(paths[-1]).relative_to(root).parts:
        if _IMPOSSIBLE.search(name):
            raise OSError(errno.EINVAL, "The filename, directory name, or volume label syntax is incorrect", name)
    if event in ("os.rename", "os.remove", "os.rmdir"):
        for path in paths:
            _check_change(path)
        _stop(paths[-1])


def _locking(handle: int, mode: int, size: int) -> None:
    """`msvcrt.locking`, as far as it is used: a byte far behind the end, locked by one opening of the file."""
    assert (os.lseek(handle, 0, os.SEEK_CUR), size) == (1 << 30, 1)
    try:
        _flock(handle, _lock_kinds[mode])
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads `stemscan.runtime.locks` as on Windows."""

    def exec_module(self, module: types.ModuleType) -> None:
        """With another name of the platform while it is loaded."""
        before, sys.platform = sys.platform, "win32"
        try:
            super().exec_module(module)
        finally:
            sys.platform = before


class _Finder(importlib.machinery.PathFinder):
    """Finds `stemscan.runtime.locks`."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Its place, with another loader."""
        if fullname != "stemscan.runtime.locks":
            return None
        spec = super().find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(fullname, spec.origin)
        return spec


def _kill(process: Any) -> None:
    """`Popen.kill`, which asks `signal` for a name."""
    if process.poll() is None:
        os.kill(process.pid, 9)


def _take_away() -> None:
    """Make this process one without what Windows lacks."""
    msvcrt = types.ModuleType("msvcrt")
    vars(msvcrt).update(locking=_locking, LK_NBLCK=0, LK_UNLCK=1)
    sys.modules["msvcrt"] = msvcrt
    for name in ("fcntl", "resource", "pwd", "grp", "termios"):
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in ABSENT.items():
        for name in names:
            if hasattr(sys.modules[module], name):
                delattr(sys.modules[module], name)
    subprocess.Popen.kill = _kill  # type: ignore[method-assign,assignment]
    sys.meta_path.insert(0, _Finder)
    sys.addaudithook(_watch)


if "STEMSCAN_TEST_ROOT" in os.environ:
    _take_away()
