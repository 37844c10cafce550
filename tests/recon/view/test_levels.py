"""Tiles of pictures: pixel for pixel, reduced, with colours of their own for what was not visited."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from stemscan.recon.pictures.colours import UNVISITED
from stemscan.recon.view import levels
from stemscan.recon.view.levels import Layer, levels_of, png_of, shades

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles that tests can fill."""
    monkeypatch.setattr(levels, "TILE", 16)


def test_every_level_shows_means_of_visited_pixels() -> None:
    visits = RNG.integers(0, 2, (50, 37)).astype(np.uint32)
    visits[:8, :8] = 0
    sums = (visits * RNG.integers(1, 9, visits.shape)).astype(np.float32)
    layer = Layer(sums, visits, "grey", (0.0, 10.0))
    assert levels_of(visits.shape) == 3
    for level in range(3):
        step, seen = 2**level, np.zeros((-(-50 // 2**level), -(-37 // 2**level)), np.uint8)
        for row in range(-(-50 // (16 * step))):
            for column in range(-(-37 // (16 * step))):
                numbers, limits = layer.tile(level, row, column)
                assert limits == (0.0, 10.0)
                seen[16 * row : 16 * row + numbers.shape[0], 16 * column : 16 * column + numbers.shape[1]] = numbers
        for row, column in np.ndindex(seen.shape):
            part = (slice(row * step, (row + 1) * step), slice(column * step, (column + 1) * step))
            if not visits[part].sum():
                assert seen[row, column] == 0
            else:
                mean = sums[part].sum() / visits[part].sum()
                assert seen[row, column] == int(mean * 25.4 + 1.5)
    assert layer.tile(2, 0, 0)[0].shape == (13, 10)


@pytest.mark.parametrize("place", [(0, 4, 0), (0, 0, 3), (3, 0, 0), (9, 0, 0)])
def test_a_tile_that_is_none(place: tuple[int, int, int]) -> None:
    with pytest.raises(LookupError):
        Layer(np.ones((50, 37)), None, "grey").tile(*place)


def test_limits_are_found_where_none_are_given() -> None:
    image = np.linspace(-1, 3, 4096, dtype=np.float32).reshape(64, 64)
    for level in (0, 2):
        _, (low, high) = Layer(image, None, "grey").tile(level, 0, 0)
        assert -1 <= low < -0.9
        assert 2.9 < high <= 3
    _, limits = Layer(np.zeros((20, 20)), np.zeros((20, 20)), "grey").tile(0, 0, 0)
    assert limits == (0.0, 1.0)


@pytest.mark.parametrize("name", ["grey", "visits", "signed", "cividis", "viridis"])
def test_pngs_have_the_colours_of_their_table(name: str) -> None:
    numbers = np.arange(256, dtype=np.uint8).reshape(16, 16)
    read = np.asarray(Image.open(io.BytesIO(png_of(numbers, name))).convert("RGB"))
    np.testing.assert_array_equal(read.reshape(-1, 3), shades(name).colours)
    assert tuple(read[0, 0]) == UNVISITED


def test_contradictions_are_pale_at_zero_and_full_at_their_limit() -> None:
    z = np.array([[-9.0, -5.0, 0.0, 5.0, 9.0]], np.float32)
    numbers, _ = Layer(z, None, "signed", (-5.0, 5.0)).tile(0, 0, 0)
    colours = shades("signed").colours[numbers[0]].astype(int)
    assert colours[2].min() >= 250
    assert (colours[0] == colours[1]).all()
    assert (colours[3] == colours[4]).all()
    assert colours[0][2] > colours[0][0]
    assert colours[4][0] > colours[4][2]


def test_blocks_that_are_known_are_those_of_the_pixels() -> None:
    rng = np.random.default_rng(3)
    sums, visits = rng.random((2100, 1030)).astype(np.float32), rng.integers(0, 2, (2100, 1030)).astype(np.uint32)
    plain = Layer(sums, visits, "grey")
    level = levels_of(sums.shape) - 1
    step = 1 << level
    small = tuple(
        np.add.reduceat(np.add.reduceat(values, np.arange(0, 2100, step), 0), np.arange(0, 1030, step), 1)
        for values in (sums, visits)
    )
    known = Layer(sums, visits, "grey", reduced=(small[0], small[1]))
    (numbers, limits), (others, likewise) = plain.tile(level, 0, 0), known.tile(level, 0, 0)
    assert limits == pytest.approx(likewise)
    assert np.abs(numbers.astype(int) - others).max() <= 1
    np.testing.assert_array_equal(plain.tile(1, 1, 0)[0], known.tile(1, 1, 0)[0])
