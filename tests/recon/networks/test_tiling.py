"""Tiles: the whole frame's numbers where the overlap covers the receptive field, any size, bounded memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from stemscan.errors import ReconError
from stemscan.recon.networks.tiling import tiled
from stemscan.recon.paper.inference import infer
from stemscan.recon.paper.network import FACTOR, MULTIPLE, RECEPTIVE_RADIUS
from tests.recon.fshnet.fshnet_kit import seeded_network, uniform

Image = npt.NDArray[np.float32]
REACH = 5


def local(*parts: Image) -> Image:
    """A mean over 11 x 11 pixels of the first channels' sum, zeros beyond the edges."""
    from scipy.ndimage import uniform_filter

    image = np.sum([part.reshape(-1, *part.shape[-2:])[0] for part in parts], axis=0)
    return np.asarray(uniform_filter(image, 2 * REACH + 1, mode="constant"), dtype=np.float32)


def local_at_half(*parts: Image) -> Image:
    """The same at every second pixel."""
    return np.ascontiguousarray(local(*parts)[::2, ::2])


def frames_of(shape: tuple[int, ...], seed: int = 21) -> Image:
    return (uniform(seed, shape) - 0.5).astype(np.float32)


@pytest.mark.parametrize("shape", [(357, 61), (301, 330)])
def test_network_in_tiles_is_the_network_on_the_whole_frame(shape: tuple[int, int]) -> None:
    network, frames, prior = seeded_network(), frames_of((4, *shape)), frames_of(shape, 22)
    whole = infer(network, frames, prior)

    def run(overlap: int) -> Image:
        return tiled(lambda a, b: infer(network, a, b), (frames, prior), FACTOR, 176, overlap, multiple=MULTIPLE)

    np.testing.assert_allclose(run(RECEPTIVE_RADIUS), whole, rtol=0, atol=1e-5)
    assert np.abs(run(0) - whole).max() > 1e-2  # the comparison would notice seams


@pytest.mark.parametrize("row", range(0, MULTIPLE, FACTOR))
def test_receptive_radius_holds_and_is_reached(row: int) -> None:
    network = seeded_network()
    pixel = 10 * MULTIPLE + row
    prior = torch.zeros(1, 1, 2 * pixel + 48, 16, requires_grad=True)
    frames = torch.zeros(1, 4, *prior.shape[2:], requires_grad=True)
    output = network(frames, prior)[0, 0, pixel // FACTOR].sum()
    gradients = torch.autograd.grad(output, (frames, prior))
    reached = torch.cat([gradient.abs().sum(dim=(0, 1, 3)).nonzero() for gradient in gradients]).flatten() - pixel
    assert int(reached.abs().max()) <= RECEPTIVE_RADIUS
    if row == 0:
        assert int(reached.min()) == -RECEPTIVE_RADIUS


@pytest.mark.parametrize(("function", "factor"), [(local, 1), (local_at_half, 2)])
@pytest.mark.parametrize("shape", [(64, 64), (61, 90), (33, 17), (5, 130), (1, 1)])
@pytest.mark.parametrize(("tile", "overlap", "taper"), [(16, 6, 0), (48, 5, 0), (32, 16, 8), (1008, 0, 0)])
def test_any_size(function: object, factor: int, shape: tuple[int, int], tile: int, overlap: int, taper: int) -> None:
    assert callable(function)
    arrays = frames_of((3, *shape)), frames_of(shape, 23)
    made = tiled(function, arrays, factor, tile, overlap, taper=taper, multiple=16)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, function(*arrays), rtol=0, atol=1e-6)


def test_taper_blends_linearly_and_weights_sum_to_one() -> None:
    def by_size(part: Image) -> Image:
        """Tiles at the frame's edges are smaller: 1 for them, 0 for others."""
        return np.full(part.shape, float(part.shape[1] < 48), dtype=np.float32)

    frame = np.zeros((16, 96), dtype=np.float32)
    profile = tiled(by_size, (frame,), 1, 32, 8, multiple=8, taper=8)[0]  # of 40, 48 and 40 columns
    assert profile[:24].min() == 1.0
    assert profile[40:56].max() == 0.0
    np.testing.assert_allclose(np.diff(profile[24:40]), -1 / 16, atol=1e-6)
    np.testing.assert_allclose(profile, profile[::-1], atol=1 / 16 + 1e-6)
    constant = tiled(lambda part: np.full(part.shape, 7.0, dtype=np.float32), (frame,), 1, 32, 8, multiple=8, taper=8)
    np.testing.assert_allclose(constant, 7.0, rtol=1e-6)


class Watched:
    """An array that is not in memory and notes what is asked of it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.largest = 0
        self.starts: set[int] = set()

    def __getitem__(self, index: tuple[object, slice, slice]) -> Image:
        _, rows, columns = index
        self.largest = max(self.largest, (rows.stop - rows.start) * (columns.stop - columns.start))
        self.starts |= {rows.start, columns.start}
        return np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32)


def test_memory_is_that_of_one_tile_and_phases_stay() -> None:
    array = Watched((1000, 3001))
    made = tiled(lambda part: part[::2, ::2], (array,), 2, 128, 20)
    assert made.shape == (500, 1501)
    assert array.largest <= (128 + 2 * 32) ** 2  # the overlap is rounded up to 32
    assert all(start % 16 == 0 for start in array.starts)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tile": 40}, "expected a tile that is a multiple of 16, got 40; take 32"),
        ({"tile": 0}, "take 16"),
        ({"factor": 3}, "expected a factor of at least 1 and a multiple of it, got 3 and 16"),
        ({"overlap": -1}, "expected an overlap of at least 0"),
        ({"overlap": 8, "taper": 9}, "a taper of at most the overlap"),
        ({"overlap": 64, "taper": 20}, "half a tile"),
        ({"factor": 2}, r"expected an image of shape \(16, 16\) of a tile at factor 2, got \(32, 32\)"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(settings: dict[str, int], message: str) -> None:
    given = {"factor": 1, "tile": 32, "overlap": 0, **settings}
    with pytest.raises(ReconError, match=message):
        tiled(lambda part: part, (frames_of((32, 32)),), **given)


@pytest.mark.parametrize("shapes", [((32, 32), (32, 31)), ((32,),), ((0, 32),), ()])
def test_arrays_of_different_grids_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ReconError, match="expected arrays of one grid"):
        tiled(local, [np.zeros(shape, dtype=np.float32) for shape in shapes], 1, 32, 0)
