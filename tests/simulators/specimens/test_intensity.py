"""Intensities: colour, types, ranges; smoothing and resampling as operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stemscan.errors import SpecimenError, UsageError
from stemscan.simulators.specimens.intensity import check_range, grey, min_max, outliers, real_values, scaled
from stemscan.simulators.specimens.smoothing import PAPER_SIGMA, paper_smoothed, resampled


def ramp(*shape: int) -> NDArray[np.float64]:
    return np.linspace(0, 1, int(np.prod(shape))).reshape(shape)


def test_grey_pictures_pass_unchanged() -> None:
    image = ramp(4, 5)
    plane, step = grey(image)
    assert plane is image
    assert step is None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_equal_channels_are_taken_as_they_are_and_alpha_is_dropped(channels: int) -> None:
    image = np.repeat(np.arange(20, dtype=np.uint16).reshape(4, 5, 1), channels, axis=2)
    if channels in (2, 4):
        image[..., -1] = 7
    plane, step = grey(image)
    np.testing.assert_array_equal(plane, image[..., 0])
    assert plane.dtype == np.uint16
    assert step == {"step": "grey", "channels": channels, "alpha_dropped": channels in (2, 4), "weights": None}


def test_colour_becomes_luma() -> None:
    image = np.zeros((1, 3, 3), np.uint8)
    image[0, range(3), range(3)] = 200
    plane, step = grey(image)
    np.testing.assert_allclose(plane[0], 200 * np.array([0.2125, 0.7154, 0.0721]))
    assert step is not None
    assert sum(step["weights"]) == pytest.approx(1)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint16", "int16", "int64", "uint64", "f2", "f4", "f8", ">u2"]
)
def test_every_real_type_is_read_by_value(dtype: str) -> None:
    plane = np.array([[0, 1], [1, 0]], dtype)
    np.testing.assert_array_equal(real_values(plane, "x"), [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("plane", "problem"),
    [
        (np.zeros((2, 2), complex), "complex"),
        (np.zeros((0, 4)), "empty"),
        (np.array([[1.0, np.nan], [np.inf, 2.0]]), "2 of 4 values NaN or infinite"),
        (np.array([["a", "b"]]), "type <U1"),
        (np.zeros((2, 2), [("r", "u1")]), "expected numbers"),
    ],
)
def test_what_is_no_intensity_is_refused(plane: NDArray[Any], problem: str) -> None:
    with pytest.raises(SpecimenError, match=problem):
        real_values(plane, "x")


def test_floats_in_the_unit_range_stay_untouched() -> None:
    image = 0.2 + 0.5 * ramp(3, 3)
    values, step = scaled(image.copy(), floating=True, value_range=None, name="x")
    np.testing.assert_array_equal(values, image)
    assert step["kind"] == "none"
    assert step["values"] == [0.2, 0.7]


@pytest.mark.parametrize(("low", "high", "floating"), [(-0.1, 1.0, True), (0.0, 1.5, True), (0.0, 1.0, False)])
def test_all_else_is_scaled_from_minimum_and_maximum(low: float, high: float, floating: bool) -> None:
    image = low + (high - low) * ramp(3, 3)
    values, step = scaled(image, floating=floating, value_range=None, name="x")
    np.testing.assert_allclose(values, ramp(3, 3), atol=1e-15)
    assert step == {"step": "scale", "kind": "min-max", "values": [low, high]}


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_vacuum_and_full_signal_are_specimens_in_a_stated_range(value: float) -> None:
    values, step = scaled(np.full((2, 3), value), floating=True, value_range=(0.0, 1.0), name="u")
    assert (values == value).all()
    assert step["kind"] == "range"


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30),
    low=st.floats(-1e5, 1e5),
    width=st.floats(1, 1e6),
)
def test_a_stated_range_is_affine_and_clipped(values: list[float], low: float, width: float) -> None:
    image = np.array([values])
    uniform = image.min() == image.max() and image.min() in (low, low + width)
    if not uniform and (image.max() <= low or image.min() >= low + width):
        with pytest.raises(SpecimenError, match="overlaps"):
            scaled(image, floating=True, value_range=(low, low + width), name="x")
        return
    got, step = scaled(image.copy(), floating=True, value_range=(low, low + width), name="x")
    np.testing.assert_allclose(got, np.clip((image - low) / ((low + width) - low), 0, 1), atol=1e-9)
    assert step["clipped"] == np.count_nonzero((image < low) | (image > low + width))


def test_pictures_without_contrast_are_refused_unless_a_range_is_stated() -> None:
    for value in (0.0, 0.5, 7.0):
        with pytest.raises(SpecimenError, match="same value"):
            scaled(np.full((2, 2), value), floating=True, value_range=None, name="x")
    uniform, _ = scaled(np.full((2, 2), 5.0), floating=True, value_range=(0, 10), name="x")
    np.testing.assert_array_equal(uniform, 0.5)
    with pytest.raises(SpecimenError, match="contrast"):
        min_max(np.array([[-1.7e308, 1.7e308]]), "x")


@pytest.mark.parametrize("wrong", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf), (np.nan, 1.0), (-1.7e308, 1.7e308)])
def test_ranges_that_are_none_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="LO,HI"):
        check_range(wrong)


def test_smoothing_is_a_gaussian_then_medians() -> None:
    impulse = np.zeros((31, 31))
    impulse[15, 15] = 1
    kernel = paper_smoothed(impulse, median=0)
    assert kernel.sum() == pytest.approx(1)
    offsets = np.arange(31) - 15
    assert (kernel.sum(axis=0) * offsets**2).sum() == pytest.approx(PAPER_SIGMA**2, rel=0.01)
    once = paper_smoothed(impulse, median=1)
    by_hand = np.median(np.lib.stride_tricks.sliding_window_view(kernel, (3, 3)), axis=(2, 3))
    np.testing.assert_array_equal(once[1:-1, 1:-1], by_hand)
    twice = np.median(np.lib.stride_tricks.sliding_window_view(once, (3, 3)), axis=(2, 3))
    np.testing.assert_array_equal(paper_smoothed(impulse, median=2)[1:-1, 1:-1], twice)
    for wrong in (-1, 101):
        with pytest.raises(UsageError, match=str(wrong)):
            paper_smoothed(impulse, median=wrong)


@given(old=st.integers(1, 40), new=st.integers(1, 40), other=st.integers(1, 9))
def test_resampling_keeps_constants_and_shape(old: int, new: int, other: int) -> None:
    got = resampled(np.full((old, other), 0.3), (new, other + 1))
    assert got.shape == (new, other + 1)
    np.testing.assert_allclose(got, 0.3, atol=1e-12)


def test_resampling_to_the_same_grid_changes_nothing() -> None:
    image = ramp(7, 9)
    np.testing.assert_array_equal(resampled(image, (7, 9)), image)


@pytest.mark.parametrize("size", [64, 150, 300])
def test_resampling_keeps_places(size: int) -> None:
    """A smooth wave over the field, sampled at pixel centres, stays that wave."""

    def wave(n: int) -> NDArray[np.float64]:
        return np.cos(2 * np.pi * 3 * (np.arange(n) + 0.5) / n)

    got = resampled(np.outer(wave(100), wave(100)), (size, size))
    edge = size // 10
    inner = (slice(edge, -edge), slice(edge, -edge))
    np.testing.assert_allclose(got[inner], np.outer(wave(size), wave(size))[inner], atol=0.02)


def test_doubling_agrees_with_a_reference_and_keeps_the_mean() -> None:
    """Pillow's bicubic resize uses the same kernel, pixel centres and widening."""
    from PIL import Image

    image = np.random.default_rng(0).random((24, 33))
    for shape in ((48, 66), (11, 17), (24, 50)):
        reference = np.asarray(
            Image.fromarray(image.astype(np.float32)).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
        )
        got = resampled(image, shape)
        edge = 4
        np.testing.assert_allclose(got[edge:-edge, edge:-edge], reference[edge:-edge, edge:-edge], atol=1e-5)


