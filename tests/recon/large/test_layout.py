"""Tiles cover a frame once, their weights add up to one, and they follow from its size alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stemscan.recon.large import layout as module
from stemscan.recon.large.layout import Layout, within

sides = st.integers(1, 700)


@given(st.tuples(sides, sides))
def test_cores_cover_the_frame_once_and_are_whole_chunks(shape: tuple[int, int]) -> None:
    found = np.zeros(shape, int)
    for tile in Layout(shape):
        found[tile.core] += 1
        for core, side in zip(tile.core, shape, strict=True):
            assert core.start % module.SIZES.chunk == 0
            assert core.stop % module.SIZES.chunk == 0 or core.stop == side
            assert core.stop - core.start <= max(module.SIZES.whole, 3 * module.SIZES.chunk)
    assert (found == 1).all()


@given(st.tuples(sides, sides))
def test_weights_of_all_tiles_add_up_to_one(shape: tuple[int, int]) -> None:
    layout = Layout(shape)
    total = np.zeros(shape)
    for tile in layout:
        total[tile.window] += np.outer(*layout.weights(tile, tile.window))
        inner = within(tile.core, tile.window)
        middle = tuple((part.start + part.stop) // 2 for part in inner)
        assert np.outer(*layout.weights(tile, tile.window))[middle] == 1
    np.testing.assert_allclose(total, 1, atol=1e-12)


def test_a_frame_of_at_most_the_whole_size_is_one_tile() -> None:
    assert not Layout.needed((module.SIZES.whole, module.SIZES.whole))
    assert Layout.needed((module.SIZES.whole + 1, 1))
    assert Layout((module.SIZES.whole, 20)).counts == (1, 1)


def test_neighbours_touch() -> None:
    layout = Layout((400, 400))
    assert {one.place for one in layout.neighbours(layout.tile(0, 1))} == {
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
    }
