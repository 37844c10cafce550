"""A digest of a method's code, to tell rows that another state of the code computed.

The cache knows a method by the version of this package, which does not change while someone works on a method. So each
row also keeps the digest of the code that made it, and an evaluation says which of its rows are older than the code. It
is made of the syntax trees, so that comments, docstrings and layout do not matter. The code of a plug-in is a part of
what its cases are known by.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from stemscan import recon
from stemscan.plugins.code import code_text
from stemscan.recon.networks.registry import ARCHITECTURES
from stemscan.recon.registry import built_in

if TYPE_CHECKING:
    from stemscan.recon.evaluation.contenders import Contender

__all__ = ["code_of", "implementation_digest"]


def code_of(contender: Contender) -> str:
    """Digest of the code of a contender's method."""
    return contender.code or implementation_digest(contender.method)


@lru_cache(maxsize=256)
def implementation_digest(method: str) -> str:
    """Digest of all modules in the rooms of a method of this package: its own, its networks', and those that they use.

    Returns
    -------
    str
        16 hexadecimal digits; empty where the source is not at hand.
    """
    chains = [one.chain for one in ARCHITECTURES.values() if one.method == method and one.chain]
    modules = [name.partition(":")[0] for name in (str(built_in()[method].function), *chains)]
    origins = [spec.origin for spec in map(find_spec, modules) if spec is not None]
    if not all(origin is not None and origin.endswith(".py") for origin in origins):
        return ""
    folders = list(dict.fromkeys(Path(str(origin)).parent for origin in origins))
    for folder in folders:  # which grows meanwhile
        folders += [room for room in _rooms_of_methods(folder) if room not in folders]
    return hashlib.sha256("".join(map(_folder_digest, folders)).encode()).hexdigest()[:16]


def _rooms_of_methods(folder: Path) -> list[Path]:
    """Other rooms with methods of their own from which the modules of a folder import."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py")))
    names = sorted(set(re.findall(r"^\s*from stemscan\.recon\.(\w+)\.", text, re.MULTILINE)) - {folder.name})
    rooms = [Path(place) / name for name in names for place in recon.__path__]
    return [room for room in rooms if (room / "declaration.py").is_file()]


@lru_cache(maxsize=64)
def _folder_digest(folder: Path) -> str:
    """Digest of the syntax trees of a folder's modules."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(f"{file.name}\n{code_text(file)}\n".encode())
    return digest.hexdigest()[:16]
