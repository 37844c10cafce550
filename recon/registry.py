"""The methods by name: those of this package, found in the declarations of its rooms, and plug-ins.

A method of other people is found by the name of an entry point in the group ``stemscan.methods``, as
``file.py:function``, or handed over as the function itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from stemscan.plugins.kind import PluginKind
from stemscan.recon.declared import declarations
from stemscan.recon.method import Method
from stemscan.recon.weights import SHIPPED

__all__ = [
    "DEFAULT_METHOD",
    "PLUGINS",
    "AnyMethod",
    "built_in",
    "default_method",
    "memory_remedy",
    "method_names",
    "method_of",
    "ready_methods",
]

AnyMethod = str | Method | Callable[..., Any]
"""A name, ``file.py:function``, a declaration, or a function."""

DEFAULT_METHOD: Final = "blend"

_LIGHTER: Final = ("fshnet", "lowpass")
"""Methods that are recommended where there is little memory, the better one first."""


@cache
def built_in() -> Mapping[str, Method]:
    """The methods of this package by name, in the order of their ranks; imports none of them."""
    found = sorted(declarations("METHODS"), key=lambda method: (method.rank, method.name))
    return MappingProxyType({method.name: method for method in found})


def default_method(*, with_weights: bool) -> str:
    """The method where none is named: with weights of one's own that which runs them, FSHNet."""
    return "fshnet" if with_weights else DEFAULT_METHOD


def memory_remedy(method: Method) -> str:
    """Advice where there is too little memory for a method."""
    lighter = next((name for name in _LIGHTER if method.memory > built_in()[name].memory), None)
    instead = "" if lighter is None else f"a method that needs less memory, such as {lighter}, "
    return f"take {instead}a smaller grid, or a machine with more"


def method_names() -> list[str]:
    """Names of the methods of this package, without marks that look at the truth."""
    return [name for name, method in built_in().items() if not method.sees_truth]


PLUGINS: Final = PluginKind("method", "stemscan.methods", lambda: built_in())


def method_of(method: AnyMethod) -> Method:
    """A method; imports it if it is a plug-in.

    Raises
    ------
    UsageError
        When there is none of that name or more than one, or the function takes no inputs.
    StemscanError
        When a plug-in cannot be imported.
    """
    if isinstance(method, Method):
        return method
    plugin = PLUGINS.find(method) if isinstance(method, str) else PLUGINS.of_object(method)
    return built_in()[str(method)] if plugin is None else Method.of_plugin(plugin)


def ready_methods(weights_for: Collection[str] = ()) -> list[str]:
    """Names of the methods of this package that have what they need: no weights, shipped ones, or given ones.

    Parameters
    ----------
    weights_for : collection of str
        Methods for which weights are given.
    """
    methods = built_in()
    return [
        name for name in method_names() if not methods[name].needs_weights or name in SHIPPED or name in weights_for
    ]
