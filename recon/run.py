"""`reconstruct` runs one method: it checks what the method is given and what comes back, and sees to the rest."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.errors import ReconError, StemscanError, StemscanWarning, UsageError
from stemscan.recon.devices import check_device
from stemscan.recon.inputs.grids import coarse_shape, upsample, upsample_linear
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.joint.reading import load_channels
from stemscan.recon.method import Method
from stemscan.recon.reconstruction import Estimate, Reconstruction
from stemscan.recon.registry import PLUGINS, AnyMethod, default_method, memory_remedy, method_of
from stemscan.recon.settings import check_settings, plain
from stemscan.recon.threads import limit_threads
from stemscan.runtime.memory import require_memory

if TYPE_CHECKING:
    from stemscan.plugins.plugin import Plugin
    from stemscan.recon.contradiction.contradiction import Contradiction
    from stemscan.recon.drift.using import DriftUse
    from stemscan.store.reader import Acquisition

__all__ = ["GRIDS", "reconstruct"]

GRIDS: Final = ("plan", "native")


def reconstruct(
    source: Inputs | Acquisition | str | Path,
    method: AnyMethod | None = None,
    *,
    channel: int | str | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    grid: str = "plan",
    contradictions: bool = True,
    drift: DriftUse = "auto",
    **settings: Any,
) -> Reconstruction:
    """Reconstruct the specimen's signal from counts and visits.

    Parameters
    ----------
    source : Inputs, Acquisition, str or Path
        Counts and visits, an acquisition, or the path of its store.
    method : str or callable, optional
        A name that ``stemscan methods`` lists, by default ``blend``, or ``fshnet`` where there are `weights`;
        ``file.py:function``; or a function ``method(inputs, *, device=..., **settings)`` that returns an `Estimate`, an
        image, or an image and its standard deviation.
    channel : int or str, optional
        Of a store of several detectors: number or name of the channel (the first), "abf+haadf" for the image of the one
        with the counts of the other too, or "all" for the first with all others; see `load_channels`.
    weights : str or Path, optional
        File of trained weights, or the name of shipped ones, for a method that runs them.
    device : str
        "cpu", "cuda", "cuda:1", "mps", ...; "auto" takes CUDA where the method can use it and there is one, else the
        CPU.
    threads : int, optional
        Threads to use at most; all processors by default. The settings of torch and numba are put back afterwards.
    grid : {"plan", "native"}
        Return the image on the plan's grid, or on the grid on which the method worked, which may be coarser. From a
        coarser grid the image is interpolated without loss (band limited), its standard deviation linearly.
    contradictions : bool
        Hold the image against the counts (`Reconstruction.contradiction`); False saves its time.
    drift : {"auto", "off", "stored"}
        Undo drift as `load_inputs` does; of `Inputs` nothing is undone.
    **settings
        Of the method; ``stemscan methods NAME`` lists them.

    Returns
    -------
    Reconstruction

    Raises
    ------
    UsageError
        When the method, a setting, the device, the grid or the number of threads is not one of those there are.
    InputNotFoundError, StoreError
        When the source is no store.
    WeightsError
        When weights are needed and missing or wrong.
    ReconError
        When the method cannot work on these inputs, or did not give a finite image.

    Examples
    --------
    >>> from stemscan.recon.inputs.inputs import Inputs
    >>> inputs = Inputs.from_arrays([[[4.0, 0.0, 8.0]]], [[[1, 0, 1]]], 10.0)
    >>> reconstruct(inputs, "linear").image
    array([[0.4, 0.6, 0.8]], dtype=float32)
    >>> reconstruct(inputs, lambda inputs: inputs.S / inputs.V.clip(1)).image
    array([[0.4, 0. , 0.8]], dtype=float32)
    """
    if method is None:
        method = default_method(with_weights=weights is not None)
    chosen = method_of(method)
    if isinstance(method, str) and (shadow := PLUGINS.shadows(method)):
        warnings.warn(shadow, StemscanWarning, stacklevel=2)
    if grid not in GRIDS:
        raise UsageError(f"expected grid to be one of {', '.join(GRIDS)}, got {grid!r}")
    if weights is not None and not chosen.needs_weights:
        raise UsageError(f"expected no weights for {chosen}, which has none, got {str(weights)!r}")
    settings = plain(settings)
    check_settings(str(chosen), chosen.load(), settings)
    bound = _bound(chosen)
    where = _device(chosen, device)
    if isinstance(source, Inputs):
        if channel is not None:
            raise UsageError(f"expected a store beside a channel, got Inputs and {channel!r}; load the channel instead")
        inputs = source
    else:
        inputs = (
            load_inputs(source, drift=drift)
            if channel is None
            else load_channels(source, channel, device=where, drift=drift)
        )
    if where == "cpu":
        rows, columns = inputs.shape
        needed, what = chosen.bytes_needed(inputs.shape), f"to reconstruct {rows} x {columns} pixels by {chosen.name}"
        require_memory(needed, what, memory_remedy(chosen))
    passed = {name: value for name, value in (("device", where), ("weights", weights)) if chosen.takes(name)}
    with limit_threads(threads):
        start = time.perf_counter()
        estimate = _estimate(chosen, inputs, passed, settings)
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


def _device(method: Method, device: str) -> str:
    """The device to run on; imports torch only where it matters."""
    if method.uses_torch:
        return check_device(device)
    if device in ("auto", "cpu"):
        return "cpu"
    raise UsageError(f"expected device auto or cpu, got {device!r}: {method} runs on the CPU only")


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


def _bound(method: Method) -> dict[str, Any]:
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
