"""A digest of a method's code, to tell rows that another state of the code computed.

The cache knows a method by the version of this package, which does not change while someone works on a method. So each
row also keeps the digest of the code that made it, and an evaluation says which of its rows are older than the code. It
is made of the syntax trees, so that comments, docstrings and layout do not matter. The code of a plug-in is a part of
what its cases are known by.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Digest of all modules in the folders of a method of this package: its own, and those that hold its networks.

    Parameters
    ----------
    method : str

    Returns
    -------
    str
        16 hexadecimal digits a folder; empty where the source is not at hand.
    """
    chains = [one.chain for one in ARCHITECTURES.values() if one.method == method and one.chain]
    modules = [name.partition(":")[0] for name in (str(built_in()[method].function), *chains)]
    origins = [spec.origin for spec in map(find_spec, modules) if spec is not None]
    if not all(origin is not None and origin.endswith(".py") for origin in origins):
        return ""
    folders = dict.fromkeys(Path(str(origin)).parent for origin in origins)
    return "-".join(map(_folder_digest, folders))


@lru_cache(maxsize=64)
def _folder_digest(folder: Path) -> str:
    """Digest of the syntax trees of a folder's modules."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(f"{file.name}\n{code_text(file)}\n".encode())
    return digest.hexdigest()[:16]
