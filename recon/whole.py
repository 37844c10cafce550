"""A frame that is in memory, reconstructed by one method: what comes back is checked, and the rest is seen to."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stemscan.errors import ReconError, StemscanError
from stemscan.recon.choice import bound_of, checked_method
from stemscan.recon.inputs.grids import coarse_shape, upsample, upsample_linear
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.method import Method
from stemscan.recon.reconstruction import Estimate, Reconstruction
from stemscan.recon.registry import memory_remedy
from stemscan.recon.settings import plain
from stemscan.recon.threads import limit_threads
from stemscan.runtime.memory import require_memory
from stemscan.runtime.work import part

if TYPE_CHECKING:
    from stemscan.plugins.plugin import Plugin
    from stemscan.recon.contradiction.contradiction import Contradiction

__all__ = ["reconstruct_whole"]


def reconstruct_whole(
    inputs: Inputs,
    method: Method,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    grid: str = "plan",
    contradictions: bool = True,
    **settings: Any,
) -> Reconstruction:
    """Reconstruct a frame that is in memory as a whole; see `reconstruct`."""
    chosen, where = checked_method(method, weights=weights, device=device, grid=grid, settings=settings)
    bound = bound_of(chosen)
    if where == "cpu":
        rows, columns = inputs.shape
        needed, what = chosen.bytes_needed(inputs.shape), f"to reconstruct {rows} x {columns} pixels by {chosen.name}"
        require_memory(needed, what, memory_remedy(chosen))
    passed = {name: value for name, value in (("device", where), ("weights", weights)) if chosen.takes(name)}
    with limit_threads(threads):
        start = time.perf_counter()
        with part(0.92 if contradictions else 1.0):
            estimate = _estimate(chosen, inputs, passed, plain(settings))
        shown = estimate if grid == "native" else _on_plan(estimate, inputs.shape)
        seconds = time.perf_counter() - start
        checked = _checked(inputs.own or inputs, estimate, shown) if contradictions else None
    return Reconstruction(
        image=shown.image,
        std=shown.std,
        method=chosen.name,
        settings=_noted(chosen, {**bound, **estimate.settings}),
        seconds=seconds,
        factor=shown.factor,
        native_factor=estimate.factor,
        pixel_size_nm=None if inputs.pixel_size_nm is None else inputs.pixel_size_nm * shown.factor,
        source=inputs.source,
        checked=checked,
    )


def _checked(inputs: Inputs, estimate: Estimate, shown: Estimate) -> Contradiction:
    """The image on the plan's grid held against the counts; on the grid that is shown."""
    from stemscan.recon.contradiction.contradiction import contradiction

    if shown.factor == 1:
        return contradiction(inputs, shown.image)
    return contradiction(inputs, upsample(estimate.image, estimate.factor, inputs.shape)).coarser(shown.factor)


def _estimate(method: Method, inputs: Inputs, passed: Mapping[str, Any], settings: Mapping[str, Any]) -> Estimate:
    """The method's result, checked; an error of a plug-in names it and the line."""
    if method.plugin is None:
        made = method(inputs, **passed, **settings)
    else:
        made = _of_plugin(method, method.plugin, inputs, {**passed, **settings})
    estimate = made if isinstance(made, Estimate) else _of_arrays(method, made, settings)
    _check_estimate(method, estimate, inputs.shape)
    return estimate


def _of_plugin(method: Method, plugin: Plugin, inputs: Inputs, arguments: Mapping[str, Any]) -> Any:
    """Run a method of other people on inputs that it cannot change, for others get the same ones."""
    arrays = [array for array in (inputs.frames, inputs.visits, inputs.S, inputs.V) if array.flags.writeable]
    try:
        for array in arrays:
            array.flags.writeable = False
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # torch's, which reads
            return method(inputs, **arguments)
    except (StemscanError, MemoryError):
        raise
    except (Exception, SystemExit) as problem:
        raise ReconError(
            f"expected {method} to reconstruct, got {plugin.blame(problem)}; mend it, or report it there"
        ) from problem
    finally:
        for array in arrays:
            array.flags.writeable = True


def _of_arrays(method: Method, made: Any, settings: Mapping[str, Any]) -> Estimate:
    """An estimate from an image, or from an image and its standard deviation."""
    image, std = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not hasattr(image, "__array__") or not (std is None or hasattr(std, "__array__")):
        got = f"({type(image).__name__}, {type(std).__name__})" if isinstance(made, tuple) else type(made).__name__
        raise ReconError(f"expected of {method} an image, (image, std) or an Estimate, got {got}; return one of them")
    kinds = [np.asarray(one).dtype for one in (image, std) if one is not None]
    if (wrong := next((kind for kind in kinds if kind.kind not in "buif"), None)) is not None:
        raise ReconError(f"expected of {method} an image of real numbers, got {wrong}; mend it")
    defaults = {name: setting.default for name, setting in method.settings().items()}
    return Estimate(
        np.asarray(image).astype(np.float32),
        None if std is None else np.asarray(std).astype(np.float32),
        settings={**defaults, **settings},
    )


def _noted(method: Method, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are noted; of a plug-in plain data, and the digest of its code."""
    if method.plugin is None:
        return dict(settings)
    settings = plain(settings)
    try:
        json.dumps(settings)
    except (TypeError, ValueError) as problem:
        raise ReconError(f"expected of {method} settings of plain numbers and words, got: {problem}; mend it") from None
    return {**settings, "code_sha256": method.plugin.digest()}


def _check_estimate(method: Method, estimate: Estimate, shape: tuple[int, int]) -> None:
    """Refuse what is not a finite float32 image of the shape that goes with its factor."""
    expected = coarse_shape(shape, estimate.factor)
    advice = "please report this" if method.plugin is None else "mend it"
    for name, array in (("image", estimate.image), ("standard deviation", estimate.std)):
        if array is None:
            continue
        if not isinstance(array, np.ndarray):
            raise ReconError(f"expected of {method} the {name} as an array, got {type(array).__name__}; {advice}")
        if array.shape != expected or array.dtype != np.float32:
            raise ReconError(
                f"expected of {method} a float32 {name} of shape {expected}, got {array.dtype} {array.shape}; {advice}"
            )
        low, high = array.min(), array.max()
        if not (np.isfinite(low) and np.isfinite(high)) or (name != "image" and low < 0):
            raise ReconError(
                f"expected of {method} a finite {name}, got values from {low} to {high}; try other settings, and "
                f"{advice}"
            )


def _on_plan(estimate: Estimate, shape: tuple[int, int]) -> Estimate:
    """The estimate on the plan's grid."""
    if estimate.factor == 1:
        return estimate
    return Estimate(
        image=upsample(estimate.image, estimate.factor, shape),
        std=None if estimate.std is None else upsample_linear(estimate.std, estimate.factor, shape),
        settings=estimate.settings,
    )
