"""Specimens: from a file to the signal on the plan's grid, and the record of every step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from stemscan.errors import InputNotFoundError, SpecimenError, UsageError
from stemscan.simulators.specimens.loading import load_specimen, resample_specimen, specimen_from_array
from stemscan.simulators.specimens.smoothing import paper_smoothed, resampled
from stemscan.simulators.specimens.specimen import Specimen

SHAPE = (24, 32)
IMAGE = np.random.default_rng(0).integers(100, 4000, SHAPE).astype(np.uint16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image.npy"
    np.save(path, IMAGE)
    return path


def steps(specimen: Specimen) -> list[str]:
    return [step["step"] for step in specimen.record["steps"]]


def test_integers_are_scaled_and_all_is_recorded(file: Path) -> None:
    specimen = load_specimen(str(file), SHAPE, pixel_size_nm=0.02)
    low, high = float(IMAGE.min()), float(IMAGE.max())
    np.testing.assert_allclose(specimen.signal, (IMAGE - low) / (high - low), atol=1e-7)
    assert specimen.signal.dtype == np.float32
    assert (specimen.signal.min(), specimen.signal.max()) == (0, 1)
    assert specimen.name == "image.npy"
    assert specimen.pixel_size_nm == 0.02
    assert specimen.record == {
        "source": "image",
        "steps": [
            {"step": "read", "shape": list(SHAPE), "dtype": "uint16"},
            {"step": "scale", "kind": "min-max", "values": [low, high]},
        ],
        "warnings": [],
    }
    assert not specimen.signal.flags.writeable


def test_floats_in_the_unit_range_keep_every_bit(tmp_path: Path) -> None:
    image = (0.1 + 0.5 * np.random.default_rng(1).random(SHAPE)).astype(np.float32)
    np.save(tmp_path / "a.npy", image)
    specimen = load_specimen(tmp_path / "a.npy", SHAPE)
    np.testing.assert_array_equal(specimen.signal, image)
    assert specimen.record["steps"][1]["kind"] == "none"


def test_a_stated_range_is_used_and_clipping_counted(file: Path) -> None:
    specimen = load_specimen(file, SHAPE, value_range=(1000, 2000))
    np.testing.assert_allclose(specimen.signal, np.clip((IMAGE - 1000.0) / 1000, 0, 1), atol=1e-7)
    assert specimen.record["steps"][1]["clipped"] == np.count_nonzero((IMAGE < 1000) | (IMAGE > 2000))


def test_another_shape_is_refused_naming_both(file: Path) -> None:
    with pytest.raises(SpecimenError, match=r"48 x 64 pixels, got 24 x 32 .*'crop' or 'resample'"):
        load_specimen(file, (48, 64))


def test_crop_keeps_the_top_left_corner_and_scales_what_is_left(file: Path) -> None:
    specimen = load_specimen(file, (10, 12), fit="crop")
    corner = IMAGE[:10, :12].astype(float)
    np.testing.assert_allclose(specimen.signal, (corner - corner.min()) / np.ptp(corner), atol=1e-7)
    assert steps(specimen) == ["read", "crop", "scale"]
    assert specimen.record["steps"][1] == {"step": "crop", "corner": "top left", "from": [24, 32], "to": [10, 12]}
    with pytest.raises(SpecimenError, match=r"at least the plan's 25 x 12 .*got 24 x 32"):
        load_specimen(file, (25, 12), fit="crop")


def test_resample_is_cubic_clipped_and_recorded(file: Path) -> None:
    specimen = load_specimen(file, (48, 64), fit="resample")
    scaled = (IMAGE - float(IMAGE.min())) / np.ptp(IMAGE.astype(float))
    np.testing.assert_allclose(specimen.signal, resampled(scaled, (48, 64)).clip(0, 1), atol=1e-7)
    step = specimen.record["steps"][2]
    assert (step["step"], step["from"], step["to"]) == ("resample", [24, 32], [48, 64])
    assert step["clipped"] > 0
    assert specimen.warnings == ()
    assert "stretched" in load_specimen(file, (48, 32), fit="resample").warnings[0]


def test_fit_has_nothing_to_do_where_shapes_agree(file: Path) -> None:
    plain = load_specimen(file, SHAPE)
    for fit in ("crop", "resample"):
        specimen = load_specimen(file, SHAPE, fit=fit)
        assert (specimen.sha256, specimen.record) == (plain.sha256, plain.record)


def test_smooth_paper_smooths_the_files_own_pixels_and_scales_again(file: Path) -> None:
    specimen = load_specimen(file, (48, 64), smooth="paper", median=2, fit="resample")
    smooth = paper_smoothed((IMAGE - float(IMAGE.min())) / np.ptp(IMAGE.astype(float)), median=2)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    np.testing.assert_allclose(specimen.signal, resampled(smooth, (48, 64)).clip(0, 1), atol=1e-6)
    assert steps(specimen) == ["read", "scale", "smooth", "scale", "resample"]
    assert specimen.record["steps"][2] == {"step": "smooth", "gaussian_px": 1.5, "median_3x3": 2}


def test_colour_becomes_grey_before_all_else(tmp_path: Path) -> None:
    colour = np.random.default_rng(2).integers(0, 255, (*SHAPE, 4)).astype(np.uint8)
    np.save(tmp_path / "a.npy", colour)
    specimen = load_specimen(tmp_path / "a.npy", SHAPE)
    grey = colour[..., :3] @ np.array([0.2125, 0.7154, 0.0721])
    np.testing.assert_allclose(specimen.signal, (grey - grey.min()) / np.ptp(grey), atol=1e-6)
    assert steps(specimen) == ["read", "grey", "scale"]
    assert specimen.record["steps"][1]["alpha_dropped"] is True


def test_a_frame_is_chosen_and_recorded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([IMAGE, IMAGE[::-1]]))
    with pytest.raises(UsageError, match=r"got 2 frames .*--frame"):
        load_specimen(tmp_path / "a.npy", SHAPE)
    specimen = load_specimen(tmp_path / "a.npy", SHAPE, frame=1)
    assert specimen.record["steps"][0] == {
        "step": "read",
        "shape": list(SHAPE),
        "dtype": "uint16",
        "frame": 1,
        "frames": 2,
    }


def tiff(path: Path, rows_nm: float, columns_nm: float) -> Path:
    tifffile.imwrite(path, IMAGE, imagej=True, resolution=(1 / columns_nm, 1 / rows_nm), metadata={"unit": "nm"})
    return path


def test_pixel_sizes_are_compared_with_the_plans(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", 0.02, 0.02)
    agreed = load_specimen(path, SHAPE, pixel_size_nm=0.0201)
    assert agreed.warnings == ()
    assert agreed.record["file_pixel_size_nm"] == pytest.approx([0.02, 0.02])
    other = load_specimen(path, SHAPE, pixel_size_nm=0.01)
    assert other.pixel_size_nm == 0.01
    assert "says 0.02 nm on this grid, the plan 0.01 nm" in other.warnings[0]
    unknown = load_specimen(path, SHAPE)
    assert unknown.pixel_size_nm == pytest.approx(0.02)
    assert unknown.warnings == ()


def test_a_hot_pixel_is_reported_and_a_range_of_percentiles_mends_it(tmp_path: Path) -> None:
    hot = IMAGE.astype(np.float32)
    hot[3, 5] = 1e7
    np.save(tmp_path / "a.npy", hot)
    specimen = load_specimen(tmp_path / "a.npy", SHAPE)
    assert "1 of 768 pixels holds 99.9" in specimen.warnings[0]
    mended = load_specimen(tmp_path / "a.npy", SHAPE, value_range=("0.1%", "99.8%"))
    assert mended.warnings == ()
    assert 0.3 < float(mended.signal.mean()) < 0.7


def test_resampling_changes_the_pixel_size_and_cropping_does_not(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", 0.02, 0.02)
    doubled = load_specimen(path, (48, 64), fit="resample", pixel_size_nm=0.01)
    assert doubled.warnings == ()
    assert doubled.record["file_pixel_size_nm"] == pytest.approx([0.01, 0.01])
    assert load_specimen(path, (12, 16), fit="crop", pixel_size_nm=0.02).warnings == ()


def test_pixels_that_are_not_square_are_said(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", 0.03, 0.02)
    specimen = load_specimen(path, SHAPE)
    assert specimen.pixel_size_nm is None
    assert "not square" in specimen.warnings[0]
    assert "0.03 x 0.02 nm" in load_specimen(path, SHAPE, pixel_size_nm=0.02).warnings[0]


def test_crystals_come_through_the_same_door() -> None:
    specimen = load_specimen("crystal:SrTiO3", (40, 50), pixel_size_nm=0.02)
    assert specimen.name == "crystal:SrTiO3[001]"
    assert specimen.shape == (40, 50)
    for option in ({"frame": 0}, {"smooth": "paper"}, {"value_range": (0.0, 1.0)}):
        with pytest.raises(UsageError, match="image files"):
            load_specimen("crystal:SrTiO3", (40, 50), **option)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"fit": "stretch"}, "'stretch'"),
        ({"smooth": "lots"}, "'lots'"),
        ({"value_range": (1.0, 0.0)}, "LO,HI"),
        ({"smooth": "paper", "median": -1}, "-1"),
    ],
)
def test_options_that_are_none_are_refused(file: Path, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        load_specimen(file, SHAPE, **options)


def test_missing_files_and_impossible_grids(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="crystal:NAME"):
        load_specimen(tmp_path / "none.tif", SHAPE)
    with pytest.raises(UsageError, match="0 x 5"):
        load_specimen("crystal:Si", (0, 5))


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.full(SHAPE, 3), "same value 3"),
        (np.full(SHAPE, 0.5), "same value 0.5"),
        (np.where(IMAGE > 2000, np.nan, 0.5), "NaN"),
        (np.where(IMAGE > 2000, -np.inf, 0.5), "infinite"),
        (IMAGE * 1j, "complex"),
    ],
)
def test_pictures_that_are_no_specimens_are_refused(tmp_path: Path, array: NDArray[Any], problem: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(SpecimenError, match=problem) as caught:
        load_specimen(tmp_path / "a.npy", SHAPE)
    assert "'a.npy'" in str(caught.value)


def test_a_uniform_specimen_is_possible_with_a_stated_range(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full(SHAPE, 0.25))
    np.testing.assert_array_equal(load_specimen(tmp_path / "a.npy", SHAPE, value_range=(0, 1)).signal, 0.25)


@given(
    array=hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.uint32, np.float32, np.float64, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    )
)
def test_any_real_array_becomes_a_specimen_or_one_sentence(array: NDArray[Any]) -> None:
    try:
        specimen = specimen_from_array(array)
    except SpecimenError as problem:
        assert str(problem).startswith("expected ")
        with np.errstate(over="ignore"):
            spread = np.ptp(array.astype(float))
        assert not np.isfinite(array).all() or array.min() == array.max() or spread == np.inf
        return
    assert specimen.shape == array.shape
    assert 0 <= specimen.signal.min() < specimen.signal.max() <= 1
    json.dumps(specimen.record)


def test_a_contrast_that_float32_cannot_tell_is_scaled() -> None:
    faint = specimen_from_array(np.array([[1e-284, 0.0], [0.5e-284, 0.0]]))
    np.testing.assert_allclose(faint.signal, np.array([[1, 0], [0.5, 0]]))


def test_specimen_of_an_array_that_is_no_picture() -> None:
    with pytest.raises(SpecimenError, match=r"shape \(3,\)"):
        specimen_from_array(np.arange(3))


def test_resampling_a_specimen_keeps_its_history(file: Path) -> None:
    specimen = load_specimen(file, SHAPE, pixel_size_nm=0.02)
    doubled = resample_specimen(specimen, (48, 64))
    np.testing.assert_allclose(doubled.signal, resampled(specimen.signal.astype(float), (48, 64)).clip(0, 1), atol=1e-7)
    assert doubled.pixel_size_nm == pytest.approx(0.01)
    assert steps(doubled) == ["read", "scale", "resample"]
    assert steps(specimen) == ["read", "scale"]


def test_identity_is_shape_and_signal() -> None:
    signal = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    same = Specimen(signal.copy(), "another name", 0.5)
    assert Specimen(signal, "name").sha256 == same.sha256
    assert Specimen(signal.reshape(4, 3), "name").sha256 != same.sha256
    changed = signal.copy()
    changed[0, 0] = 1e-7
    assert Specimen(changed, "name").sha256 != same.sha256
    assert Specimen(np.asfortranarray(signal), "name").sha256 == same.sha256
    assert same.sha256[:16] == "4558ba949ac27a42"


@pytest.mark.parametrize(
    ("signal", "problem"),
    [
        (np.zeros((2, 2)), "float64"),
        (np.zeros(4, np.float32), "two dimensions"),
        (np.zeros((0, 4), np.float32), "two dimensions"),
        (np.full((2, 2), 1.5, np.float32), "1.5"),
        (np.full((2, 2), np.nan, np.float32), "nan"),
    ],
)
def test_signals_that_are_none_are_refused(signal: NDArray[Any], problem: str) -> None:
    with pytest.raises(SpecimenError, match=problem):
        Specimen(signal, "x")


def test_real_micrographs_become_specimens(shared_dir: Path) -> None:
    names = sorted((shared_dir / "images").glob("*.tif"))
    assert len(names) >= 14
    for path in names[:4]:
        rows, columns = tifffile.imread(path).shape
        specimen = load_specimen(path, (rows // 2, columns // 2), fit="crop", smooth="paper")
        assert (specimen.signal.min(), specimen.signal.max()) == (0, 1)
        assert specimen.warnings == ()


def test_a_colon_alone_makes_no_kind(tmp_path: Path) -> None:
    np.save(tmp_path / "grain:7.npy", np.linspace(0, 1, 12).reshape(3, 4))
    assert load_specimen(tmp_path / "grain:7.npy", (3, 4)).name == "grain:7.npy"
    with pytest.raises(InputNotFoundError, match="crystal:NAME or synthetic:SEED/INDEX, got .chrystal"):
        load_specimen("chrystal:Si", (3, 4))
