"""Refusals of the system in words: the true cause, and the remedy."""

from __future__ import annotations

import errno
from typing import Final

__all__ = ["NO_THREAD", "is_out_of_threads", "refusal"]

_REMEDIES: Final = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or have the quota raised",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "choose a place that can be written to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file",
    errno.ELOOP: "mend the link",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs: all of the machine's open files are in use",
    errno.EIO: "check the disk and the connection to it",
    errno.ESTALE: "check the connection to the file server",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f), or choose another disk",
}

NO_THREAD: Final = (
    "expected to start a thread, got the limit of processes and threads (ulimit -u, or that of the container or batch "
    "system); raise it, or end other programs"
)


def refusal(problem: OSError) -> str:
    """Reason and remedy.

    Examples
    --------
    >>> refusal(OSError(28, "No space left on device"))
    'No space left on device; free some space'
    """
    reason = problem.strerror or " ".join(str(problem).split()) or type(problem).__name__
    remedy = _REMEDIES.get(problem.errno or 0, "")
    return f"{reason}; {remedy}" if remedy else reason


def is_out_of_threads(problem: BaseException) -> bool:
    """Tell whether an error, or one that led to it, says that no thread can be started."""
    seen: BaseException | None = problem
    while seen is not None:
        if isinstance(seen, RuntimeError) and "can't start new thread" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
