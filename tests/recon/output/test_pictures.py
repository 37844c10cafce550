"""Pictures: colours that cannot be mistaken, round scale bars, panels of any shape."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemscan.errors import OutputExistsError, ReconError
from stemscan.recon.contradiction.contradiction import Contradiction
from stemscan.recon.metrics import compare
from stemscan.recon.pictures.colours import (
    UNVISITED,
    coverage_colours,
    grey_limits,
    signed_colours,
    signed_limit,
    to_rgb,
)
from stemscan.recon.pictures.frames import frame_picture
from stemscan.recon.pictures.panel import panel
from stemscan.recon.pictures.scale_bar import scale_bar
from stemscan.recon.pictures.single import draw_picture
from stemscan.recon.pictures.tiles import DPI, Layout, Tile, detail, draw_rows
from stemscan.recon.run import reconstruct
from tests.recon.sampling_kit import lattice, scan


def opened(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


@given(st.integers(1, 100_000), st.floats(1e-4, 1e3))
def test_scale_bars_are_round_and_fit(width: int, size: float) -> None:
    bar = scale_bar(width, size)
    assert 0.1 * width <= bar.pixels * 1.0001
    assert bar.pixels <= 0.25 * width * 1.0001
    number, unit = bar.label.split()
    assert float(number) * {"mm": 1e6, "µm": 1e3, "nm": 1, "Å": 0.1}[unit] == pytest.approx(bar.pixels * size)
    assert f"{float(number):.0e}"[0] in "125"
    assert float(number) < 1000 or unit == "mm"
    assert float(number) >= 1 or unit == "Å"


@given(st.integers(1, 100_000))
def test_scale_bars_without_a_pixel_size_are_whole_pixels(width: int) -> None:
    bar = scale_bar(width, None)
    assert bar.label == f"{bar.pixels:.0f} px"
    assert bar.pixels == int(bar.pixels)
    assert max(1, 0.1 * width) <= bar.pixels * 1.0001
    assert bar.pixels <= max(1, 0.25 * width)


def black_run(pixels: np.ndarray) -> int:
    """The longest horizontal run of ink in a picture."""
    ink = (np.abs(pixels.astype(int) - 26) < 8).all(axis=-1)
    runs = [len(run) for row in ink for run in "".join("x" if dark else " " for dark in row).split()]
    return max(runs, default=0)


@pytest.mark.parametrize(("size", "pixels"), [(0.01, 50), (0.03, 33), (None, 50)])
def test_pictures_carry_a_scale_bar(tmp_path: Path, size: float | None, pixels: float) -> None:
    """256 pixels are magnified twice; the bar stands in the strip below them."""
    draw_picture(np.ones((256, 256)), tmp_path / "p.png", pixel_size_nm=size)
    strip = opened(tmp_path / "p.png")[512:]
    assert black_run(strip) == pytest.approx(2 * pixels, abs=2)


def test_contradictions_stand_beside_the_image_in_circles(tmp_path: Path) -> None:
    z = np.zeros((512, 512), np.float32)
    z[100:103, 200:203], z[400, 511] = -9, 6
    image = np.linspace(0, 1, 512 * 512, dtype=np.float32).reshape(512, 512)
    draw_picture(image, tmp_path / "p.png", checked=Contradiction(z, 5.0, 3.0))
    draw_picture(image, tmp_path / "alone.png")
    pixels, alone = opened(tmp_path / "p.png"), opened(tmp_path / "alone.png")
    np.testing.assert_array_equal(pixels[:512, :512], alone[:512])
    right = pixels[:512, -512:].astype(int)
    assert right[101, 201].tolist() == [5, 70, 140]
    assert right[400, 511].tolist() == [160, 15, 40]
    dark = np.argwhere((right < 100).all(axis=2))
    assert 0 < len(dark) < 200
    near = [np.hypot(*(dark - place).T) for place in ((101, 201), (400, 511))]
    assert (np.minimum(*near) < 10).all()
    assert (np.minimum(*near) > 5).all()
    assert (pixels[512:, -512:] < 120).all(axis=2).any()


@pytest.mark.parametrize(("side", "insets"), [(64, 0), (256, 0), (600, 1)])
def test_insets_only_magnify(side: int, insets: int) -> None:
    tile = Tile(np.zeros((side, side, 3), dtype=np.uint8), "a", "b")
    _, axes = draw_rows([[tile]], ["row"], Layout(1, 2.5, 2.5, (0.36,)), inset=96)
    assert len(axes[0][0].child_axes) == insets


@pytest.mark.parametrize("size", [None, 0.01])
def test_panels_carry_a_scale_bar_for_each_magnification(tmp_path: Path, size: float | None) -> None:
    """Below the truth, 600 pixels wide, and below the detail of 188 pixels."""
    inputs = replace(scan(np.full((600, 600), 0.5, dtype=np.float32)), pixel_size_nm=size)
    made = [replace(reconstruct(inputs, "constant"), image=np.full((600, 600), 0.6, dtype=np.float32))]
    panel(inputs, made, inputs.truth, tmp_path / "p.png")
    place, below = Layout(3, 2.5, 2.5, (0.6,)), opened(tmp_path / "p.png")
    for column, share in ((0, 100 / 600), (1, 20 / 188)):
        left, top = round(DPI * (0.38 + column * 2.6)), round(DPI * (0.3 + 0.36 + place.height + 0.02))
        tile = below[top : top + round(0.18 * DPI), left : left + round(2.5 * DPI)]
        assert black_run(tile) == pytest.approx(share * 2.5 * DPI, abs=3)


def test_unvisited_pixels_are_never_grey() -> None:
    inputs = scan(lattice((64, 64)))
    assert len(set(UNVISITED)) > 1
    for rgb, visited in (
        (frame_picture(inputs), inputs.V > 0),
        (frame_picture(inputs, 2), inputs.visits[2] > 0),
        (coverage_colours(inputs.V)[0], inputs.V > 0),
    ):
        assert (rgb[~visited] == UNVISITED).all()
        assert not (rgb[visited] == UNVISITED).all(axis=-1).any()
    grey = frame_picture(inputs, 2)[inputs.visits[2] > 0]
    assert (grey == grey[:, :1]).all()


def test_frames_show_counts_per_visit() -> None:
    inputs = scan(np.full((32, 32), 0.5, dtype=np.float32), passes=16, ratio=0.3, dose=1e6)
    shown = frame_picture(inputs)[inputs.V > 0]
    assert np.ptp(shown.astype(int)) <= 2 or inputs.V.max() == 1


def test_limits_are_robust() -> None:
    image = np.linspace(0, 1, 10_000).reshape(100, 100)
    image[0, :3] = 1e6, -1e6, 1e7
    low, high = grey_limits(image)
    assert 0 <= low < 0.01
    assert 0.99 < high <= 1
    assert grey_limits(np.full((4, 4), 2.0)) == (1.5, 2.5)
    one = np.zeros((100, 100))
    one[3, 3] = 1
    assert grey_limits(one) == (0, 1)
    assert grey_limits(image, np.zeros((100, 100), dtype=bool)) == (0, 1)
    assert to_rgb(image, (0, 1)).dtype == np.uint8


def test_errors_are_white_at_zero_blue_below_red_above() -> None:
    white, red, blue, faint = signed_colours(np.array([[0.0, 1.0, -2.0, 0.1]]), 1.0)[0].astype(int)
    assert (white == 255).all()
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert faint.sum() > red.sum()
    assert signed_limit([np.zeros((3, 3))]) > 0
    assert signed_limit([np.full((3, 3), 0.231)]) == pytest.approx(0.3)


def test_coverage_legend() -> None:
    visits = np.array([[0, 1, 2, 9]])
    rgb, legend = coverage_colours(visits)
    assert [label for label, _ in legend] == ["0", "1", "2", "3", "4", "5+"]
    assert tuple(rgb[0, 3]) == legend[-1][1]
    assert [label for label, _ in coverage_colours(visits[:, :3])[1]] == ["0", "1", "2"]


@pytest.mark.parametrize("shape", [(5, 7), (1, 40), (700, 30)])
@pytest.mark.parametrize("size", [None, 0.01])
def test_pictures_of_any_shape(tmp_path: Path, shape: tuple[int, int], size: float | None) -> None:
    visited = np.random.default_rng(0).random(shape) < 0.5
    draw_picture(lattice(shape), tmp_path / "p.png", pixel_size_nm=size, visited=visited)
    pixels = opened(tmp_path / "p.png")
    assert pixels.shape[0] > shape[0]
    assert pixels.shape[1] >= 420
    assert (pixels == UNVISITED).all(axis=-1).any()
    assert (pixels[-1] == 255).all()


@pytest.mark.parametrize(("shape", "size"), [((256, 230), 0.01), ((20, 300), None), ((1, 90), None), ((300, 20), 0.01)])
def test_panels(tmp_path: Path, shape: tuple[int, int], size: float | None) -> None:
    inputs = scan(lattice(shape), pixel_size_nm=size)
    made = [reconstruct(inputs, method) for method in ("linear", "nearest")]
    panel(inputs, made, inputs.truth, tmp_path / "truth.png")
    panel(inputs, made, None, tmp_path / "none.png")
    with_truth, without = opened(tmp_path / "truth.png"), opened(tmp_path / "none.png")
    assert (with_truth == UNVISITED).all(axis=-1).any()
    assert (without == UNVISITED).all(axis=-1).any()
    assert with_truth.shape[0] > without.shape[0]  # errors below


def test_large_images_are_reduced_by_averaging(tmp_path: Path) -> None:
    """A chequered image of two greys becomes their mean, not one of them."""
    chequered = (np.indices((900, 1100)).sum(axis=0) % 2).astype(np.float32)
    inputs = scan(chequered, ratio=0.2)
    made = replace(reconstruct(inputs, "nearest"), image=chequered)
    panel(inputs, [made], None, tmp_path / "p.png")
    pixels = opened(tmp_path / "p.png").astype(int)
    middle = pixels[pixels.shape[0] * 2 // 3, 60:200]
    assert (np.abs(middle - 127.5) < 12).all()


def test_panel_of_many_methods(tmp_path: Path) -> None:
    inputs = scan(lattice((64, 64)))
    made = [reconstruct(inputs, "nearest")] * 7
    assert inputs.truth is not None
    metrics = [compare(one.image, inputs.truth) for one in made]
    panel(inputs, made, inputs.truth, tmp_path / "p.png", metrics=metrics)
    assert opened(tmp_path / "p.png").shape[0] > 1500
    with pytest.raises(OutputExistsError):
        panel(inputs, made, inputs.truth, tmp_path / "p.png", metrics=metrics)
    panel(inputs, made[:1], inputs.truth, tmp_path / "p.png", overwrite=True)
    assert opened(tmp_path / "p.png").shape[0] < 1500


def test_panels_refuse(tmp_path: Path) -> None:
    inputs = scan(lattice((32, 32)))
    made = reconstruct(inputs, "nearest")
    with pytest.raises(ReconError, match=r"reconstructions of shape \(32, 32\), got \[\]"):
        panel(inputs, [], None, tmp_path / "p.png")
    with pytest.raises(ReconError, match=r"got \[\(16, 16\)\]; make them with grid='plan'"):
        panel(inputs, [replace(made, image=made.image[:16, :16])], None, tmp_path / "p.png")


@given(st.tuples(st.integers(1, 500), st.integers(1, 500)), st.integers(1, 300), st.booleans())
def test_details_lie_within_the_image(shape: tuple[int, int], side: int, square: bool) -> None:
    parts = detail(shape, side, square=square)
    for part, length in zip(parts, shape, strict=True):
        assert 0 <= part.start < part.stop <= length
        assert part.stop - part.start <= side
    assert max(part.stop - part.start for part in parts) == min(side, max(shape)) or square
