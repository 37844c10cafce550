"""Lists of the methods and their settings: for people, for programs, and for the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stemscan.recon.method import Method
from stemscan.recon.registry import DEFAULT_METHOD, PLUGINS, built_in

__all__ = ["described", "known_methods", "markdown", "setting_lines"]


def known_methods() -> dict[str, str]:
    """Every name that `reconstruct` takes and what is behind it: of this package, then of installed plug-ins."""
    names = {name: method.description for name, method in built_in().items()}
    return names | {name: f"plug-in of {origin}" for name, origin in PLUGINS.installed().items()}


def described(method: Method) -> dict[str, Any]:
    """Everything about a method as plain data; imports it.

    Returns
    -------
    dict
        With an entry ``settings``: for each its name, type, default, and text.
    """
    return {
        "name": method.name,
        "description": method.description,
        "origin": "stemscan" if method.plugin is None else method.plugin.origin,
        "needs_weights": method.needs_weights,
        "uses_torch": method.uses_torch,
        "gives_std": method.gives_std,
        "settings": [
            {
                "name": one.name,
                "type": one.kind,
                "default": None if one.required else one.default,
                "required": one.required,
                "text": one.text,
            }
            for one in method.settings().values()
        ],
    }


def setting_lines(method: Method) -> list[str]:
    """The settings of a method for people; imports it."""
    lines = []
    for one in method.settings().values():
        lines += [f"  {one}", f"      {one.text}" if one.text else ""]
    return [line for line in lines if line] or ["  it has no settings"]


def markdown(methods: Iterable[Method]) -> str:
    """The table of methods in the documentation.

    Returns
    -------
    str
        Lines of Markdown.
    """
    lines = ["| name | what it is | standard deviation | settings |", "|---|---|---|---|"]
    for method in methods:
        name = f"`{method.name}`" + (" (default)" if method.name == DEFAULT_METHOD else "")
        settings = ", ".join(f"`{one}`" for one in method.settings())
        lines.append(f"| {name} | {method.description} | {'yes' if method.gives_std else 'no'} | {settings} |")
    return "\n".join(lines) + "\n"
