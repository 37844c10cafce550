"""Where stores are made: what is there is left alone, one writer at a time, disks and file systems."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.errors import (
    DiskSpaceError,
    InputNotFoundError,
    OutputExistsError,
    StoreError,
    UsageError,
)
from stemscan.store.files import StoreLock
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from tests.stemscan.store.test_store import PLAN, partly, scanned
from tests.stemscan.store_kit import (
    ScriptedController,
    contents,
    create,
    make_plan,
    resume,
    specimen,
)


def test_a_missing_parent_is_an_error(tmp_path: Path) -> None:
    for make in (create, resume):
        with pytest.raises(InputNotFoundError, match=r"got '.*nowhere', which does not exist; create it first"):
            make(tmp_path / "nowhere" / "a.zarr", PLAN)
    assert not (tmp_path / "nowhere").exists()


def test_opening_what_is_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="which does not exist"):
        Acquisition.open(tmp_path / "a.zarr")
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "zarr.json").write_text('{"attributes": {}, "zarr_format": 3, "node_type": "group"}')
    for name in ("file", "folder", "other"):
        with pytest.raises(StoreError, match="got (a file, and stores are folders|another folder); check the path"):
            Acquisition.open(tmp_path / name)
    (tmp_path / "folder" / ".stemscan.lock").touch()
    with pytest.raises(StoreError, match="creation was cut short, without samples; resume it"):
        Acquisition.open(tmp_path / "folder")


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_store_is_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("x")
    (tmp_path / "zarr").mkdir()
    (tmp_path / "zarr" / "zarr.json").write_text('{"attributes": {"ome": {}}}')
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "zarr.json").write_text('{"attributes": {"stemscan": {"kind": "reconstruction"}}}')
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "zarr.json").write_text('{"attributes": {"stemscan"')
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "folder", "zarr", "image", "broken", "link"):
        with pytest.raises(OutputExistsError, match="which is something else; choose another name"):
            create(tmp_path / name, PLAN, overwrite=overwrite)
        with pytest.raises((OutputExistsError, StoreError)):
            resume(tmp_path / name, PLAN)
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "x"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["thesis.txt"]
    assert (tmp_path / "broken" / "zarr.json").exists()


def test_stores_are_overwritten_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    scanned(path, make_plan(shape=[40, 40], passes=3))
    (path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="which is a store; choose another name, resume or overwrite"):
        create(path, PLAN)
    scanned(path, overwrite=True)
    scanned(tmp_path / "reference.zarr")
    assert (path / "notes.txt").read_text() == "mine"
    (path / "notes.txt").unlink()
    assert contents(path) == contents(tmp_path / "reference.zarr")


def test_half_made_stores_need_a_word(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / ".stemscan.lock").touch()
    with pytest.raises(OutputExistsError, match="creation was cut short; resume or overwrite it"):
        create(path, PLAN)
    create(path, PLAN, overwrite=True).close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    busy = pytest.raises(StoreError, match="only writer of .* got one at work already")
    with create(path, PLAN) as store:
        with busy:
            resume(path, PLAN)
        with busy:
            create(path, PLAN, overwrite=True)
        script = (
            "import sys; from tests.stemscan.store_kit import *\n"
            "try: resume(Path(sys.argv[1]), make_plan())\nexcept Exception as error: print(type(error).__name__, error)"
        )
        root = Path(__file__).resolve().parents[3]
        other = subprocess.run(
            [sys.executable, "-c", script, str(path)], cwd=root, capture_output=True, text=True, check=False
        )
        assert other.stdout.startswith("StoreError expected to be the only writer"), other.stderr
        assert Acquisition.open(path).state == "acquiring"
        run_scan(PLAN, ScriptedController(), store)
    assert Acquisition.open(path).state == "complete"


def test_a_forgotten_writer_gives_its_lock_back(tmp_path: Path) -> None:
    store = create(tmp_path / "a.zarr", PLAN)
    del store
    resume(tmp_path / "a.zarr", PLAN).close()


def test_two_threads_create_one_store(tmp_path: Path) -> None:
    made, refused = list[AcquisitionWriter](), list[Exception]()

    def work() -> None:
        try:
            made.append(create(tmp_path / "a.zarr", PLAN))
        except (StoreError, OutputExistsError) as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)
    run_scan(PLAN, ScriptedController(), made[0])
    assert Acquisition.open(tmp_path / "a.zarr").state == "complete"


def test_a_small_disk_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zarr"
    partly(tmp_path / "old.zarr", 5)
    before = contents(tmp_path / "old.zarr")
    monkeypatch.setattr("stemscan.store.folders.shutil.disk_usage", lambda _: SimpleNamespace(free=5000))
    for make, where in ((create, path), (resume, path), (resume, tmp_path / "old.zarr")):
        with pytest.raises(DiskSpaceError, match=r"expected 0\.\d\d MB free .* got 0.01 MB; free some space"):
            make(where, PLAN)
    with pytest.raises(DiskSpaceError):
        create(tmp_path / "old.zarr", PLAN, overwrite=True)
    assert not path.exists()
    assert contents(tmp_path / "old.zarr") == before


def test_a_read_only_place_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(StoreError, match="expected to write .*Permission denied"):
        create(tmp_path / "a.zarr", PLAN)


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unable)
    with pytest.raises(StoreError, match="expected a file system with locks .* write to a local disk"):
        create(tmp_path / "a.zarr", PLAN)


# ---------------------------------------------------------------------- arguments


def test_impossible_arguments(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    bad: list[tuple[dict[str, Any], str]] = [
        ({"truth": np.zeros((4, 4), np.float32)}, r"truth of real numbers of shape \(16, 16\), got float32"),
        ({"truth": np.zeros((16, 16), complex)}, "got complex128"),
        ({"truth": np.full((16, 16), np.nan)}, "finite numbers"),
        ({"noise": "gauss"}, "noise 'poisson' or 'eq5', got 'gauss'"),
        ({"specimen": specimen(record={"x": np.zeros(3)})}, "a specimen record of plain data for JSON"),
        ({"specimen": specimen(record={"x": object()})}, "plain data for JSON"),
        ({"session": {"x": object()}}, "a session of plain data for JSON"),
    ]
    for changes, message in bad:
        with pytest.raises(UsageError, match=message):
            create(path, PLAN, **changes)
        assert not path.exists()


def test_truths_of_other_types_become_float32(tmp_path: Path) -> None:
    truth = np.arange(256, dtype=np.float64).reshape(16, 16)[::-1]
    create(tmp_path / "a.zarr", PLAN, truth=truth).close()
    read = Acquisition.open(tmp_path / "a.zarr").truth
    assert read is not None
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, truth)


def test_opening_imports_no_zarr(tmp_path: Path) -> None:
    scanned(tmp_path / "a.zarr")
    script = (
        "import sys; from stemscan.store.reader import Acquisition; a = Acquisition.open(sys.argv[1]); a.warnings;"
        "print(sorted({'zarr', 'numba', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.zarr")], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_info_of_a_store_does_not_wait_for_numba(tmp_path: Path) -> None:
    scanned(tmp_path / "a.zarr")
    script = (
        "import sys; from stemscan.cli.main import _run; _run(['info', sys.argv[1]]);"
        "print(sorted({'numba', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.zarr")], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_store_completed_before_the_lock_was_had_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store:
        store.arm(PLAN.total_samples)

    def lock_after_another(folder: Path) -> StoreLock:
        monkeypatch.setattr("stemscan.store.writer.StoreLock", StoreLock)
        with resume(folder, PLAN) as other:
            run_scan(PLAN, ScriptedController(), other)
        return StoreLock(folder)

    monkeypatch.setattr("stemscan.store.writer.StoreLock", lock_after_another)
    with resume(path, PLAN) as late:
        assert late.state == "complete"
        before = (path / "zarr.json").read_bytes()
        assert run_scan(PLAN, ScriptedController(), late).samples == 0
    assert (path / "zarr.json").read_bytes() == before
    StoreLock(path).release()


# ---------------------------------------------------------------------- files that others have open


@pytest.mark.parametrize("where", ["pathlib.Path.read_bytes", "stemscan.store.zarr_stores._present"])
def test_a_reader_waits_for_a_file_that_is_being_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """As Windows has it while a writer puts a file in place: refused for a moment."""
    path = scanned(tmp_path / "a.zarr").path
    owner, _, name = where.rpartition(".")
    usual, refused = getattr(pkgutil.resolve_name(owner), name), list[None]()

    def busy(*arguments: Any) -> Any:
        if not refused and (name == "read_bytes" or str(arguments[1]).startswith("c/")):
            refused.append(None)
            problem = PermissionError(13, "The process cannot access the file")
            problem.winerror = 32  # type: ignore[attr-defined,unused-ignore]
            raise problem
        return usual(*arguments)

    monkeypatch.setattr(where, busy)
    assert Acquisition.open(path).counts().size
    assert refused
