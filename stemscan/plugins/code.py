"""Source code as plug-ins and caches see it: which files belong together, and a digest that changes with what they do.

The digest is made of syntax trees, so that comments, docstrings and layout do not matter.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["code_digest", "code_text", "defined_names", "files_of_code"]


def code_digest(file: Path, package: str | None = None) -> str:
    """Digest of a file and of what it imports of its own folder or package; see `files_of_code`.

    Returns
    -------
    str
        SHA-256 as 64 hexadecimal digits.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    digest = hashlib.sha256()
    base = _base(file, package)
    for found in sorted(files_of_code(file, package)):
        digest.update(f"{found.relative_to(base).as_posix()}\n{code_text(found)}\n".encode())
    return digest.hexdigest()


def code_text(file: Path) -> str:
    """Text that is the same for files that do the same: the syntax tree without docstrings.

    Returns
    -------
    str
        The bytes themselves of a file that cannot be parsed.
    """
    content = file.read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return repr(content)
    return ast.dump(_without_docstrings(tree))


def files_of_code(file: Path, package: str | None = None) -> set[Path]:
    """The file and all that it imports, by way of others too, of its own code.

    Parameters
    ----------
    package : str, optional
        Name of the top-level package whose modules are its own code; those that lie beside the file by default.
    """
    base, found, waiting = _base(file, package), {file}, [file]
    while waiting:
        this = waiting.pop()
        for names, start in _imports(this, base):
            foreign = names[0] in sys.stdlib_module_names or names[0] == "stemscan"
            if start == base and (foreign if package is None else names[0] != package):
                continue
            new = set(_modules(start, names)) - found
            found |= new
            waiting += new
    return found


def defined_names(file: Path) -> list[str]:
    """Names of the functions and classes of a file that do not begin with an underscore; nothing is run."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node.name for node in body if isinstance(node, kinds) and not node.name.startswith("_")]


def _base(file: Path, package: str | None) -> Path:
    """Folder in which absolute imports are looked for."""
    return next((parent.parent for parent in file.parents if parent.name == package), file.parent)


def _imports(file: Path, base: Path) -> Iterator[tuple[list[str], Path]]:
    """Every import of a file, as a dotted name in parts, and the folder where it begins."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split("."), base) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = file.parents[node.level - 1] if 0 < node.level <= len(file.parents) else base
            module = node.module.split(".") if node.module else []
            yield from (([*module, alias.name], start) for alias in node.names)


def _modules(folder: Path, names: list[str]) -> Iterator[Path]:
    """Files that importing a dotted name runs."""
    for name in names:
        if (folder / name / "__init__.py").is_file():
            yield folder / name / "__init__.py"
        elif (folder / f"{name}.py").is_file():
            yield folder / f"{name}.py"
        folder = folder / name


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
