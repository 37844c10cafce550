"""A plug-in: how it is called, where it comes from, and how it is imported."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CellType, ModuleType
from typing import Any, Final

from stemscan.errors import PluginError, UsageError
from stemscan.plugins.code import code_digest, files_of_code

__all__ = ["Plugin", "attribute_of", "blame_instance", "bound_values", "import_failure", "itself", "source_of"]

_EMPTY: Final = CellType()
"""A variable of a closure that has no value yet."""


@dataclass(frozen=True)
class Plugin:
    """A plug-in that was found; `load` imports it.

    Attributes
    ----------
    noun : str
        Kind: "method", "controller".
    name : str
        Name of the entry point, ``file.py:function`` without folder, or name of the object.
    origin : str
        Origin, for people: the package with its version, or the file.
    file : Path or None
        The file that it was named by.
    bound : mapping
        Values bound to an object that was handed over: arguments of a partial, attributes of an instance, and plain
        values that a function took from the one around it.
    """

    noun: str
    name: str
    origin: str
    _get: Callable[[Plugin], Any]
    _source: Callable[[], Path | None]
    _package: str | None = None
    file: Path | None = None
    bound: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.noun} {self.name}"

    def load(self) -> Any:
        """The plug-in's function, class or other object that can be called; imports its module.

        Raises
        ------
        UsageError
            When its module holds nothing of that name, or nothing that can be called.
        PluginError
            When its module cannot be imported.
        """
        found = self._get(self)
        if not callable(found):
            raise UsageError(f"expected {self} to be a function, got {type(found).__name__}; name another")
        return found

    def digest(self) -> str:
        """Digest of the plug-in's code: its file, and what that imports of the same folder or package.

        Returns
        -------
        str
            64 hexadecimal digits; empty where the source is not at hand.
        """
        file = self._source()
        return "" if file is None else code_digest(file, self._package)

    def blame(self, problem: BaseException) -> str:
        """An error in words, with the last line of the plug-in's own code that led to it.

        Parameters
        ----------
        problem : BaseException
            Caught on its way out of the plug-in.

        Returns
        -------
        str
            Such as ``ZeroDivisionError: division by zero, line 12 of /home/ann/idw.py``.
        """
        kind = type(problem).__name__
        if isinstance(problem, SyntaxError) and problem.filename:
            return f"{kind}: {problem.msg}, line {problem.lineno} of {problem.filename}"
        words = " ".join(f"{kind}: {problem}".removesuffix(": ").split())
        file = self._source()
        own = set() if file is None else set(map(str, files_of_code(file, self._package)))
        frames = [frame for frame in traceback.extract_tb(problem.__traceback__) if frame.filename in own]
        return f"{words}, line {frames[-1].lineno} of {frames[-1].filename}" if frames else words


def blame_instance(made: object, problem: BaseException) -> str:
    """An error in words, with the last line that led to it of the code of an object's class; see `Plugin.blame`.

    Parameters
    ----------
    made : object
        Of a class of other people.
    problem : BaseException
        Caught on its way out of it.
    """
    package, dot, _ = type(made).__module__.partition(".")
    source = _no_source if package == "stemscan" else partial(source_of, made)
    return Plugin("object", "", "", itself, source, package if dot else None).blame(problem)


def import_failure(plugin: Plugin, problem: BaseException) -> PluginError:
    """An import that failed."""
    return PluginError(
        f"expected to import {plugin} from {plugin.origin}, got {plugin.blame(problem)}; mend it, or install what it "
        "needs"
    )


def attribute_of(plugin: Plugin, module: ModuleType, dotted: str, advice: str) -> Any:
    """Look up a dotted name in a module."""
    found: Any = module
    for part in dotted.split("."):
        if not hasattr(found, part):
            raise UsageError(f"expected {plugin} to be in {module.__file__!r}, got no {dotted!r} there; {advice}")
        found = getattr(found, part)
    return found


def bound_values(made: Any) -> dict[str, Any]:
    """Values by name that are bound to a partial, a method of an instance, an instance or a closure."""
    if isinstance(made, partial):
        try:
            given = inspect.signature(made.func).bind_partial(*made.args, **made.keywords).arguments
        except (TypeError, ValueError):
            given = {str(number): value for number, value in enumerate(made.args)} | made.keywords
        return {**bound_values(made.func), **given}
    if inspect.ismethod(made):
        return {} if inspect.isclass(made.__self__) else _state(made.__self__)
    if inspect.isfunction(made):
        taken = zip(made.__code__.co_freevars, made.__closure__ or (), strict=False)
        found = {name: cell.cell_contents for name, cell in taken if cell != _EMPTY}
        return {name: value for name, value in found.items() if isinstance(value, bool | int | float | str)}
    return {} if hasattr(made, "__name__") else _state(made)


def _state(instance: Any) -> dict[str, Any]:
    """Attributes of an instance, those in slots too."""
    slots = [name for kind in type(instance).__mro__ for name in (getattr(kind, "__slots__", None) or ())]
    inside = {name: getattr(instance, name) for name in slots if hasattr(instance, name)}
    return inside | getattr(instance, "__dict__", {})


def _no_source() -> Path | None:
    """No source, as of the code of this package."""
    return None


def itself(plugin: Plugin) -> Any:
    """Get nothing: the object is there already."""
    return plugin


def source_of(made: Any) -> Path | None:
    """Source file of an object or its class."""
    for one in (made, type(made)):
        with suppress(TypeError, OSError):
            found = inspect.getsourcefile(one)
            if found is not None and Path(found).is_file():
                return Path(found)
    return None
