"""Measured data as samples: what is told apart, and files of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from stemscan.errors import DataError, InputNotFoundError, UsageError
from stemscan.files.arrays import read_array
from stemscan.store.importing.measured import samples_from_frames, samples_from_positions

FRAMES = np.arange(24.0).reshape(2, 3, 4)
MASK = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]])


def test_one_mask_for_all_passes() -> None:
    samples = samples_from_frames(FRAMES, MASK)
    assert samples.samples_per_pass == (4, 4)
    assert samples.shape == (3, 4)
    assert samples.counts.tolist() == [0, 3, 5, 11, 12, 15, 17, 23]
    assert samples.positions[:4].tolist() == [[0, 0], [0, 3], [1, 1], [2, 3]]


def test_single_frame_and_nan() -> None:
    frame = np.where(MASK, FRAMES[0], np.nan)
    samples = samples_from_frames(frame)
    assert samples.counts.tolist() == [0, 3, 5, 11]


def test_positions_for_each_pass() -> None:
    positions = np.array([[[0, 0], [1, 2]], [[2, 3], [0, 1]]])
    samples = samples_from_positions(np.array([[1, 2], [3, 4]]), positions, (3, 4))
    assert samples.samples_per_pass == (2, 2)
    assert samples.positions.tolist() == [[0, 0], [1, 2], [2, 3], [0, 1]]


def test_column_of_values_is_one_pass() -> None:
    samples = samples_from_positions(np.array([[1], [2]]), np.array([[0, 0], [1, 2]]), (3, 4))
    assert samples.samples_per_pass == (2,)


@pytest.mark.parametrize(
    ("frames", "mask", "words"),
    [
        (FRAMES, None, "cannot be told"),
        (FRAMES[0, 0], MASK, "shape"),
        (FRAMES, MASK[:2], "mask of shape"),
        (FRAMES, np.where(MASK, 1.0, np.nan), "NaN"),
        (np.full((3, 4), np.nan), MASK, "finite"),
        (FRAMES.astype(complex), MASK, "complex"),
        (FRAMES[:, :0], MASK, "shape"),
        (FRAMES, MASK * 0, "at least one visited pixel"),
    ],
)
def test_frames_that_cannot_be_samples(frames: np.ndarray, mask: np.ndarray | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        samples_from_frames(frames, mask)


@pytest.mark.parametrize(
    ("values", "positions", "words"),
    [
        (np.ones((2, 2, 2)), np.ones((2, 2)), "shape"),
        (np.ones(3), np.ones((2, 2)), "positions of shape"),
        (np.ones(1), np.array([[2.5, 1]]), "sample 0"),
        (np.ones((2, 3)), np.ones((4, 2)), r"\(3, 2\) or \(2, 3, 2\)"),
        (np.ones(6), np.ones((2, 4, 2)), "positions of shape"),
        (np.ones(1), np.array([["0", "1"]]), "numbers"),
        (np.ones(2), np.array([[0, 0], [3, 0]]), "sample 1"),
        (np.ones(2), np.array([[0, -1], [0, 0]]), "sample 0"),
    ],
)
def test_positions_that_cannot_be_samples(values: np.ndarray, positions: np.ndarray, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        samples_from_positions(values, positions, (3, 4))


def test_files(tmp_path: Path) -> None:
    data = FRAMES[0].astype(np.uint8)
    np.save(tmp_path / "a.npy", data)
    np.savetxt(tmp_path / "a.csv", data, delimiter=",", fmt="%d")
    np.savetxt(tmp_path / "a.txt", data, fmt="%d")
    tifffile.imwrite(tmp_path / "a.tif", data)
    for name in ("a.npy", "a.csv", "a.txt", "a.tif"):
        np.testing.assert_array_equal(read_array(tmp_path / name), data)


def test_text_below_names_of_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufeffrow,column\n# measured at night\n\n1,2\n3,4\n", encoding="utf-8")
    assert read_array(tmp_path / "a.csv").tolist() == [[1, 2], [3, 4]]
    (tmp_path / "a.txt").write_text("counts\n7\n8\n")
    assert read_array(tmp_path / "a.txt").tolist() == [7, 8]
    (tmp_path / "nan.csv").write_text("nan,1\n3,nan\n")
    np.testing.assert_array_equal(read_array(tmp_path / "nan.csv"), [[np.nan, 1], [3, np.nan]])


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"", "no numbers"),
        ("a.csv", b"# nothing\n", "no numbers"),
        ("a.csv", b"row,column\n", "row"),
        ("a.csv", b"row,column\n1,two\n", "two"),
        ("a.csv", b"\xff\xfe1", "in line 1"),
        ("a.npy", b"not by numpy", "no numpy array"),
        ("a.npy", b"", "no numpy array"),
    ],
)
def test_files_without_numbers(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=rf"{name}.*{words}"):
        read_array(tmp_path / name)


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects, which are never loaded"):
        read_array(tmp_path / "a.npy")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which is another folder"):
        read_array(tmp_path)


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="missing"):
        read_array(tmp_path / "missing.npy")
    for name in ("a.npy", "a.tif", "a.csv", "a.png", "a.hspy"):
        (tmp_path / name).write_bytes(b"this is, no data\n1")
        with pytest.raises(DataError, match=name):
            read_array(tmp_path / name)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_positions_must_be_finite(bad: float) -> None:
    with pytest.raises(UsageError, match="finite"):
        samples_from_positions(np.array([1.0]), np.array([[0.0, bad]]), (3, 4))


@pytest.mark.parametrize("flat", ["values", "positions"])
def test_flat_samples_are_taken_pass_after_pass(flat: str) -> None:
    positions = np.array([[[0, 1], [2, 3]], [[1, 1], [0, 0]], [[2, 2], [1, 0]]])
    values = np.arange(6).reshape(3, 2)
    expected = samples_from_positions(values, positions, (3, 4))
    if flat == "values":
        found = samples_from_positions(values.reshape(-1), positions, (3, 4))
    else:
        found = samples_from_positions(values, positions.reshape(-1, 2), (3, 4))
    assert found.samples_per_pass == expected.samples_per_pass == (2, 2, 2)
    np.testing.assert_array_equal(found.counts, expected.counts)
    np.testing.assert_array_equal(found.positions, expected.positions)


def test_positions_between_pixels_are_kept_beside_the_nearest() -> None:
    found = samples_from_positions(np.array([5, 6, 7]), np.array([[0.25, 1.5], [1.75, -0.5], [0, 0]]), (3, 4))
    assert found.positions.tolist() == [[0, 2], [2, 0], [0, 0]]
    assert found.actual is not None
    assert found.actual.tolist() == [[0.25, 1.5], [1.75, -0.5], [0, 0]]
    assert found.furthest_px == pytest.approx(np.hypot(0.25, 0.5))
    assert samples_from_positions(np.ones(1), np.array([[1.0, 2.0]]), (3, 4)).actual is None
