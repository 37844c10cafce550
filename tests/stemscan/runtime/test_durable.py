"""Steps on files while another program has them open, as Windows reports it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stemscan.runtime import durable
from stemscan.runtime.durable import discard, patiently, put_folder, remove, remove_tree, replace, sync_folder


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "PATIENCE_S", 0.05)


def in_use(winerror: int = 32) -> PermissionError:
    """The error of Windows for a file that another program has open."""
    problem = PermissionError(errno.EACCES, "The process cannot access the file")
    problem.winerror = winerror  # type: ignore[attr-defined,unused-ignore]
    return problem


def failing(times: int, winerror: int = 32) -> Callable[[], int]:
    """A step that is refused so many times."""
    calls: list[None] = []

    def step() -> int:
        calls.append(None)
        if len(calls) <= times:
            raise in_use(winerror)
        return len(calls)

    return step


@pytest.mark.parametrize("winerror", [5, 32, 33])
def test_a_step_is_taken_again_while_another_program_has_the_file(winerror: int) -> None:
    assert patiently(failing(2, winerror), Path("a")) == 3


def test_a_file_that_stays_open_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="another program has it open") as caught:
        patiently(failing(1 << 30), Path("a"))
    assert (caught.value.errno, caught.value.filename) == (errno.EBUSY, "a")


def test_other_refusals_are_not_waited_for() -> None:
    calls: list[None] = []

    def step() -> None:
        calls.append(None)
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(PermissionError, match="Permission denied"):
        patiently(step, Path("a"))
    assert len(calls) == 1


def test_steps_on_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    replace(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "a"
    for _ in range(2):
        remove(tmp_path / "b")
        remove_tree(tmp_path / "b")
        discard(tmp_path / "b")
    (tmp_path / "c" / "d").mkdir(parents=True)
    sync_folder(tmp_path)
    (tmp_path / "c" / "file").touch()
    (tmp_path / "e").mkdir()
    for link in (tmp_path / "link", tmp_path / "e" / "link"):
        link.symlink_to(tmp_path / "c")
        discard(link.parent if link.parent != tmp_path else link)
    (tmp_path / "link").symlink_to(tmp_path / "c")
    remove_tree(tmp_path / "link")
    assert (tmp_path / "c" / "file").exists()
    assert not (tmp_path / "e").exists()
    remove_tree(tmp_path / "c")
    assert not list(tmp_path.iterdir())


def filled(folder: Path, text: str) -> Path:
    """A folder with a file."""
    folder.mkdir()
    (folder / "file").write_text(text)
    return folder


@pytest.mark.parametrize("link", [False, True])
def test_a_folder_takes_the_place_of_another(tmp_path: Path, link: bool) -> None:
    place = filled(tmp_path / "real", "old") if link else tmp_path / "place"
    if link:
        (tmp_path / "place").symlink_to(place)
    put_folder(filled(tmp_path / ".partial", "new"), tmp_path / "place")
    assert (tmp_path / "place" / "file").read_text() == "new"
    assert not link or (place / "file").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == (["place", "real"] if link else ["place"])


def test_a_folder_that_cannot_take_the_place_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, new = filled(tmp_path / "place", "old"), filled(tmp_path / ".partial", "new")
    usual = os.replace

    def refuse(source: Path, target: Path) -> None:
        if Path(source) == new:
            raise in_use()
        usual(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="another program has it open"):
        put_folder(new, place)
    assert (place / "file").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".partial", "place"]


def test_a_file_that_is_open_for_good_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise in_use()

    filled(tmp_path / "a", "x")
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        discard(tmp_path / "a")
        with pytest.raises(OSError, match="another program has it open"):
            remove_tree(tmp_path / "a")
    assert (tmp_path / "a" / "file").exists()
