"""Patterns, the pixels that one pass visits: a module of this folder a family, found without being listed.

`stemscan.plan.patterns.base.PatternBase` says what a pattern declares.
"""

from functools import reduce
from importlib import import_module
from operator import or_
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from stemscan.plan.patterns.base import AreaPattern, PatternBase
from stemscan.plan.value import by_kind

__all__ = ["PATTERNS", "AreaPattern", "Pattern", "PatternBase"]


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

PATTERNS: dict[str, type[PatternBase]] = by_kind(PatternBase)
"""All patterns by their kind."""

if TYPE_CHECKING:
    Pattern = PatternBase
else:
    Pattern = Annotated[reduce(or_, PATTERNS.values()), Field(discriminator="kind")]
    """Any pattern, told apart by its `kind`."""
