"""DE-Freescan: RosettaSciIO puts the diffraction patterns of a scan where the plan says."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from rsciio import mrc

from stemscan.errors import DataError, InputNotFoundError, OutputExistsError, ProfileError
from stemscan.hardware.exporters import export, read_de_freescan
from stemscan.hardware.profile import profile_text
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans
from tests.stemscan.hardware.exporters.kit import Written, plan_of, points_of


@given(plan=plans(max_side=20, max_passes=4))
@settings(max_examples=20)
def test_round_trip(plan: ScanPlan) -> None:
    with Written(plan, "de-freescan", "scan") as (folder, report):
        scan = read_de_freescan(folder)
        assert report.size_bytes == sum(file.stat().st_size for file in folder.iterdir())
    assert len(scan.passes) == plan.passes
    assert np.array_equal(scan.coordinates[:, ::-1], points_of(plan))
    assert all(points.dtype == np.int32 and len(points) == plan.samples_per_pass for points in scan.passes)
    assert (report.position_error_px, report.dwell_written_ns) == (0, None)


def write_movie(folder: Path, patterns: npt.NDArray[np.uint16]) -> Path:
    """An MRC movie of diffraction patterns."""
    count, rows, columns = patterns.shape
    header = np.zeros(256, "<i4")
    header[:4] = columns, rows, count, 6
    header[7:10] = columns, rows, count
    movie = folder / "20260102_00003_movie.mrc"
    movie.write_bytes(header.tobytes() + patterns.astype("<u2").tobytes())
    return movie


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # RosettaSciIO leaves the movie open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("passes", [1, 3])
def test_rosettasciio_puts_every_pattern_at_its_pixel(tmp_path: Path, passes: int) -> None:
    plan = plan_of(passes=passes, shape=[12, 20])
    export(plan, "de-freescan", tmp_path / "scan")
    patterns = np.arange(1, plan.total_samples + 1, dtype=np.uint16)[:, None, None] * np.ones((2, 3), np.uint16)
    movie = write_movie(tmp_path, patterns)
    (tmp_path / "scan/scan_coordinates.csv").rename(tmp_path / "20260102_00003_scan_coordinates.csv")
    assert mrc.file_reader(str(movie))[0]["data"].shape == patterns.shape  # which says nothing of places
    (tmp_path / "scan/scan_info.txt").rename(tmp_path / "20260102_00003_info.txt")
    data = mrc.file_reader(str(movie))[0]["data"]
    gc.collect()
    assert data.shape[:2] == tuple(points_of(plan).max(axis=0) + 1)
    seen: dict[tuple[int, int], int] = {}
    expected: dict[tuple[int, ...], int] = {}
    for index, (row, column) in enumerate(points_of(plan).tolist()):
        visit = seen.get((row, column), 0)
        seen[row, column] = visit + 1
        place: tuple[int, ...] = (row, column, visit) if passes > 1 else (row, column)
        expected[place] = index + 1
    assert (max(seen.values()) > 1) == (passes > 1)
    for place, value in expected.items():
        assert (data[place] == value).all()
    assert np.count_nonzero(data[..., 0, 0]) == plan.total_samples


def broken(folder: Path, name: str, content: Any) -> None:
    """Put something else in the place of a file."""
    path = folder / name
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)


WRONG: list[tuple[str, Any, str]] = [
    ("pass-000.npy", None, "pass-002.npy"),
    ("pass-001.npy", None, "without a gap"),
    ("pass-001.npy", b"\x93NUMPY", "shortened"),
    ("pass-001.npy", np.zeros((72, 2)), "float64"),
    ("pass-001.npy", np.zeros((72, 3), int), "(72, 3)"),
    ("pass-001.npy", np.full((72, 2), -1), "-1"),
    ("pass-001.npy", np.zeros((72, 2), int), "as the passes say, got"),
    ("scan_coordinates.csv", b"1,2\n", "the 216 points of the passes, got 1"),
    ("scan_coordinates.csv", b"x,y\n1,2\n", "line 1, got 'x,y'"),
    ("scan_coordinates.csv", b"1,nan\n", "line 1, got '1,nan'"),
    ("scan_coordinates.csv", b"1,2.5\n", "line 1, got '1,2.5'"),
    ("scan_coordinates.csv", b"", "got 0"),
    ("scan_info.txt", None, "scan_info.txt"),
    ("scan_info.txt", b"Scan - Type = XY Array\njunk\n", "in line 2, got 'junk'"),
    ("scan_info.txt", b"Scan - Enable = Enable\nScan - Type = Raster\n", "got Raster"),
    ("scan_info.txt", b"\xff\x00", "line 1"),
]


@pytest.mark.parametrize(("name", "content", "words"), WRONG, ids=range(len(WRONG)))
def test_wrong_folders(tmp_path: Path, name: str, content: Any, words: str) -> None:
    export(plan_of(), "de-freescan", tmp_path / "scan")
    broken(tmp_path / "scan", name, content)
    with pytest.raises((DataError, InputNotFoundError)) as problem:
        read_de_freescan(tmp_path / "scan")
    assert words in str(problem.value)
    assert "scan" in str(problem.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("fit: pixels", "fit: integer"), "grid.fit 'integer'"),
        (("fit: pixels", "fit: pixels, origin: top-right"), "grid.origin 'top-right'"),
        (("fit: pixels", "fit: pixels, transform: transpose"), "grid.transform 'transpose'"),
        (("blanker: none", "settle: {time_constant_ns: 5000}"), "with settle"),
        (("blanker: none", "flyback_ns: 5"), "flyback_ns 5"),
        (("columns: 8192", "columns: 20"), "20 columns for de-freescan, got"),
        (("blanker: none", "limits: {max_samples: 100}"), "at most 100 samples for de-freescan, got 216"),
    ],
)
def test_profiles_beyond_a_list_of_pixels(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    profile = tmp_path / "own.yaml"
    profile.write_text(profile_text("de-freescan").replace(*change))
    with pytest.raises(ProfileError) as problem:
        export(plan_of(), "de-freescan", tmp_path / "scan", profile=profile)
    assert words in str(problem.value)
    assert [path.name for path in tmp_path.iterdir()] == ["own.yaml"]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="nothing"):
        read_de_freescan(tmp_path / "nothing")
    with pytest.raises(InputNotFoundError, match="no such files"):
        read_de_freescan(tmp_path)


def test_overwrites_its_own_folder_alone(tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    export(plan_of(), "de-freescan", folder)
    with pytest.raises(OutputExistsError, match="scan"):
        export(plan_of(), "de-freescan", folder)
    export(plan_of(passes=2), "de-freescan", folder, overwrite=True)
    assert len(read_de_freescan(folder).passes) == 2
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"notes\.txt"):
        export(plan_of(), "de-freescan", folder, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]
    assert (folder / "notes.txt").read_text() == "mine"
