"""The method that a reconstruction runs, checked before anything is read: its settings, weights and device."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stemscan.errors import StemscanWarning, UsageError
from stemscan.recon.devices import check_device
from stemscan.recon.method import Method
from stemscan.recon.registry import PLUGINS, AnyMethod, method_of
from stemscan.recon.settings import check_settings, plain

__all__ = ["GRIDS", "bound_of", "checked_method", "in_tiles"]

GRIDS: Final = ("plan", "native")

_FULL_GRID: Final = "stemscan.recon.fshnet.method:on_full_grid"


def checked_method(
    method: AnyMethod, *, weights: str | Path | None, device: str, grid: str, settings: Mapping[str, Any]
) -> tuple[Method, str]:
    """The method and the device that it runs on.

    Raises
    ------
    UsageError
        As `reconstruct`.
    """
    chosen = method_of(method)
    if isinstance(method, str) and (shadow := PLUGINS.shadows(method)):
        warnings.warn(shadow, StemscanWarning, stacklevel=2)
    if grid not in GRIDS:
        raise UsageError(f"expected grid to be one of {', '.join(GRIDS)}, got {grid!r}")
    if weights is not None and not chosen.needs_weights:
        raise UsageError(f"expected no weights for {chosen}, which has none, got {str(weights)!r}")
    check_settings(str(chosen), chosen.load(), plain(settings))
    bound_of(chosen)
    return chosen, _device(chosen, device)


def in_tiles(method: Method, shape: tuple[int, int], weights: str | Path | None) -> bool:
    """Tell whether a frame is made tile by tile: a large one, by a method whose image depends on what is near alone.

    The published network, and those like it, standardise whole frames.
    """
    from stemscan.recon.large.layout import Layout

    if not (method.tiles and Layout.needed(shape)):
        return False
    if weights is None:
        return True
    from stemscan.recon.networks.registry import architecture_of
    from stemscan.recon.weights import find_weights
    from stemscan.recon.weights.file import load_weights

    _, info = load_weights(find_weights(weights, method.name))
    return architecture_of(info.architecture).chain == _FULL_GRID


def bound_of(method: Method) -> dict[str, Any]:
    """Values bound to a plug-in, as they are noted; refused before anything is computed where it cannot be."""
    bound = {} if method.plugin is None else plain(method.plugin.bound)
    for name, value in bound.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            raise UsageError(
                f"expected numbers and words alone to be bound to {method}, for the record, got {name} of type "
                f"{type(value).__name__}; make it in the function, or give it as a setting"
            ) from None
    return {"bound": bound} if bound else {}


def _device(method: Method, device: str) -> str:
    """The device to run on; imports torch only where it matters."""
    if method.uses_torch:
        return check_device(device)
    if device in ("auto", "cpu"):
        return "cpu"
    raise UsageError(f"expected device auto or cpu, got {device!r}: {method} runs on the CPU only")
