"""An image within a second of a scan's end: all that takes time once is done before the scan.

Libraries, weights and the plans of Fourier transforms take some seconds at first. `make_ready` makes an image of
made-up counts and forgets it, before a beam is on; `reconstruct_store` then takes what the arithmetic takes.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.needs import require_memory_for
from stemscan.recon.output.writing import write_reconstruction
from stemscan.recon.run import reconstruct

if TYPE_CHECKING:
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["PROMPT_METHOD", "make_ready", "reconstruct_store"]

PROMPT_METHOD: Final = "fshnet"
"""The best image that takes less than a second; the default method takes several."""

_LONGEST: Final = 1024
"""Sides of what is made up: larger scans take long enough for the first seconds not to matter."""

_PERIOD: Final = 16
_DOSE: Final = 10.0


def make_ready(
    shape: tuple[int, int], output: str | Path, method: str = PROMPT_METHOD, *, passes: int = 1, **settings: Any
) -> None:
    """Reconstruct a made-up scan, and write and forget its image; see that the real one will have the memory.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid that is to be reconstructed.
    output : str or Path
        Of the image to come; only its suffix matters.
    method : str
        As for `reconstruct`.
    passes : int
        Of the scan that is to be reconstructed.
    **settings
        Of the method.

    Raises
    ------
    StemscanError
        As `reconstruct` and `write_reconstruction`.
    """
    require_memory_for(method, shape, Path(output), passes=passes)
    rows, columns = (min(side, _LONGEST) for side in shape)
    row, column = np.arange(rows)[:, None], np.arange(columns)
    signal = 0.5 + 0.25 * np.cos(2 * np.pi * row / _PERIOD) * np.cos(2 * np.pi * column / _PERIOD)
    counts = np.random.default_rng(0).poisson(_DOSE * signal).astype(np.uint16)  # without noise the grid would be finer
    done = reconstruct(
        Inputs.from_arrays(counts[None], np.ones((1, rows, columns), dtype=np.uint16), _DOSE), method, **settings
    )
    with TemporaryDirectory() as folder:
        write_reconstruction(done, Path(folder) / f"made-up{Path(output).suffix}")


def reconstruct_store(
    store: str | Path, output: str | Path, method: str = PROMPT_METHOD, *, overwrite: bool = False
) -> Reconstruction:
    """Reconstruct an acquisition store and write the image, without the comparison with a truth.

    Parameters
    ----------
    store, output : str or Path
        The image's format goes by its suffix.
    method : str
        As for `reconstruct`.
    overwrite : bool
        True if an image that is there may be replaced.

    Raises
    ------
    StemscanError
        As `load_inputs`, `reconstruct` and `write_reconstruction`.
    """
    done = reconstruct(load_inputs(store), method)
    write_reconstruction(done, output, overwrite=overwrite)
    return done
