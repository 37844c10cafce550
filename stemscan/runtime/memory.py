"""Memory that this process may still take, asked for before it is taken.

Linux kills a process that takes too much, without a word. So whatever takes memory in proportion to its input says
beforehand how much; where that is more than there is, it is refused in one sentence. What a step takes is declared
where the step is, and `benchmarks/memory.py` compares it with what is measured.

What may be taken is the least of the machine's available memory and swap, of the limits of the control groups (of
version 1 and 2) that the process is in, less what they use and cannot give back, and of the process's own limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from stemscan.errors import TooLittleMemoryError

__all__ = ["Room", "require_memory", "room"]

_NO_LIMIT: Final = 1 << 60
"""Limits from here on are none."""

_SMALL: Final = 64 << 20
"""Least amount that is asked for: the interpreter itself varies by as much."""


class Room(NamedTuple):
    """Memory that may still be taken, in bytes, and what limits it."""

    free: int
    limit: str


def require_memory(needed: float, purpose: str, remedy: str = "take a smaller grid, or a machine with more") -> None:
    """Refuse what the memory that is there cannot hold.

    Parameters
    ----------
    needed : float
        Bytes at the peak, beyond those that are in use.
    purpose : str
        For what, as in "to draw 8192 x 8192 pixels".
    remedy : str
        Advice, for the message.

    Raises
    ------
    TooLittleMemoryError
    """
    if needed < _SMALL:
        return
    there = room()
    if there is not None and needed > there.free:
        raise TooLittleMemoryError(
            f"expected {_gigabytes(needed)} of free memory {purpose}, got {_gigabytes(there.free)} ({there.limit}); "
            f"{remedy}"
        )


def room(root: Path = Path("/")) -> Room | None:
    """Memory that may still be taken; None where the system does not tell.

    Parameters
    ----------
    root : Path
        Root of the system's folders proc and sys.
    """
    return min((*_machine(root), *_groups(root), *_process(root)), key=lambda found: found.free, default=None)


def _machine(root: Path) -> Iterator[Room]:
    """Memory of the machine: what is available, and free swap."""
    with suppress(OSError, ValueError, KeyError, IndexError):
        fields = _fields(root / "proc/meminfo")
        yield Room(1024 * (fields["MemAvailable"] + fields.get("SwapFree", 0)), "of the whole machine")


def _groups(root: Path) -> Iterator[Room]:
    """Memory that the control groups leave, from the process's own up to the uppermost."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
                    yield from _of_group(root / mount, path, _VERSION_2)
            elif "memory" in controllers.split(","):
                yield from _of_group(root / "sys/fs/cgroup/memory", path, _VERSION_1)


class _Names(NamedTuple):
    """Files of a version of control groups, and the line of memory.stat that tells what can be given back."""

    limit: str
    usage: str
    returnable: str
    swap_limit: str
    swap_usage: str


_VERSION_1: Final = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "", "")
_VERSION_2: Final = _Names("memory.max", "memory.current", "inactive_file", "memory.swap.max", "memory.swap.current")


def _of_group(mount: Path, path: str, names: _Names) -> Iterator[Room]:
    """Memory that a control group and those above it leave; inside a container its own one is at the mount itself."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for count in range(len(parts), -1, -1):
        group = mount.joinpath(*parts[:count])
        with suppress(OSError, ValueError):
            limit = _number(group / names.limit)
            if limit is None or limit >= _NO_LIMIT:
                continue
            free = limit - (_number(group / names.usage) or 0)
            with suppress(OSError, ValueError, IndexError):
                free += _fields(group / "memory.stat").get(names.returnable, 0)
            yield Room(max(0, free) + _swap(group, names), f"limit of {_gigabytes(limit)} of the control group")


def _swap(group: Path, names: _Names) -> int:
    """Swap that a group may still use."""
    if names.swap_limit:
        with suppress(OSError, ValueError):
            limit = _number(group / names.swap_limit)
            if limit is not None:
                return max(0, limit - (_number(group / names.swap_usage) or 0))
    return 0


def _process(root: Path) -> Iterator[Room]:
    """Memory that the process's own limits of address space and of data leave."""
    with suppress(ImportError, OSError, ValueError, KeyError, IndexError):
        import resource

        used = _fields(root / "proc/self/status")
        for kind, size in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
            limit = resource.getrlimit(kind)[0]
            if limit not in (resource.RLIM_INFINITY, -1):
                yield Room(max(0, limit - 1024 * used[size]), f"limit of {_gigabytes(limit)} of the process, ulimit")


def _number(path: Path) -> int | None:
    """The number in a file; None for "max"."""
    text = path.read_text(encoding="utf-8").strip()
    return None if text == "max" else int(text)


def _fields(path: Path) -> dict[str, int]:
    """Numbers by name of a file with a line each; lines of something else are left out."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, rest = line.replace(":", " ", 1).partition(" ")
        value = rest.split()[:1]
        if value and value[0].isdecimal():
            found[name.strip()] = int(value[0])
    return found


def _gigabytes(size: float) -> str:
    """A size for people."""
    return f"{size / 1e9:.3g} GB"
