"""Data that are sound by themselves and wrong where they stand: never read in silence, and named by file."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import StoreError
from stemscan.store.digests import chunk_digest
from stemscan.store.reader import Acquisition
from stemscan.store.verify import verify_store
from tests.stemscan.store.store_attacks import NAMES, attack, make_stores, places, state_of
from tests.stemscan.store_kit import contents, memory_folder


@pytest.fixture(scope="module")
def sound() -> Iterator[Path]:
    """Two complete stores of equal plans and other counts, in several chunks."""
    with memory_folder() as folder:
        make_stores(folder)
        yield folder


@pytest.fixture
def store(sound: Path) -> Iterator[Path]:
    """A copy to change."""
    with memory_folder() as folder:
        shutil.copytree(sound / "a.zarr", folder / "a.zarr")
        yield folder / "a.zarr"


def error_of(path: Path) -> str:
    """The sentence with which reading everything ends, and that verify finds it too."""
    with pytest.raises(StoreError) as caught:
        state_of(path)
    message = str(caught.value)
    assert "\n" not in message
    try:
        assert not verify_store(path).sound
    except StoreError as problem:
        assert str(path / "zarr.json") in str(problem)
    return message


PAIRS = [
    ("samples/counts/c/0/0", "samples/counts/c/1/0"),
    ("samples/position/c/0/0", "samples/position/c/2/0"),
    ("samples/actual/c/0/0", "samples/actual/c/1/0"),
    ("frames/c/0/0/0/0", "frames/c/1/0/0/0"),
    ("visits/c/0/0/1", "visits/c/1/1/0"),
    ("truth/c/0/0", "truth/c/1/1"),
]


@pytest.mark.parametrize("pair", PAIRS)
def test_two_swapped_chunks(store: Path, pair: tuple[str, str]) -> None:
    first, second = (store / name for name in pair)
    moved = first.read_bytes()
    assert moved != second.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(moved)
    assert any(f"'{file}'" in error_of(store) for file in (first, second))


@pytest.mark.parametrize("name", ["frames", "visits", "samples/counts", "samples", "digests"])
def test_arrays_of_another_acquisition(sound: Path, store: Path, name: str) -> None:
    shutil.rmtree(store / name)
    shutil.copytree(sound / "other.zarr" / name, store / name)
    if name == "visits":
        assert state_of(store) == state_of(sound / "a.zarr")  # the same pixels were visited
    else:
        assert name in error_of(store)


def test_everything_but_the_record_of_another_acquisition(sound: Path, store: Path) -> None:
    record = (store / "zarr.json").read_bytes()
    shutil.rmtree(store)
    shutil.copytree(sound / "other.zarr", store)
    (store / "zarr.json").write_bytes(record)
    assert "digests" in error_of(store)


def test_any_changed_digit_of_the_record(store: Path) -> None:
    text = (store / "zarr.json").read_text()
    begin = text.index('"stemscan"')
    digits = [match.start() for match in re.finditer(r"\d", text) if match.start() > begin]
    assert len(digits) > 300
    for place in digits:
        changed = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
        (store / "zarr.json").write_text(changed)
        with pytest.raises(StoreError, match="zarr.json"):
            Acquisition.open(store)


def test_another_way_to_write_the_record_is_the_same(store: Path) -> None:
    root = json.loads((store / "zarr.json").read_text())
    root["attributes"]["other"] = 1
    record = root["attributes"]["stemscan"]
    record["channels"][0]["gain"] = 1  # was 1.0
    root["attributes"]["stemscan"] = dict(reversed(record.items()))
    (store / "zarr.json").write_text(json.dumps(root))
    assert Acquisition.open(store).state == "complete"


def test_a_changed_byte_order_is_found(store: Path) -> None:
    for name in ("samples/counts", "frames"):
        file = store / name / "zarr.json"
        text = file.read_text()
        file.write_text(text.replace('"little"', '"big"'))
        assert name in error_of(store)
        file.write_text(text)


def test_the_axes_of_frames_are_checked_by_verify(store: Path) -> None:
    file = store / "frames" / "zarr.json"
    file.write_text(file.read_text().replace('"t"', '"z"'))
    report = verify_store(store)
    assert [problem.file for problem in report.problems] == [file]
    assert verify_store(store, repair=True).sound


def test_a_digest_is_bound_to_array_place_type_and_shape() -> None:
    values = np.zeros((2, 2), np.uint16)
    digests = {
        chunk_digest("frames", (0, 0), values),
        chunk_digest("visits", (0, 0), values),
        chunk_digest("frames", (0, 1), values),
        chunk_digest("frames", (0, 0), values.view(np.int16)),
        chunk_digest("frames", (0, 0), values.reshape(1, 4)),
    }
    assert len(digests) == 5
    assert chunk_digest("x", (0,), np.arange(4, dtype=">u2")) == chunk_digest("x", (0,), np.arange(4, dtype="<u2"))
    assert chunk_digest("x", (0,), np.arange(8)[::2]) == chunk_digest("x", (0,), np.arange(8)[::2].copy())


@pytest.mark.parametrize(
    "lost", ["digests", "frames/zarr.json", "visits", "samples/zarr.json", "samples/counts/zarr.json"]
)
def test_what_follows_from_the_samples_is_made_anew(store: Path, sound: Path, lost: str) -> None:
    if (store / lost).is_dir():
        shutil.rmtree(store / lost)
    else:
        (store / lost).unlink()
    report = verify_store(store)
    assert any(str(problem.file).startswith(str(store / lost)) for problem in report.problems)
    report = verify_store(store, repair=True)
    assert report.sound, report.problems
    assert report.repaired
    made, whole = contents(store), contents(sound / "a.zarr")
    assert {name for name in whole if made[name] != whole[name]} == set()
    assert state_of(store) == state_of(sound / "a.zarr")


def test_pictures_of_damaged_samples_are_not_made_anew(store: Path) -> None:
    chunk = store / "samples" / "counts" / "c" / "1" / "0"
    chunk.write_bytes((store / "samples" / "counts" / "c" / "0" / "0").read_bytes())
    (store / "frames" / "c" / "0" / "0" / "0" / "0").unlink()
    before = contents(store)
    report = verify_store(store, repair=True)
    assert {problem.file for problem in report.problems} >= {chunk}
    assert report.repaired == []
    assert contents(store) == before


def test_the_image_that_viewers_see_is_checked(store: Path) -> None:
    root = json.loads((store / "zarr.json").read_text())
    scale = root["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"]
    scale[-1] *= 2
    root["attributes"]["ome"]["omero"] = {"mine": 1}
    (store / "zarr.json").write_text(json.dumps(root))
    assert "'ome'" in verify_store(store).problems[0].what
    assert verify_store(store, repair=True).sound
    assert json.loads((store / "zarr.json").read_text())["attributes"]["ome"]["omero"] == {"mine": 1}


@pytest.mark.parametrize("name", NAMES)
def test_no_attack_changes_what_is_read(sound: Path, name: str) -> None:
    """Some of the attacks of `benchmarks/store_attacks.py`."""
    chance, whole = random.Random(3), state_of(sound / name)
    files = places(sound / name)
    with memory_folder() as folder:
        counted = [attack(sound, name, folder, chance, files, whole) for _ in range(60)]
    assert "changed in silence" not in counted
    assert counted.count("refused") > 30
