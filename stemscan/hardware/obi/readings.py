"""Form of a reading of an Open Beam Interface device: 14 bits, shifted left by 2."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import ControllerError
from stemscan.hardware.obi.commands import CODES

__all__ = ["check_readings"]


def check_readings(words: NDArray[np.unsignedinteger[Any]]) -> None:
    """Refuse readings that are not shifted.

    Parameters
    ----------
    words : ndarray
        (n,) 16-bit numbers as they came.

    Raises
    ------
    ControllerError
        When the lower two bits of one are not 0.
    """
    if not (words & 3).any():
        return
    wrong = int(words[(words & 3 > 0).argmax()])
    if int(words.max()) < CODES:
        raise ControllerError(
            f"expected readings of 14 bits shifted left by 2 from the Open Beam Interface, got 0x{wrong:04x} and none "
            "above 0x3fff, as gateware from before 2025-06-12 sends them; load a later one"
        )
    raise ControllerError(
        f"expected readings of 14 bits shifted left by 2 from the Open Beam Interface, got 0x{wrong:04x}; resume to go "
        "on"
    )