def test_coarser_grids_do_not_alias() -> None:
    checkered = np.indices((64, 64)).sum(axis=0) % 2.0
    assert np.abs(resampled(checkered, (16, 16))[1:-1, 1:-1] - 0.5).max() < 0.01


def test_few_pixels_that_hold_the_range_are_found() -> None:
    values = np.random.default_rng(0).uniform(300, 400, (32, 32))
    assert outliers(values) is None
    values[3, 4] = 1e6
    found = outliers(values)
    assert found is not None
    few, low, high, share = found
    assert few == 1
    assert 300 <= low < high <= 400
    assert share == pytest.approx(1, abs=1e-3)
    assert outliers(np.zeros((2, 2))) is None


def test_percentiles_as_a_range_leave_the_outlier_out() -> None:
    values = np.random.default_rng(0).uniform(300, 400, (32, 32))
    values[3, 4] = 1e6
    inside = np.sort(values, axis=None)
    got, step = scaled(values.copy(), floating=True, value_range=("0.1%", "99.9%"), name="x")
    assert step["percentiles"] == ["0.1%", "99.9%"]
    assert step["range"] == [inside[2], inside[1021]]
    assert step["clipped"] == 4
    assert (got.min(), got.max()) == (0, 1)
    _, step = scaled(values.copy(), floating=True, value_range=(0, "99.9%"), name="x")
    assert step["range"] == [0, inside[1021]]


@pytest.mark.parametrize("ends", [("1%", "0.5%"), ("a%", "99%"), ("-1%", "99%"), ("1", "99%"), ("0%", "101%")])
def test_percentiles_that_are_none(ends: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="expected a (percentile|range)"):
        check_range(ends)
