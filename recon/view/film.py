"""Pictures of a scan as it fills: counts so far, and beside them the image that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from stemscan.recon.inputs.grids import bin_mean
from stemscan.recon.pictures.colours import INK, QUIET, grey_limits, to_rgb
from stemscan.recon.pictures.scale_bar import scale_bar
from stemscan.recon.view.making import METHOD, first_samples, settings_for
from stemscan.types import RGB, Image
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.store.reader import Acquisition

__all__ = ["Moment", "Sheet", "moments"]

_DPI: Final = 100
_STRIP: Final = 44
_GAP: Final = 12


class Moment(NamedTuple):
    """A moment of a scan.

    Attributes
    ----------
    samples : int
        Number so far.
    counts : ndarray of float32, (h, w)
        Mean signal of the samples of each pixel, or of square blocks of them in a large frame.
    visited : ndarray of bool, (h, w)
    image : ndarray of float32, (h, w)
    """

    samples: int
    counts: Image
    visited: Any
    image: Image
    caption: str


def moments(
    store: Acquisition,
    number: int,
    *,
    side: int,
    method: str = METHOD,
    channel: int | str = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Moment]:
    """Moments of a scan, evenly in samples, the last when all that is committed is there.

    Parameters
    ----------
    store : Acquisition
        With samples.
    number : int
        Of moments, at least 1.
    side : int
        Longest side of a picture in pixels; larger frames are averaged in blocks.
    method : str
        Of the images.
    channel : int or str
        Of the detectors.
    progress : callable
        Takes moments made, and all.

    Raises
    ------
    StemscanError
        As `reconstruct`.
    """
    from stemscan.recon.run import reconstruct

    total = store.samples_committed
    for index in range(1, number + 1):
        samples = max(1, total * index // number)
        inputs = first_samples(store, samples, channel)
        image = reconstruct(inputs, method, contradictions=False, **settings_for(method)).image
        factor = max(1, -(-max(image.shape) // side))
        sums, visits = bin_mean(inputs.S, factor), bin_mean(inputs.V, factor)
        counts = sums / np.maximum(visits, np.float32(1e-9))
        caption = _caption(store, samples, inputs)
        yield Moment(samples, counts.astype(np.float32), visits > 0, bin_mean(image, factor), caption)
        progress(index, number)


def _caption(store: Acquisition, samples: int, inputs: Inputs) -> str:
    """Samples, share of pixels visited and passes."""
    starts = store.layout.pass_starts
    now = int(np.searchsorted(starts, samples, side="left"))
    visited = 100 * np.count_nonzero(inputs.V) / inputs.V.size
    return f"pass {now} of {store.passes}, {counted(samples, 'sample')}, {visited:.3g} % of pixels"


class Sheet:
    """Draws moments, all with the same grey and of the same size.

    Parameters
    ----------
    last : Moment
        The last one, from which limits of grey follow.
    side : int
        Longest side of a picture in pixels; small frames are magnified by a whole number.
    pixel_size_nm : float or None
        Of the scan.
    columns : int
        Pixels of the scan in a row.
    """

    def __init__(self, last: Moment, side: int, pixel_size_nm: float | None, columns: int) -> None:
        rows, wide = last.image.shape
        self._zoom = max(1, side // max(rows, wide))
        self._size = wide * self._zoom, rows * self._zoom
        self._limits = grey_limits(last.image)
        self._bar = scale_bar(columns, pixel_size_nm)
        self._bar_width = self._bar.pixels * self._size[0] / columns

    def draw(self, moment: Moment) -> RGB:
        """The moment's two pictures above a strip of words, (h, w, 3)."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle

        wide, high = self._size
        size = 2 * wide + _GAP, high + _STRIP
        figure = Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI, facecolor="white")
        canvas: Any = FigureCanvasAgg(figure)
        for number, rgb in enumerate(
            (to_rgb(moment.counts, self._limits, moment.visited), to_rgb(moment.image, self._limits))
        ):
            large = np.repeat(np.repeat(rgb, self._zoom, axis=0), self._zoom, axis=1)
            figure.figimage(large, xo=number * (wide + _GAP), yo=_STRIP, origin="upper")
        points, middle = min(9.0, wide / 32), 0.5 * _STRIP / size[1]
        words: dict[str, Any] = {"va": "center", "size": points}
        figure.text(6 / size[0], middle, moment.caption, color=INK, **words)
        bar = self._bar_width / size[0], 5 / size[1]
        left = (wide + _GAP + 6) / size[0]
        figure.add_artist(Rectangle((left, middle - bar[1] / 2), *bar, color=INK, lw=0))
        figure.text(left + bar[0] + 8 / size[0], middle, self._bar.label, color=INK, **words)
        figure.text(1 - 6 / size[0], middle, "reconstruction", color=QUIET, ha="right", **words)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()
