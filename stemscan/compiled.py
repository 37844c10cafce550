"""The one way in which this project compiles functions with numba.

No fastmath: results must be the same on every machine. Compiled code is cached on disk and releases the interpreter
lock. Import this module only where compiled code is needed: it imports numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["compiled"]

Function = TypeVar("Function", bound=Callable[..., Any])


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
    """
    decorator: Callable[[Function], Function] = numba.njit(
        cache=True, nogil=True, parallel=parallel, inline="always" if inline else "never"
    )
    return decorator
