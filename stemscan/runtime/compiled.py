"""The one way in which this project compiles functions with numba.

No fastmath: results must be the same on every machine. Compiled code is cached on disk, where there is a place for it,
and releases the interpreter lock. Import this module only where compiled code is needed: it imports numba.
"""

from __future__ import annotations

import os
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

from stemscan.errors import StemscanWarning
from stemscan.runtime.compiling import compilation_begins

__all__ = ["compiled"]

Function = TypeVar("Function", bound=Callable[..., Any])

_PROBLEMS = (  # a damaged pickle raises any of these
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ImportError,
    MemoryError,
    RuntimeError,
    pickle.PickleError,
)
_REPORTING = threading.Lock()
_REPORTED = "STEMSCAN_COMPILES_WITHOUT_CACHE"
"""Variable of the environment by which the processes that this one starts know that it was said."""


class _CacheWherePossible(FunctionCache):  # type: ignore[misc]
    """numba's cache of one function, gone without where its files cannot be read or written, or are damaged."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Compiled code, or None."""
        found = None
        try:
            found = super().load_overload(sig, target_context)
        except _PROBLEMS as problem:
            _report(problem)
        if found is None:
            compilation_begins()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code."""
        try:
            super().save_overload(sig, data)
        except _PROBLEMS as problem:  # it reads what is there before
            _report(problem)


def compiled(*, parallel: bool = False, inline: bool = False) -> Callable[[Function], Function]:
    """Compile a function in nopython mode.

    Parameters
    ----------
    parallel : bool
        Let `numba.prange` loops run on several threads.
    inline : bool
        Copy the body into compiled callers.

    Returns
    -------
    callable
        Decorator that keeps the function's static type.

    Warns
    -----
    StemscanWarning
        Once in a process, when compiled code cannot be cached.
    """
    compile_it = numba.njit(nogil=True, parallel=parallel, inline="always" if inline else "never")

    def decorator(function: Function) -> Function:
        made: Any = compile_it(function)
        if hasattr(made, "enable_caching"):  # not under NUMBA_DISABLE_JIT
            try:
                made._cache = _CacheWherePossible(function)
            except (RuntimeError, OSError) as problem:  # no folder that can be written
                _report(problem)
        result: Function = made
        return result

    return decorator


def _report(problem: Exception) -> None:
    """Say once that code is compiled anew each time; the processes that this one starts need not say it again."""
    with _REPORTING:
        if _REPORTED in os.environ:
            return
        os.environ[_REPORTED] = "1"
    reason = "no folder for it can be written" if isinstance(problem, RuntimeError) else _in_words(problem)
    warnings.warn(
        f"compiled code cannot be cached ({reason}), so that every command compiles it anew and is slower; let "
        "NUMBA_CACHE_DIR name a folder that can be written",
        StemscanWarning,
        stacklevel=2,
    )


def _in_words(problem: Exception) -> str:
    """Fault of a file of the cache."""
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror
    return f"a damaged file: {str(problem) or type(problem).__name__}"
