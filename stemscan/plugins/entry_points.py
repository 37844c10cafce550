"""Plug-ins of installed packages: entry points, read when a name is asked for."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemscan.plugins.plugin import Plugin, attribute_of, import_failure

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["entry_points_of", "is_whole", "origin_of", "plugin_of_entry"]


@lru_cache(maxsize=16)
def entry_points_of(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Entry points of a group; looked for anew where `sys.path` has changed."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group))


def origin_of(entry: EntryPoint) -> str:
    """Where an entry point comes from, in words."""
    owner = "an unnamed package" if entry.dist is None else f"package {entry.dist.name} {entry.dist.version}"
    return f"{owner} ({entry.value})"


def is_whole(entry: EntryPoint) -> bool:
    """Tell whether an entry point names something in a module."""
    match = entry.pattern.match(entry.value)
    return match is not None and bool(match.group("attr"))


def plugin_of_entry(noun: str, entry: EntryPoint) -> Plugin:
    """A plug-in of an installed package."""
    get, source = partial(_from_entry, entry=entry), partial(_source_of_module, entry.module)
    return Plugin(noun, entry.name, origin_of(entry), get, source, entry.module.partition(".")[0])


def _from_entry(plugin: Plugin, entry: EntryPoint) -> Any:
    """Import what an entry point names."""
    from importlib import import_module

    try:
        module = import_module(entry.module)
    except (Exception, SystemExit) as problem:
        raise import_failure(plugin, problem) from problem
    return attribute_of(plugin, module, entry.attr, "report it to its authors")


def _source_of_module(name: str) -> Path | None:
    """Source file of an installed module."""
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and Path(spec.origin).suffix == ".py" else None
