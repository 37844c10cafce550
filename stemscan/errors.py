"""Every error that stemscan raises on purpose.

Each derives from `StemscanError` and from the built-in that fits, so that callers can catch either. Messages read
"expected ..., got ..., do ..." in one sentence. `exit_code` is what the command line returns: 2 where the command was
used wrongly, 1 where the input or the machine failed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Final


class StemscanError(Exception):
    """Base of all errors of this project."""

    exit_code = 1


class StemscanWarning(UserWarning):
    """Something that a user should know, and that stops nothing."""


class UsageError(StemscanError, ValueError):
    """A command or function was called with arguments that cannot be meant."""

    exit_code = 2


class PlanError(StemscanError, ValueError):
    """A scan plan is malformed, impossible or refused by its own limits."""


class DoseLimitError(PlanError):
    """A plan exceeds the dose limit that it sets itself."""


class ProfileError(PlanError):
    """A controller profile is malformed, or cannot do what a plan asks for."""


class SpecimenError(StemscanError, ValueError):
    """A specimen cannot be read, rendered or fitted to the plan's grid."""


class ControllerError(StemscanError, RuntimeError):
    """A scan controller failed or broke its protocol."""


class UnprovenError(ControllerError):
    """It cannot be told to which samples a controller's readings belong; those before `proven` are right.

    Parameters
    ----------
    proven : int
        The first sample whose readings are not to be kept.
    """

    def __init__(self, message: str, *, proven: int) -> None:
        super().__init__(message)
        self.proven = proven


class StoreError(StemscanError, ValueError):
    """An acquisition store is missing parts, damaged or of another schema."""


class StoreMismatchError(StoreError):
    """A store was begun with another plan, specimen or seed than the one to go on with."""


class DiskSpaceError(StemscanError, OSError):
    """The disk cannot hold what is about to be written."""


class TooLittleMemoryError(StemscanError, MemoryError):
    """More memory was asked for than there is."""


class InputNotFoundError(StemscanError, FileNotFoundError):
    """A file or folder that was named does not exist."""

    exit_code = 2


class OutputExistsError(StemscanError, FileExistsError):
    """An output is already there and overwriting was not asked for."""

    exit_code = 2


class DataError(StemscanError, ValueError):
    """A file of measured data is damaged or of another format than its name says."""


class ReconError(StemscanError, ValueError):
    """A reconstruction method cannot work on these inputs or settings."""


class WeightsError(StemscanError, ValueError):
    """A weights file is missing, damaged, or belongs to another network."""


class TrainingError(StemscanError, ValueError):
    """A training run cannot begin, go on, or has gone wrong."""


class MissingDependencyError(StemscanError, ImportError):
    """An optional package is needed for what was asked."""


class PluginError(StemscanError, ImportError):
    """A plug-in cannot be imported."""


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
    errno.EBUSY: "close it there and try again",
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


def remedy_for(name: str, known: Iterable[str], otherwise: str) -> str:
    """Question after the known name that a mistyped one resembles, or other advice.

    Examples
    --------
    >>> remedy_for("possion", ("poisson", "eq5"), "choose one")
    "did you mean 'poisson'?"
    """
    from difflib import get_close_matches

    names = {one.lower(): one for one in known}
    matches = get_close_matches(name.strip("'").lower(), names, n=1)
    return f"did you mean {names[matches[0]]!r}?" if matches else otherwise
