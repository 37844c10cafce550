"""Declarations of the rooms of reconstruction: each room says in a light module ``declaration`` what it offers.

A room is found by its folder, so that a new method or network touches no module but its own. Declarations name their
functions and classes as ``module:name`` and import nothing heavy: `import_named` does so when they are first used.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from stemscan import recon

__all__ = ["declarations"]


@cache
def declarations(what: str) -> tuple[Any, ...]:
    """Everything that the rooms declare of one kind.

    Parameters
    ----------
    what : str
        Name in their modules ``declaration``: ``METHODS``, ``ARCHITECTURES``.
    """
    rooms = sorted(file.parent.name for place in recon.__path__ for file in Path(place).glob("*/declaration.py"))
    modules = [import_module(f"stemscan.recon.{room}.declaration") for room in rooms]
    return tuple(one for module in modules for one in getattr(module, what, ()))
