"""Parts of the pictures of a store: no more is read than the chunks that hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.store.reader import Acquisition
from stemscan.store.schema import PICTURES

__all__ = ["Windows"]


class Windows:
    """Reads parts of frames, visits and truth; keeps the chunks of the last part of each.

    Parameters
    ----------
    channel : int
        Number of the detector.
    """

    def __init__(self, acquisition: Acquisition, channel: int = 0) -> None:
        self._acquisition, self._channel = acquisition, channel
        self._arrays = acquisition._arrays
        self._arrays.check_channel(channel)
        self._kept: dict[str, dict[tuple[int, ...], NDArray[Any]]] = {name: {} for name in (*PICTURES, "truth")}

    def __reduce__(self) -> tuple[Any, ...]:
        """Processes that it is sent to open the store again."""
        return type(self), (self._acquisition, self._channel)

    def pictures(self, rows: slice, columns: slice) -> tuple[NDArray[Any], NDArray[Any]]:
        """Counts of the channel and visits, (T, rows, columns) each, of slices with both ends.

        Raises
        ------
        StoreError
            When the data are damaged.
        """
        if self._acquisition.state != "complete":
            frames, visits = self._acquisition.frames(channel=self._channel), self._acquisition.visits()
            return frames[:, rows, columns], visits[:, rows, columns]
        frames, visits = (self._arrays.region(name, rows, columns, self._kept[name]) for name in PICTURES)
        return frames if frames.ndim == 3 else frames[:, self._channel], visits

    def truth(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """The specimen's signal in the channel, (rows, columns), of a store that has it; raises as `pictures`."""
        part = self._arrays.region("truth", rows, columns, self._kept["truth"])
        return part if part.ndim == 2 else part[self._channel]
