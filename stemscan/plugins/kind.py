"""Kinds of plug-ins: what is looked up by name, in a file, or handed over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stemscan.errors import InputNotFoundError, PluginError, UsageError, remedy_for
from stemscan.plugins.code import defined_names
from stemscan.plugins.entry_points import entry_points_of, is_whole, origin_of, plugin_of_entry
from stemscan.plugins.plugin import Plugin, attribute_of, bound_values, import_failure, source_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["PluginKind", "split_plugin"]

_SUFFIX: Final = ".py"


@dataclass(frozen=True)
class PluginKind:
    """A kind of plug-ins.

    Attributes
    ----------
    noun : str
        Word for one of them, for messages: "method".
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
        return {name: origin_of(one[0]) for name, one in self._named().items() if not self._refusal(name)}

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
            remedy = remedy_for(text, [*built_in, *self.installed()], "choose one of them")
            raise UsageError(f"expected {self.noun} to be one of {known} or file.py:function, got {text!r}; {remedy}")
        if refusal := self._refusal(text):
            raise (UsageError if len(entries[text]) > 1 else PluginError)(refusal)
        return plugin_of_entry(self.noun, entries[text][0])

    def _named(self) -> dict[str, list[EntryPoint]]:
        """Entry points by name, each once."""
        entries = {(entry.name, entry.value): entry for entry in entry_points_of(self.group, tuple(sys.path))}
        return {name: [one for one in entries.values() if one.name == name] for name, _ in sorted(entries)}

    def _refusal(self, name: str) -> str:
        """Reason why the entry points of a name cannot be used; empty where there is one and it can."""
        entries = self._named().get(name, [])
        owners = " and ".join(f"that of {origin_of(one)}" for one in entries)
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
        if entries and not is_whole(entries[0]):
            return f"expected {self.noun} {name} as module:function, got {owners}; report it to its authors"
        return ""

    def of_object(self, made: Any) -> Plugin:
        """A plug-in that is handed over.

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
        source = partial(source_of, inner)
        own = package if dot else None
        return Plugin(self.noun, name, "the object itself", lambda _: made, source, own, bound=bound_values(made))

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


def _from_file(plugin: Plugin, file: Path, name: str) -> Any:
    """Import what a file calls by a name."""
    from stemscan.plugins.importing import import_file

    try:
        module = import_file(file)
    except (Exception, SystemExit) as problem:
        raise import_failure(plugin, problem) from problem
    return attribute_of(plugin, module, name, f"it has {', '.join(defined_names(file)) or 'no function'}")
