"""Output files: written whole or not at all, never over a device, never into a folder that is not there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from stemscan.errors import InputNotFoundError, OutputExistsError, StemscanError
from stemscan.files.writing import check_output, require_folder, write_folder, write_text


def test_pipe_or_device_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(OutputExistsError, match="device or pipe"):
            write_text(path, "x", overwrite=True)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()


def test_folder_of_an_output(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputNotFoundError, match="is no folder"):
        check_output(tmp_path / "file" / "a.yaml", overwrite=False)
    with pytest.raises(InputNotFoundError, match="does not exist"):
        require_folder(tmp_path / "missing" / "a.yaml")


def test_long_names_that_the_disk_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250 + ".yaml")
    write_text(path, "a")
    write_text(path, "b", overwrite=True)
    assert path.read_text() == "b"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="folder"):
        write_text(tmp_path, "x", overwrite=True)
    with pytest.raises((StemscanError, OSError)):
        write_text(tmp_path / ("x" * 300), "x")
    assert list(tmp_path.iterdir()) == []


def fill(text: str) -> Callable[[Path], None]:
    """A writer of a folder of one file."""

    def write(folder: Path) -> None:
        (folder / "a.txt").write_text(text)

    return write


def is_ours(name: str) -> bool:
    return name == "a.txt"


def test_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_folder(path, fill("1"), is_ours=is_ours)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_folder(path, fill("2"), is_ours=is_ours)
    write_folder(path, fill("2"), is_ours=is_ours, overwrite=True)
    link = tmp_path / "link"
    link.symlink_to(path)
    write_folder(link, fill("3"), is_ours=is_ours, overwrite=True)
    assert [(one / "a.txt").read_text() for one in (path, link)] == ["2", "3"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "out"]


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_folder_leaves_what_was_there(tmp_path: Path, problem: BaseException) -> None:
    path = tmp_path / "out"
    write_folder(path, fill("1"), is_ours=is_ours)

    def fail(folder: Path) -> None:
        (folder / "a.txt").write_text("2")
        raise problem

    with pytest.raises((StemscanError, KeyboardInterrupt)):
        write_folder(path, fail, is_ours=is_ours, overwrite=True)
    assert (path / "a.txt").read_text() == "1"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_of_others_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputExistsError, match="which is a file"):
        write_folder(tmp_path / "file", fill("1"), is_ours=is_ours, overwrite=True)
    (tmp_path / "folder" / "a.txt").mkdir(parents=True)
    with pytest.raises(OutputExistsError, match="nothing but an earlier output"):
        write_folder(tmp_path / "folder", fill("1"), is_ours=is_ours, overwrite=True)
    assert (tmp_path / "file").read_text() == "mine"
