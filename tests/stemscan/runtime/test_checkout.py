"""Checkouts of a git that makes no links: files with their targets stand in the rooms' places."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import stemscan


@pytest.mark.parametrize("text", ["../recon", None])
def test_a_checkout_without_links_is_one_clear_error(tmp_path: Path, text: str | None) -> None:
    package = tmp_path / "stemscan"
    package.mkdir()
    for part in Path(stemscan.__file__).parent.iterdir():
        if part.name != "recon":
            (package / part.name).symlink_to(part.resolve())
        elif text is not None:
            (package / part.name).write_text(text)
    command = [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import stemscan", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert "MissingDependencyError: expected a folder or a link to one at" in last
    assert f"{package / 'recon'}" in last
    assert "git clone -c core.symlinks=true" in last
