"""The weights that come with the package, each with a model card beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from stemscan.arguments import file_path
from stemscan.errors import WeightsError

__all__ = ["SHIPPED", "VARIANTS", "find_weights"]

_FOLDER: Final = Path(__file__).parent

SHIPPED: Final = ("fshnet", "fshnet-paper")
"""Names of shipped weights."""

VARIANTS: Final[Mapping[str, str]] = MappingProxyType({"full": "fshnet", "paper": "fshnet-paper"})
"""Shipped weights by the variant of FSHNet that they are for: on the full scan grid, or as the paper has it."""


def find_weights(weights: str | Path | None, method: str) -> Path:
    """The file of some weights.

    Parameters
    ----------
    weights : str or Path or None
        A file, or the name of shipped weights where no file has that name; those named like the method when not given.

    Returns
    -------
    Path
        A shipped file, or `weights` as it is, whether it exists or not.

    Raises
    ------
    WeightsError
        When no weights are given and none are shipped for the method.
    """
    path = Path(method) if weights is None else file_path(weights, "weights, or the name of shipped ones")
    name = str(path)
    if name in SHIPPED and (weights is None or not path.is_file()):
        return _FOLDER / f"{name}.safetensors"
    if weights is None:
        raise WeightsError(
            f"expected a weights file for method {method}, got none, and none is shipped; train one with "
            "'stemscan train CONFIG -o RUN' and give --weights RUN/weights.safetensors"
        )
    return path
