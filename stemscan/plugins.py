"""Plug-ins: code of other people, found by the name of an entry point or as ``file.py:function``, or handed over.

One mechanism for all kinds of plug-ins. Nothing is imported before `Plugin.load`, and whatever is wrong is told in one
sentence that names the plug-in: a file or function that is not there, an import that fails, with the line of the
plug-in's own code, and names that two plug-ins share, or a plug-in and something built in.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from types import CellType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from stemscan.errors import InputNotFoundError, PluginError, UsageError
from stemscan.plugin_code import code_digest, defined_names, files_of_code

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Plugin", "PluginKind", "blame_instance", "split_plugin"]

_SUFFIX: Final = ".py"

_EMPTY: Final = CellType()
"""A variable of a closure that has no value yet."""


@dataclass(frozen=True)
class Plugin:
    """A plug-in that was found; `load` imports it.

    Attributes
    ----------
    noun : str
        What it is: "method", "controller".
    name : str
        Name of the entry point, ``file.py:function`` without folder, or name of the object.
    origin : str
        Where it comes from, for people: the package with its version, or the file.
    file : Path or None
        The file that it was named by.
    bound : mapping
        What was bound to an object that was handed over: arguments of a partial, attributes of an instance, and plain
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
    source = _no_source if package == "stemscan" else partial(_source_of, made)
    return Plugin("object", "", "", _itself, source, package if dot else None).blame(problem)


@dataclass(frozen=True)
class PluginKind:
    """A kind of plug-ins.

    Attributes
    ----------
    noun : str
        What it is, for messages: "method".
    group : str
        Group of entry points under which packages name theirs: "stemscan.methods".
    built_in : callable
        Gives the names that are taken.
    """

    noun: str
    group: str
    built_in: Callable[[], Collection[str]]

    def installed(self) -> dict[str, str]:
        """Names of the plug-ins of installed packages that can be used, and where they come from."""
        return {name: _origin(one[0]) for name, one in self._named().items() if not self._refusal(name)}

    def unusable(self) -> list[str]:
        """Plug-ins of installed packages that cannot be used, and why: a sentence for each."""
        return [reason for name in self._named() if (reason := self._refusal(name))]

    def shadows(self, text: str) -> str:
        """Say that the built-in one of a name is taken although a package has one, too; empty where none has."""
        return self._refusal(text) if text in self.built_in() else ""

    def find(self, text: str) -> Plugin | None:
        """A plug-in by name or file.

        Parameters
        ----------
        text : str
            Name of an entry point, or ``file.py:function``.

        Returns
        -------
        Plugin or None
            None where it is the name of something built in, which comes before those of packages; see `shadows`.

        Raises
        ------
        UsageError
            When there is none of that name, or more than one.
        PluginError
            When its entry point does not name a function of a module.
        InputNotFoundError
            When there is no such file.
        """
        head, _, name = text.rpartition(":")
        if Path(head).suffix == _SUFFIX:
            return self._of_file(text, Path(head).absolute(), name)
        if Path(text).suffix == _SUFFIX:
            example = next(iter(defined_names(Path(text))), self.noun)
            raise UsageError(f"expected {self.noun} as file.py:function, got {text!r}; write {text}:{example}")
        built_in, entries = self.built_in(), self._named()
        if text in built_in:
            return None
        if text not in entries:
            known = ", ".join([*built_in, *self.installed()])
            raise UsageError(f"expected {self.noun} to be one of {known} or file.py:function, got {text!r}")
        if refusal := self._refusal(text):
            raise (UsageError if len(entries[text]) > 1 else PluginError)(refusal)
        return _of_entry(self.noun, entries[text][0])

    def _named(self) -> dict[str, list[EntryPoint]]:
        """Entry points by name, each once."""
        entries = {(entry.name, entry.value): entry for entry in _entry_points(self.group, tuple(sys.path))}
        return {name: [one for one in entries.values() if one.name == name] for name, _ in sorted(entries)}

    def _refusal(self, name: str) -> str:
        """Reason why the entry points of a name cannot be used; empty where there is one and it can."""
        entries = self._named().get(name, [])
        owners = " and ".join(f"that of {_origin(one)}" for one in entries)
        if entries and name in self.built_in():
            return (
                f"expected one {self.noun} of the name {name}, got the built-in one, which is taken, and {owners}; "
                "uninstall that package, or give its entry point another name"
            )
        if len(entries) > 1:
            return (
                f"expected one {self.noun} of the name {name}, got {owners}; uninstall the package that you do not "
                "need, or give its entry point another name"
            )
        if entries and not _is_whole(entries[0]):
            return f"expected {self.noun} {name} as module:function, got {owners}; report it to its authors"
        return ""

    def of_object(self, made: Any) -> Plugin:
        """A plug-in that is handed over.

        Parameters
        ----------
        made : callable

        Returns
        -------
        Plugin
            Of the object's own name.

        Raises
        ------
        UsageError
            When it cannot be called.
        """
        if not callable(made):
            raise UsageError(
                f"expected {self.noun} to be a name, file.py:function or a function, got {type(made).__name__} {made!r}"
            )
        inner = made.func if isinstance(made, partial) else made
        name = getattr(inner, "__name__", type(inner).__name__)
        package, dot, _ = str(getattr(inner, "__module__", "")).partition(".")
        source = partial(_source_of, inner)
        own = package if dot else None
        return Plugin(self.noun, name, "the object itself", lambda _: made, source, own, bound=_bound(made))

    def _of_file(self, text: str, file: Path, name: str) -> Plugin:
        """A plug-in of a file."""
        if not file.is_file():
            raise InputNotFoundError(f"expected the file of {self.noun} {text}, got none at {str(file)!r}; check it")
        get = partial(_from_file, file=file, name=name)
        return Plugin(self.noun, f"{file.name}:{name}", f"file {str(file)!r}", get, lambda: file, None, file)


