"""The site: every page has its place, notebooks are kept without results, scripts of the gallery have a title."""

from __future__ import annotations

import ast
import json
import re
import sys
from importlib import import_module

import pytest

from tests.docs.pages import read
from tests.docs.running import ROOT

DOCS = ROOT / "docs"
NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.ipynb"))
SCRIPTS = sorted((ROOT / "examples" / "gallery").glob("*.py"))
LINK = re.compile(r"\]\(([^)\s:#]+)(?:#[^)\s]*)?\)")


def contents(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    monkeypatch.syspath_prepend(str(DOCS / "_site"))
    sys.modules.pop("contents", None)
    found: dict[str, list[str]] = import_module("contents").CONTENTS
    return found


def test_every_page_stands_in_the_contents_once(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [page for pages in contents(monkeypatch).values() for page in pages]
    assert len(set(listed)) == len(listed)
    made = {"api/index", "gallery/index"} | {page for page in listed if page.startswith("project/")}
    here = {path.relative_to(DOCS).with_suffix("").as_posix() for path in [*DOCS.glob("*.md"), *NOTEBOOKS]}
    here |= {f"{folder}/{path.stem}" for folder in ("howto", "tutorials") for path in (DOCS / folder).glob("*.md")}
    assert set(listed) - made == here - {"index"}


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda path: path.stem)
def test_links_to_files_lead_somewhere_on_github(path: object) -> None:
    page = ROOT / str(path)
    if {"_build", "gallery", "project", "api"} & set(page.relative_to(ROOT).parts):
        pytest.skip("made for the site")
    broken = [name for name in LINK.findall(read(page)) if not (page.parent / name).exists()]
    assert broken == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_results(path: object) -> None:
    cells = json.loads(read(ROOT / str(path)))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_have_a_title_for_the_gallery(path: object) -> None:
    title, line, *_ = (ast.get_docstring(ast.parse(read(ROOT / str(path)))) or "\n").split("\n")
    assert len(title) > 5
    assert line == "=" * len(title)
