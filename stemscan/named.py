"""Objects found by name when they are first used: what is heavy, and what stands above the one who calls it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["import_named"]


def import_named(name: str) -> Any:
    """The object that ``module:name`` names.

    Examples
    --------
    >>> import_named("math:sqrt")(9.0)
    3.0
    """
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