def split_plugin(text: str) -> tuple[str, str]:
    """Part a name, or ``file.py:function``, from what follows after a further colon.

    Examples
    --------
    >>> split_plugin("fshnet:w.safetensors"), split_plugin("my.py:net:w.safetensors"), split_plugin("my.py:net")
    (('fshnet', 'w.safetensors'), ('my.py:net', 'w.safetensors'), ('my.py:net', ''))
    """
    file, found, rest = text.partition(f"{_SUFFIX}:")
    name, _, more = (rest if found else text).partition(":")
    return (f"{file}{found}{name}", more) if found else (name, more)


@lru_cache(maxsize=16)
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Entry points of a group; looked for anew where `sys.path` has changed."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group))


def _origin(entry: EntryPoint) -> str:
    """Where an entry point comes from, in words."""
    owner = "an unnamed package" if entry.dist is None else f"package {entry.dist.name} {entry.dist.version}"
    return f"{owner} ({entry.value})"


def _is_whole(entry: EntryPoint) -> bool:
    """Tell whether an entry point names something in a module."""
    match = entry.pattern.match(entry.value)
    return match is not None and bool(match.group("attr"))


def _of_entry(noun: str, entry: EntryPoint) -> Plugin:
    """A plug-in of an installed package."""
    get, source = partial(_from_entry, entry=entry), partial(_source_of_module, entry.module)
    return Plugin(noun, entry.name, _origin(entry), get, source, entry.module.partition(".")[0])


def _from_entry(plugin: Plugin, entry: EntryPoint) -> Any:
    """Import what an entry point names."""
    from importlib import import_module

    try:
        module = import_module(entry.module)
    except (Exception, SystemExit) as problem:
        raise _failed(plugin, problem) from problem
    return _attribute(plugin, module, entry.attr, "report it to its authors")


def _from_file(plugin: Plugin, file: Path, name: str) -> Any:
    """Import what a file calls by a name."""
    from stemscan.plugin_import import import_file

    try:
        module = import_file(file)
    except (Exception, SystemExit) as problem:
        raise _failed(plugin, problem) from problem
    return _attribute(plugin, module, name, f"it has {', '.join(defined_names(file)) or 'no function'}")


def _failed(plugin: Plugin, problem: BaseException) -> PluginError:
    """An import that failed."""
    return PluginError(
        f"expected to import {plugin} from {plugin.origin}, got {plugin.blame(problem)}; mend it, or install what it "
        "needs"
    )


def _attribute(plugin: Plugin, module: ModuleType, dotted: str, advice: str) -> Any:
    """Look up a dotted name in a module."""
    found: Any = module
    for part in dotted.split("."):
        if not hasattr(found, part):
            raise UsageError(f"expected {plugin} to be in {module.__file__!r}, got no {dotted!r} there; {advice}")
        found = getattr(found, part)
    return found


def _bound(made: Any) -> dict[str, Any]:
    """Values by name that are bound to a partial, a method of an instance, an instance or a closure."""
    if isinstance(made, partial):
        try:
            given = inspect.signature(made.func).bind_partial(*made.args, **made.keywords).arguments
        except (TypeError, ValueError):
            given = {str(number): value for number, value in enumerate(made.args)} | made.keywords
        return {**_bound(made.func), **given}
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


def _itself(plugin: Plugin) -> Any:
    """Get nothing: the object is there already."""
    return plugin


def _no_source() -> Path | None:
    """No source, as of the code of this package."""
    return None


def _source_of(made: Any) -> Path | None:
    """Source file of an object or its class."""
    for one in (made, type(made)):
        with suppress(TypeError, OSError):
            found = inspect.getsourcefile(one)
            if found is not None and Path(found).is_file():
                return Path(found)
    return None


def _source_of_module(name: str) -> Path | None:
    """Source file of an installed module."""
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and Path(spec.origin).suffix == _SUFFIX else None
