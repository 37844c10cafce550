"""Images of a growing store, made in a process of their own that gives way to all others: see `Maker`."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.view.workshop import Workshop

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.store.reader import Acquisition

__all__ = ["METHOD", "Made", "Maker", "coarse_block", "first_samples", "make", "settings_for"]

METHOD: Final = "fourier-eb"
"""Method with a standard deviation that takes a third of a second for 1024 x 1024 pixels, without its regression."""

_SETTINGS: Final[dict[str, dict[str, Any]]] = {METHOD: {"regression": False}}
_SMALL: Final = 64


def coarse_block(shape: tuple[int, int]) -> int:
    """Side of the blocks of pixels of which images of a scan that goes on are made, for some million of them.

    Examples
    --------
    >>> coarse_block((1024, 1024)), coarse_block((4096, 4096))
    (1, 4)
    """
    return max(1, math.isqrt((shape[0] * shape[1]) >> 20))


def settings_for(method: str) -> dict[str, Any]:
    """Settings with which a method makes the images of a growing scan."""
    return dict(_SETTINGS.get(method, {}))


Found = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Made:
    """An image of the first samples of a store, and how well it is known.

    Attributes
    ----------
    image : ndarray of float32, (H, W)
    z : ndarray of float32 or None
        Standard deviations by which counts contradict the image.
    facts : dict
        Plain data: samples, passes, method, block (side in pixels of what has one value), seconds, contradictions,
        threshold of z, held-out error, seconds of all work.
    """

    image: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32] | None
    z: npt.NDArray[np.float32] | None
    facts: Found


class Maker:
    """Makes images in one process, and finds columns or drift, which takes long, in another; one each at a time.

    Parameters
    ----------
    path : Path
        Of the store.
    threads : int
        At most, in each process.
    """

    def __init__(self, path: Path, channel: int | str = 0, method: str = METHOD, threads: int = 1) -> None:
        self._path, self._channel, self._method, self._threads = path, channel, method, threads
        self._images, self._finds = Workshop(), Workshop()

    def warm_up(self) -> None:
        """Let the libraries be loaded and compiled code be there before the first image is due."""
        self._images.order(_warm_up, self._method)

    def image(self, samples: int, block: int = 1) -> Future[Made]:
        """Begin an image of the first samples, of blocks of so many pixels along a side."""
        return self._images.order(make, self._path, self._channel, self._method, self._threads, samples, block)

    def find(self, what: str, samples: int, image: npt.NDArray[np.float32] | None = None) -> Future[Found]:
        """Begin to find "columns" or "drift" of the first samples; columns from the peaks of an image that is there."""
        return self._finds.order(find, what, self._path, self._channel, self._threads, samples, image)

    def close(self) -> None:
        """End the processes, whatever they are at."""
        self._images.close()
        self._finds.close()


def _warm_up(method: str) -> None:
    """Make an image of nothing much."""
    from stemscan.recon.prompt import make_ready

    with suppress(Exception):  # what is wrong will be told with the first image
        make_ready((_SMALL, _SMALL), ".npy", method, **settings_for(method))


def make(
    path: Path,
    channel: int | str,
    method: str,
    threads: int,
    samples: int,
    block: int = 1,
    *,
    quality: bool = True,
) -> Made:
    """Make the image of the first samples of a store, and tell its quality by samples that are held out.

    That of blocks takes a fraction of the time; it comes on the grid of the scan.

    Raises
    ------
    StemscanError
        As `reconstruct`, and where the store has fewer samples by now.
    """
    from stemscan.recon.run import reconstruct
    from stemscan.recon.threads import limit_threads
    from stemscan.store.reader import Acquisition

    began = time.monotonic()
    store = Acquisition.open(path)
    inputs = first_samples(store, samples, channel, block)
    done = reconstruct(inputs, method, threads=threads, **settings_for(method))
    with limit_threads(threads):
        held_out = _held_out(store, samples, channel) if quality else None
    facts: Found = {
        "samples": samples,
        "passes": int(np.searchsorted(store.layout.pass_starts, samples, side="right")) - 1,
        "method": done.method,
        "seconds": round(done.seconds, 3),
        "block": block,
        "contradictions": [[block * place.row, block * place.col] for place in done.contradictions],
        "threshold": None if done.checked is None else float(done.checked.threshold),
        "held_out": held_out,
        "work_seconds": time.monotonic() - began,
    }
    image, std, z = (_spread(values, block, store.shape) for values in (done.image, done.std, done.contradiction))
    assert image is not None
    return Made(image, std, z, facts)


def _spread(
    values: npt.NDArray[np.float32] | None, block: int, shape: tuple[int, int]
) -> npt.NDArray[np.float32] | None:
    """Values of blocks on the grid of the scan."""
    if values is None or block == 1:
        return values
    return np.repeat(np.repeat(values, block, axis=0), block, axis=1)[: shape[0], : shape[1]].astype(
        np.float32, copy=False
    )


def find(
    what: str,
    path: Path,
    channel: int | str,
    threads: int,
    samples: int,
    image: npt.NDArray[np.float32] | None = None,
) -> Found:
    """Find "columns" or "drift" of the first samples of a store; of drift, of all that are committed.

    Columns begin at the peaks of an image of the scan; one is made first where none is given, which takes longer than
    the columns of a large frame.

    Raises
    ------
    StemscanError
        As `find_columns` and `find_drift`.
    """
    from stemscan.recon.threads import limit_threads
    from stemscan.store.reader import Acquisition

    store = Acquisition.open(path)
    with limit_threads(threads):
        if what == "drift":
            return _drift(store)
        return _columns(first_samples(store, samples, channel), image) | {"samples": samples}


def first_samples(store: Acquisition, samples: int, channel: int | str = 0, block: int = 1) -> Inputs:
    """Counts of the first samples of a store, where the beam was as far as it is known, as one frame.

    In blocks of so many pixels along a side, on a coarser grid.
    """
    from stemscan.recon.inputs.gridding import PlacedSamples
    from stemscan.recon.inputs.inputs import Inputs

    actual, stored = store.actual(0, samples), store.drift
    places = store.positions(0, samples).astype(np.float32) if actual is None else actual
    moved = stored is not None and stored.samples >= samples
    if stored is not None and moved:
        places = places + stored.trajectory.at(np.arange(samples)).astype(np.float32)
    number, size = store.channel_number(channel), store.pixel_size_nm
    rows, columns = (-(-side // block) for side in store.shape)
    if block > 1:  # between the middles of blocks, or in one
        coarse = (places + 0.5) / block - 0.5 if moved or actual is not None else places // block
        places = coarse.astype(np.float32)
    placed = PlacedSamples.of(store.electrons(0, samples, channel=number), places, (0, samples), (rows, columns))
    inputs = Inputs.from_samples(
        placed,
        store.electrons_per_sample,
        shared=actual is not None and not moved,
        noise=store.noise,
        pixel_size_nm=None if size is None else size * block,
        analogue=store.channels[number].unit != "electron",
        source={"path": str(store.path)},
    )
    return inputs if moved or actual is not None else replace(inputs, placed=None)  # all is on the grid


def _held_out(store: Acquisition, samples: int, channel: int | str) -> float | None:
    """Mean squared error of an image of three quarters of the samples, by samples that were held out."""
    from stemscan.recon.stopping import held_out_errors

    if store.channel_number(channel) or store.plan is None:
        return None
    errors = held_out_errors(store, samples)
    return None if errors is None else errors[1]


def _columns(inputs: Inputs, image: npt.NDArray[np.float32] | None) -> Found:
    """Columns as plain lists, and which of them are in doubt."""
    from stemscan.recon.columns.find import find_columns
    from stemscan.recon.columns.picture import doubtful

    found = find_columns(inputs, image)
    if not len(found):
        return {"places": [], "doubtful": [], "note": found.note}
    places = np.stack([found["row"], found["col"]], axis=1)
    return {"places": places.round(2).tolist(), "doubtful": doubtful(found).tolist(), "note": found.note}


def _drift(store: Acquisition) -> Found:
    """Drift that is found in a store, in words and as a line."""
    from stemscan.recon.drift.find import find_drift
    from stemscan.recon.view.charts import trajectory_of

    found, samples = find_drift(store), store.samples_committed
    line = None if found.trajectory is None else trajectory_of(store, found.trajectory, samples)
    return {"words": f"{found.verdict}: {found.reason}", "line": line, "samples": samples}
