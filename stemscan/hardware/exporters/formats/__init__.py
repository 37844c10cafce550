"""Formats that a plan can be exported to: a module each, found without being listed."""

from importlib import import_module
from operator import attrgetter
from pkgutil import iter_modules

from stemscan.hardware.exporters.format import Format

__all__ = ["FORMATS"]

_MODULES = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]

FORMATS: dict[str, Format] = {
    one.name: one for one in sorted((one for module in _MODULES for one in module.FORMATS), key=attrgetter("name"))
}
"""All formats by their names."""
