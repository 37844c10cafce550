"""Every page's commands and examples run from top to bottom, each page in one fresh folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import blocks_of, commands_of, given_by, read
from tests.docs.running import ROOT, run_page

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "howto").glob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh folder to run a page in, and a home of its own: no page reaches the files of who runs the tests."""
    home = tmp_path.with_name(f"{tmp_path.name}-home")
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)


def is_long(page: str) -> bool:
    """Tell whether a page has blocks that take long."""
    return any("long" in block.marks for block in blocks_of(read(ROOT / page)))


@pytest.mark.parametrize("page", NAMES)
def test_page(page: str, tmp_path: Path) -> None:
    run_page(read(ROOT / page), page, tmp_path, long=False)


@pytest.mark.long
@pytest.mark.parametrize("page", [name for name in NAMES if is_long(name)])
def test_page_with_what_takes_long(page: str, tmp_path: Path) -> None:
    run_page(read(ROOT / page), page, tmp_path, long=True)


PAGE = """
<!-- given: frames.npy -->
<!-- file: a.txt -->
```
text
```
<!-- long -->
```sh
stemscan info a \\
    --json   # minutes
# only a remark
```

    >>> 1 + 1
    2

Words.
"""


def test_blocks_and_marks_are_read() -> None:
    file, shell, example = blocks_of(PAGE)
    assert (file.marks, file.text) == ({"file": "a.txt"}, "text\n")
    assert shell.marks == {"long": ""}
    assert commands_of(shell) == ["stemscan info a      --json   # minutes"]
    assert (example.kind, example.text.strip()) == ("doctest", ">>> 1 + 1\n2")
    assert given_by(PAGE) == ["frames.npy"]


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nstemscan info nothing.zarr\n```",
        "```sh\nmake coffee\n```",
        "```sh\npip install 'stemscan[nothing]'\n```",
        "```sh\npython -m benchmarks.nothing\n```",
        "```sh\nrm -rf .\n```",
        "```python\nassert False\n```",
        "    >>> 1 + 1\n    3",
        "<!-- long -->\n```sh\nstemscan info a\n```",
        "<!-- fails: another word -->\n```sh\nstemscan info nothing.zarr\n```",
    ],
)
def test_a_page_that_is_wrong_is_found(text: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run_page(text, "page", tmp_path, long=False)
