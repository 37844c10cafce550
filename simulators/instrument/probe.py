"""A crystal's projection as a scanning probe sees it: any size of picture at a cost that depends on its pixels only.

The image repeats with the projected cell, so one cell is made, on a grid fine enough for cubic interpolation to be
exact to 1e-5, and every pixel reads it at its own place. The cell comes from its Fourier coefficients: the structure
factor of the columns times the probe's transfer function, which is exact at whatever sub-pixel place a column stands.

The probe is a Gaussian core with a Lorentzian-like tail, (1 - t) G(r) + t (G * L)(r) with L(r) = g / (2 pi (r^2 +
g^2)^(3/2)); its transform exp(-2 pi^2 s^2 q^2) ((1 - t) + t exp(-2 pi g q)) needs no convolution. The source's image
adds to s^2. A crystal that is tilted spreads each column's atoms evenly over a short line, whose transform is a sinc.

Columns that are not those of the repeating crystal are added one by one, from a table of the same profile.

The cell is rounded to multiples of 2**-20 of its maximum: what the mathematics libraries of two machines differ in
is smaller by nine orders, and interpolation uses basic arithmetic only, so that a specimen is the same everywhere.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import UsageError
from stemscan.runtime.compiled import compiled
from stemscan.runtime.roomy import give_back, roomy
from stemscan.simulators.specimens.projection import Projection

__all__ = ["CellImage", "Probe", "add_profiles", "render_cell", "render_field"]

_STEPS_PER_SIGMA: Final = 16
_ROUNDING: Final = 2.0**20
_PAD: Final = 3
_BAND_PIXELS: Final = 1 << 21
_TABLE_NM: Final = 4.0
_REACH_NM: Final = 1.2


@dataclass(frozen=True)
class Probe:
    """Intensity profile of the electron probe.

    Parameters
    ----------
    fwhm_nm : float
        Full width at half maximum of the Gaussian core, above 0.
    tail : float
        Share of the intensity in the tail, 0 to 1.
    tail_nm : float
        Width g of the tail, above 0.
    source_nm : float
        Full width at half maximum of the source's image, a Gaussian; 0 of a point.
    tilt_nm : float
        Length of the line over which a tilted crystal spreads a column's atoms: its thickness times the tilt.
    tilt_deg : float
        Direction of that line, counterclockwise from the right.
    """

    fwhm_nm: float = 0.1
    tail: float = 0.5
    tail_nm: float = 0.15
    source_nm: float = 0.0
    tilt_nm: float = 0.0
    tilt_deg: float = 0.0

    def __post_init__(self) -> None:
        sizes = (self.fwhm_nm, self.tail_nm)
        spreads = (self.source_nm, self.tilt_nm)
        sound = all(0 < size < math.inf for size in sizes) and all(0 <= size < math.inf for size in spreads)
        if not (sound and 0 <= self.tail <= 1 and math.isfinite(self.tilt_deg)):
            raise UsageError(
                f"expected a probe of widths above 0, a tail from 0 to 1, source and tilt of at least 0, got "
                f"{asdict(self)}; correct it"
            )

    @property
    def sigma_nm(self) -> float:
        """Standard deviation of the Gaussian core, the source's image counted in."""
        return math.hypot(self.fwhm_nm, self.source_nm) / math.sqrt(8 * math.log(2))

    def transfer(self, right: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transfer function at spatial frequencies (to the right, upwards) in cycles per nm; 1 at zero."""
        frequency = np.hypot(right, up)
        core = np.exp(-2 * (math.pi * self.sigma_nm * frequency) ** 2)
        tail = np.exp(-2 * math.pi * self.tail_nm * frequency)
        whole = core * ((1 - self.tail) + self.tail * tail)
        if self.tilt_nm:
            angle = math.radians(self.tilt_deg)
            whole = whole * np.sinc(self.tilt_nm * (math.cos(angle) * right + math.sin(angle) * up))
        return np.asarray(whole)

    def peak(self) -> float:
        """Intensity at the centre per square nm, of one in all."""
        reach = math.ceil(_TABLE_NM / self.sigma_nm)
        steps = np.arange(-reach, reach + 1) / _TABLE_NM
        return float(self.transfer(steps[None, :], steps[:, None]).sum()) / _TABLE_NM**2


class CellImage(NamedTuple):
    """Image of one projected cell.

    Attributes
    ----------
    values : float32 (m, n)
        Value at fractions (i / m, j / n) of the cell's second and first vector, in [0, 1], maximum 1; it repeats.
    unit : float
        Signal of an intensity of one per square nm, by which a column of weight w peaks at w * unit * `Probe.peak`.
    """

    values: NDArray[np.float32]
    unit: float


def render_cell(projection: Projection, probe: Probe) -> CellImage:
    """Image of one projected cell, maximum 1."""
    lengths = np.sqrt((projection.cell**2).sum(axis=1))
    n, m = (max(8, math.ceil(length / probe.sigma_nm * _STEPS_PER_SIGMA)) for length in lengths)
    h, k = (np.fft.fftfreq(size, 1 / size) for size in (n, m))
    reciprocal = np.linalg.inv(projection.cell).T
    frequency = [h[None, :] * reciprocal[0, axis] + k[:, None] * reciprocal[1, axis] for axis in (0, 1)]
    across = np.exp(-2j * math.pi * np.outer(projection.columns[:, 0], h))
    along = np.exp(-2j * math.pi * np.outer(projection.columns[:, 1], k))
    structure = (along * projection.weights[:, None]).T @ across
    image = np.fft.ifft2(structure * probe.transfer(*frequency)).real
    rounded = np.rint(image / image.max() * _ROUNDING) / _ROUNDING
    area = abs(float(np.linalg.det(projection.cell)))
    return CellImage(np.asarray(rounded.clip(0, 1), np.float32), area / (m * n) / float(image.max()))


def add_profiles(
    probe: Probe, places: NDArray[np.float64], heights: NDArray[np.float64], pixel_size_nm: float,
    field: NDArray[np.float32],
) -> None:  # fmt: skip
    """Add single columns to a picture, or take them away, up to 1.2 nm from each.

    Parameters
    ----------
    places : float64 (n, 2)
        Row and column in pixels.
    heights : float64 (n,)
        Peak of each, of either sign.
    field : float32 (H, W)
        Changed in place.
    """
    fine = max(1, math.ceil(pixel_size_nm / probe.sigma_nm * _STEPS_PER_SIGMA))
    step = pixel_size_nm / fine
    half = math.ceil(_REACH_NM / step) + _PAD
    size = max(2 * half + 2, math.ceil(_TABLE_NM / step))
    frequency = np.fft.fftfreq(size, step).astype(np.float64)
    profile = np.fft.fftshift(np.fft.ifft2(probe.transfer(frequency[None, :], -frequency[:, None])).real)
    centre = size // 2
    profile = profile[centre - half : centre + half + 1, centre - half : centre + half + 1]
    table = np.rint(profile / profile[half, half] * _ROUNDING) / _ROUNDING
    _stamp_fine(places, heights, np.ascontiguousarray(table), fine, _REACH_NM / pixel_size_nm, field)


@compiled()
def _stamp_fine(
    places: NDArray[np.float64],
    heights: NDArray[np.float64],
    table: NDArray[np.float64],
    fine: int,
    reach: float,
    field: NDArray[np.float32],
) -> None:
    """Add a table of `fine` steps per pixel, its peak in the middle, at places between its steps."""
    half = table.shape[0] // 2
    for n in range(heights.size):
        row, column = places[n]
        top, bottom = max(0, int(np.ceil(row - reach))), min(field.shape[0] - 1, int(np.floor(row + reach)))
        left, right = max(0, int(np.ceil(column - reach))), min(field.shape[1] - 1, int(np.floor(column + reach)))
        i, j = int(np.floor(-row * fine)), int(np.floor(-column * fine))
        a, b = _weights(-row * fine - i), _weights(-column * fine - j)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                total = 0.0
                for di in range(4):
                    line = table[half + i + y * fine + di - 1]
                    at = half + j + x * fine - 1
                    total += a[di] * (b[0] * line[at] + b[1] * line[at + 1] + b[2] * line[at + 2] + b[3] * line[at + 3])
                field[y, x] += np.float32(heights[n] * total)


def render_field(
    cell_image: NDArray[np.float32], cell: NDArray[np.float64], shape: tuple[int, int], pixel_size_nm: float
) -> NDArray[np.float32]:
    """Fill a field of view with a repeating cell whose origin stands at the centre of the field.

    Parameters
    ----------
    cell_image : float32 (m, n)
        From `render_cell`.
    cell : float64 (2, 2)
        The cell's vectors in nm, as in `Projection`.
    shape : tuple of int
        Rows and columns of the field.
    pixel_size_nm : float
        Distance of neighbouring pixels in nm.

    Returns
    -------
    float32 (rows, columns)
        In [0, 1].
    """
    m, n = cell_image.shape
    padded = np.pad(cell_image, ((_PAD, _PAD), (_PAD, _PAD)), mode="wrap")
    (ax, ay), (bx, by) = cell.tolist()
    area = ax * by - ay * bx
    per_x = (by / area * pixel_size_nm, -ay / area * pixel_size_nm)
    per_y = (-bx / area * pixel_size_nm, ax / area * pixel_size_nm)
    field = roomy(shape, np.float32)
    bands = range(0, shape[0], max(1, _BAND_PIXELS // shape[1]))

    def work(first: int) -> None:
        band = field[first : first + bands.step]
        _interpolate(padded, float(n), float(m), per_x, per_y, (shape[0] - 1) / 2.0 - first, band)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(work, bands):
            give_back(field)
    return field


@compiled(inline=True)
def _weights(t: float) -> tuple[float, float, float, float]:
    """Weights of four neighbours for a place `t` of the way from the second to the third (cubic Lagrange)."""
    return (
        t * (t - 1.0) * (2.0 - t) / 6.0,
        (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0,
        (t + 1.0) * t * (2.0 - t) / 2.0,
        (t + 1.0) * t * (t - 1.0) / 6.0,
    )


@compiled()
def _interpolate(
    padded: NDArray[np.float32],
    n: float,
    m: float,
    per_x: tuple[float, float],
    per_y: tuple[float, float],
    top: float,
    field: NDArray[np.float32],
) -> None:
    """Read the padded cell at the place of every pixel of a band whose first row lies `top` pixels above the centre.

    Four neighbours in each direction and basic arithmetic: the splines of `scipy.ndimage.map_coordinates` give other
    numbers, and need a prefilter whose rounding differs between machines.
    """
    rows, columns = field.shape
    for row in range(rows):
        y = top - row
        for column in range(columns):
            x = column - (columns - 1) / 2.0
            u = x * per_x[0] + y * per_y[0]
            v = x * per_x[1] + y * per_y[1]
            u = (u - np.floor(u)) * n
            v = (v - np.floor(v)) * m
            i = int(v)
            j = int(u)
            a = _weights(v - i)
            b = _weights(u - j)
            total = 0.0
            for di in range(4):
                line = padded[i + di + _PAD - 1]
                part = b[0] * line[j + _PAD - 1] + b[1] * line[j + _PAD]
                total += a[di] * (part + b[2] * line[j + _PAD + 1] + b[3] * line[j + _PAD + 2])
            field[row, column] = np.float32(min(max(total, 0.0), 1.0))
