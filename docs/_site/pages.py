"""Pages as the site has them: their order, links that leave docs/, files of the project, scripts of the gallery."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from contents import CONTENTS

__all__ = ["as_on_the_site", "clean_folder", "copy_examples", "write_project_pages"]

_ROOT = Path(__file__).resolve().parents[2]
_PROJECT = {
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "recon/weights/fshnet.md": "project/fshnet-card.md",
    "recon/weights/fshnet-paper.md": "project/fshnet-paper-card.md",
}
"""Markdown outside of docs/, and the page that it is."""
_MADE = {"examples/gallery": "gallery/index.rst", "stemscan/__init__.pyi": "api/index.rst"}
"""What GitHub shows in place of pages that are made."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")


def write_project_pages(docs: Path) -> None:
    """Copy the project's own Markdown into the site, with links as they are from there."""
    (docs / "project").mkdir(exist_ok=True)
    for name, page in _PROJECT.items():
        text = (_ROOT / name).read_text(encoding="utf-8")
        shown = _linked(text, (_ROOT / name).parent, docs, Path(page).parent)
        if not (docs / page).is_file() or (docs / page).read_text(encoding="utf-8") != shown:
            (docs / page).write_text(shown, encoding="utf-8")


def as_on_the_site(app: Any, name: str, source: list[str]) -> None:
    """Let links that leave docs/ be what the site has of them, and add the list of the pages below a page."""
    docs = Path(app.srcdir)
    if not str(app.env.doc2path(name)).endswith(".md"):
        return
    if not name.startswith("project/"):
        source[0] = _linked(source[0], (docs / name).parent, docs, Path(name).parent)
    if name in CONTENTS:
        listed = "\n".join(f"/{page}" for page in CONTENTS[name])
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n:maxdepth: 1\n\n{listed}\n```\n"


def _linked(text: str, place: Path, docs: Path, folder: Path) -> str:
    """Markdown that lies in `place`, with links as a page in `folder` of the site has them."""

    def shown(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(place / found[2]))
        if not target.exists():
            return found[0]  # Sphinx says that it is broken
        inside = target.relative_to(docs) if target.is_relative_to(docs) else None
        name = str(target.relative_to(_ROOT))
        page = str(inside) if inside is not None else (_PROJECT | _MADE).get(name)
        if page is None:
            return found[1] if name in found[1] or found[1].startswith("`") else f"{found[1]} (`{name}`)"
        return f"[{found[1]}]({os.path.relpath(page, folder)}{found[3] or ''})"

    return _LINK.sub(shown, text)


def copy_examples(examples: Path, into: Path) -> Path:
    """Copy the scripts of the gallery to where they may write: what they leave behind is no part of the source."""
    shutil.rmtree(into, ignore_errors=True)
    return shutil.copytree(examples, into, ignore=shutil.ignore_patterns("__pycache__", "*.zarr"))


def clean_folder(settings: dict[str, Any], name: str) -> None:
    """Remove what a script wrote beside itself, so that each runs in a folder of scripts alone."""
    for path in Path(settings["examples_dirs"]).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix not in {".py", ".txt"}:
            path.unlink()
