"""Numbers of pixels, their points, and sorting by numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stemscan.path.pixels import pixels_of, points_of, sorted_by


@pytest.mark.parametrize("width", [1, 3, 641, 10_007, 65_521, 65_535, 65_536])
def test_rows_of_pixels_are_exact(width: int) -> None:
    """They are found by multiplication: at the ends of rows it must not matter."""
    ends = np.arange(0, 65_536, dtype=np.int64) * width
    pixels = np.unique(np.concatenate([ends, ends + 1, ends + width - 1]).clip(0, 65_536 * width - 1))
    points = points_of(pixels.astype(np.uint32), width)
    np.testing.assert_array_equal(points, np.stack(np.divmod(pixels, width), axis=1))
    np.testing.assert_array_equal(pixels_of(points, width), pixels)


@given(arrays.arrays(np.int64, st.integers(0, 300), elements=st.integers(0, 2**62) | st.integers(10**9, 10**9 + 9999)))
@settings(max_examples=60, deadline=None)
def test_sorting_is_stable_and_leaves_the_pixels_alone(numbers: npt.NDArray[np.int64]) -> None:
    pixels = np.arange(len(numbers), dtype=np.uint32)
    expected = np.argsort(numbers, kind="stable")
    np.testing.assert_array_equal(sorted_by(numbers.copy(), pixels), expected)
    np.testing.assert_array_equal(pixels, np.arange(len(numbers)))
