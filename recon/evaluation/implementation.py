"""A digest of a method's code, to tell rows that another state of the code computed.

The cache knows a method by the version of this package, which does not change while someone works on a method. So each
row also keeps the digest of the code that made it, and an evaluation says which of its rows are older than the code. It
is made of the syntax trees, so that comments, docstrings and layout do not matter.
"""

from __future__ import annotations

import ast
import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from stemscan.recon.evaluation.contenders import ORACLE
from stemscan.recon.registry import METHODS

__all__ = ["implementation_digest"]

_ORACLE_MODULE = "stemscan.recon.fourier_eb.spectral_oracle"


@lru_cache(maxsize=256)
def implementation_digest(method: str) -> str:
    """Digest of all modules in the folder of a method's module.

    Parameters
    ----------
    method : str
        A name in `stemscan.recon.registry.METHODS`, or the oracle's.

    Returns
    -------
    str
        16 hexadecimal digits; empty where the source is not at hand.
    """
    spec = find_spec(_ORACLE_MODULE if method == ORACLE else METHODS[method].module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return ""
    return _folder_digest(Path(spec.origin).parent)


@lru_cache(maxsize=64)
def _folder_digest(folder: Path) -> str:
    """Digest of the syntax trees of a folder's modules."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        digest.update(f"{file.name}\n{ast.dump(_without_docstrings(tree))}\n".encode())
    return digest.hexdigest()[:16]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    """The tree without docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree
