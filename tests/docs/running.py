"""Running the blocks of a page."""

from __future__ import annotations

import doctest
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stemscan.cli.main import _run
from tests.docs import given
from tests.docs.pages import Block, blocks_of, commands_of, given_by

__all__ = ["Page", "run_page"]

ROOT = Path(__file__).resolve().parents[2]
_RUN = ("sh", "python", "doctest")
_DOCTEST = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_page(text: str, name: str, folder: Path, *, long: bool) -> int:
    """Run a page in a folder; return how many of its blocks ran.

    Raises
    ------
    AssertionError
        At the first block that does not do what the page says.
    """
    for file in given_by(text):
        given.make(file, folder)
    page = Page(name, folder)
    try:
        return sum(page.run(block, long=long) for block in blocks_of(text))
    finally:
        page.end()


class Page:
    """A page that is being run: its folder, its names in Python, its other terminals."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "__page__"}
        self.others: list[subprocess.Popen[bytes]] = []

    def run(self, block: Block, *, long: bool) -> bool:
        """Run a block; return whether it was one to run."""
        if "file" in block.marks:
            (self.folder / block.marks["file"]).write_text(block.text)
            return False
        if block.kind not in _RUN or "not run" in block.marks:
            return False
        if "long" in block.marks:
            assert re.search(r"\b(minute|hour)s?\b", block.text), f"{self.at(block)}: say how long it takes"
            if not long:
                return False
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            {"sh": self.shell, "python": self.python, "doctest": self.examples}[block.kind](block)
        return True

    def at(self, block: Block) -> str:
        """Place of a block, for messages."""
        return f"{self.name}, line {block.line}"

    def python(self, block: Block) -> None:
        """Run a block of Python in the names of the page."""
        code = compile("\n" * (block.line - 1) + block.text, self.name, "exec", dont_inherit=True)
        with redirect_stdout(io.StringIO()):
            exec(code, self.names)

    def examples(self, block: Block) -> None:
        """Run examples with prompts and compare what they print."""
        test = doctest.DocTestParser().get_doctest(block.text, self.names, self.name, self.name, block.line)
        shown: list[str] = []
        result = doctest.DocTestRunner(optionflags=_DOCTEST).run(test, out=shown.append, clear_globs=False)
        self.names.update(test.globs)
        assert result.failed == 0, "".join(shown)

    def shell(self, block: Block) -> None:
        """Run each command of a block; those of other programs are looked up, not run."""
        for line in commands_of(block):
            words = shlex.split(line, comments=True)
            if "elsewhere" in block.marks:
                self.elsewhere(words)
            elif words[0] == "stemscan":
                self.stemscan(words[1:], block, line)
            elif words[0] in ("python", "torchrun") and "-m" not in words:
                subprocess.run([sys.executable, *words[1:]], check=True, cwd=self.folder)
            else:
                assert known(words), f"{self.at(block)}: {line} is neither run nor known; mark it"

    def stemscan(self, words: list[str], block: Block, line: str) -> None:
        """Run one command of stemscan in this process."""
        into = words[words.index(">") + 1] if ">" in words else None
        given_words = words[: words.index(">")] if ">" in words else words
        out, err = _Stream(), _Stream()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                code = _run(given_words)
            except SystemExit as end:  # of scripts that the shell asks for
                code = int(end.code or 0)
        if into is not None:
            (self.folder / into).write_text(out.getvalue())
        failing = block.marks.get("fails")
        where = f"{self.at(block)}: {line}\n{out.getvalue()}{err.getvalue()}"
        assert (code == 0) == (failing is None), where
        assert failing is None or failing in err.getvalue(), where

    def elsewhere(self, words: list[str]) -> None:
        """Start a command that goes on until the page ends, and wait until it says something."""
        code = "from stemscan.cli.main import run; run()"
        self.others.append(
            subprocess.Popen([sys.executable, "-c", code, *words[1:]], cwd=self.folder, stdout=subprocess.PIPE)
        )
        assert self.others[-1].stdout is not None
        self.others[-1].stdout.readline()

    def end(self) -> None:
        """End what still runs."""
        for other in self.others:
            os.kill(other.pid, signal.SIGTERM)
            other.communicate(timeout=60)


class _Stream(io.StringIO):
    """A stream that a command writes to, bytes too."""

    @property
    def buffer(self) -> Any:
        return self


def known(words: list[str]) -> bool:
    """Tell whether a command that is not run can be there: packages, targets of make, modules of benchmarks."""
    if words[:2] == ["pip", "install"]:
        extras = re.findall(r"\[([\w,]+)\]", " ".join(words))
        there = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        return all(extra in there for listed in extras for extra in listed.split(","))
    if words[0] == "make":
        return f"\n{words[1]}:" in (ROOT / "Makefile").read_text()
    if words[0] == "python" and words[1] == "-m":
        return find_spec(words[2]) is not None
    return False
