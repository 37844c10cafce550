"""Images of a growing scan: when one is due, which are there, and what they say of quality against passes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.view.growing import GrowingScan
from stemscan.recon.view.levels import Layer
from stemscan.recon.view.making import Made, Maker, coarse_block

__all__ = ["Images"]

_REST: Final = 2.0
"""Rest after an image, as a multiple of its time: making images takes a third of a processor at most."""

_PALE: Final = 5.0
"""Standard deviations at which the colours of contradictions are full, where no threshold is known."""


class Images:
    """Images that are made of a scan, one after another; methods may be called from two threads.

    Attributes
    ----------
    layers : dict of Layer
        "image", "std" and "z", of the newest image.
    version : int
        Grows with each image.
    facts : dict
        Of the newest image, see `Made`.
    found : dict
        "columns" and "drift", where they were asked for.
    quality : dict of float
        PSNR in dB by the number of passes, from samples that were held out.
    problem : str
        Why the last image could not be made.
    """

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self._lock = threading.Lock()
        self._busy = set[str]()
        self._rests_until = 0.0
        self._made_of = 0
        self.version = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew, as for another scan."""
        self.layers: dict[str, Layer] = {}
        self.facts: dict[str, Any] = {}
        self.found: dict[str, Any] = {}
        self.quality: dict[int, float] = {}
        self.problem = ""
        self._made_of = 0

    @property
    def busy(self) -> list[str]:
        """Images and findings in the making."""
        return sorted(self._busy)

    def follow(self, scan: GrowingScan, done: Callable[[], None]) -> None:
        """Begin an image where a pass became whole since the last one; that of the newest whole pass."""
        store = scan.acquisition
        assert store is not None
        if scan.samples < self._made_of:
            self.forget()
        starts = store.layout.pass_starts
        whole = scan.number + (scan.samples == starts[scan.number + 1])
        rested = store.state != "acquiring" or time.monotonic() >= self._rests_until
        over, coarse = store.state == "complete", self.facts.get("block", 1) > 1
        if whole and rested and (starts[whole] > self._made_of or (over and coarse)):
            self.ask("image", starts[whole], done, 1 if over else coarse_block(store.shape))

    def ask(self, what: str, samples: int, done: Callable[[], None], block: int = 1) -> None:
        """Begin "image", "columns" or "drift" of the first samples, unless that is in the making; `done` is called.

        An image is of blocks of so many pixels along a side.
        """
        with self._lock:
            if what in self._busy:
                return
            self._busy.add(what)
        work: Future[Any]
        try:
            if what == "image":
                work = self._maker.image(samples, block)
            else:
                work = self._maker.find(what, samples, self._peaks(samples))
        except RuntimeError as problem:  # the pool was closed, or its process died
            work = Future()
            work.set_exception(problem)
        work.add_done_callback(lambda future: self._take(what, samples, future, done))

    def _peaks(self, samples: int) -> npt.NDArray[np.float32] | None:
        """The newest image, if it is of most of the samples and not of blocks."""
        image = self.layers.get("image")
        fit = image is not None and self.facts.get("block", 1) == 1 and 2 * self.facts["samples"] >= samples
        return image.values if image is not None and fit else None

    def _take(self, what: str, samples: int, work: Future[Any], done: Callable[[], None]) -> None:
        """Take in what was made."""
        with self._lock:
            self._busy.discard(what)
        try:
            result = work.result()
        except CancelledError:
            return
        except Exception as problem:  # noqa: BLE001 - whatever a method raises is told on the page
            self.problem = f"{what}: {' '.join(str(problem).split()) or type(problem).__name__}"
            result = None
        if what == "image":
            took = result.facts["work_seconds"] if isinstance(result, Made) else 1.0
            self._rests_until = time.monotonic() + _REST * took
            self._made_of = max(self._made_of, samples)
        if isinstance(result, Made):
            self._show(result)
        elif result is not None:
            self.found = self.found | {what: result}
        done()

    def _show(self, made: Made) -> None:
        """Put a new image in the place of the last one."""
        layers = {"image": Layer(made.image, None, "grey")}
        if made.std is not None:
            layers["std"] = Layer(made.std, None, "cividis")
        if made.z is not None:
            limit = made.facts["threshold"] or _PALE
            layers["z"] = Layer(made.z, None, "signed", (-limit, limit))
        error = made.facts["held_out"]
        if error is not None and error > 0 and made.facts["passes"]:
            self.quality = self.quality | {made.facts["passes"]: round(-10 * math.log10(error), 2)}
        self.problem, self.facts, self.layers = "", made.facts, layers
        self.version += 1

    def warm_up(self) -> None:
        """Get ready for the first image."""
        self._maker.warm_up()

    def close(self) -> None:
        """End what is in the making."""
        self._maker.close()
