"""Importing the file of a plug-in, so that the modules beside it are its own.

The file becomes a package of a name that follows from its place and its code, and its neighbours become modules of
that package: two plug-ins may have neighbours of one name, and code that has changed is a new package. Import
statements of these modules, inside functions too, look beside the file first; the standard library and stemscan
cannot be replaced that way.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib import invalidate_caches
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from stemscan.plugins.code import code_digest

__all__ = ["import_file"]

_PREFIX: Final = "stemscan_plugin_"
_INSTALLED: Final = ("site-packages", "dist-packages")


def import_file(file: Path) -> ModuleType:
    """Module of a file: a new one, with new neighbours, where the code has changed.

    Parameters
    ----------
    file : Path
        Absolute.

    Raises
    ------
    BaseException
        Whatever its code raises.
    """
    name = f"{_PREFIX}{sha256(f'{file} {code_digest(file)}'.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    if not any(isinstance(finder, _Neighbours) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Neighbours())
    invalidate_caches()
    loader = _Loader(name, str(file))
    spec = spec_from_file_location(name, file, loader=loader, submodule_search_locations=[str(file.parent)])
    assert spec is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        loader.exec_module(module)
    except BaseException:
        for one in [one for one in sys.modules if one.partition(".")[0] == name]:
            del sys.modules[one]
        raise
    return module


class _Loader(SourceFileLoader):
    """Runs source as it is now, whatever bytecode there is, with the imports of its plug-in."""

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _importer(module.__name__.partition(".")[0])}
        super().exec_module(module)


class _Neighbours(MetaPathFinder):
    """Finds modules beside the file of a plug-in."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not fullname.startswith(_PREFIX):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def _importer(root: str) -> Any:
    """The function behind the import statements of a plug-in."""

    def imported(
        name: str,
        scope: Mapping[str, object] | None = None,
        local: Mapping[str, object] | None = None,
        parts: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or not _is_beside(root, top):
            return __import__(name, scope, local, parts or (), level)
        found = __import__(f"{root}.{name}", scope, local, parts or (), 0)
        return found if parts else sys.modules[f"{root}.{top}"]

    return imported


def _is_beside(root: str, top: str) -> bool:
    """Tell whether a name is that of a neighbour; a folder without ``__init__.py`` is, where nothing else has it."""
    if f"{root}.{top}" in sys.modules:
        return True
    folder = list(sys.modules[root].__path__)
    if top in sys.stdlib_module_names or top == "stemscan" or Path(folder[0]).name in _INSTALLED:
        return False
    spec = PathFinder.find_spec(f"{root}.{top}", folder)
    return spec is not None and (spec.loader is not None or (top not in sys.modules and find_spec(top) is None))
