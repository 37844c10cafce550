"""The methods by name, and `reconstruct`, which runs one of them.

A method is a function ``method(inputs, *, device, weights (only where it needs them), **settings) -> Estimate`` in a
module of its own, which is imported when the method is first used. It does its own arithmetic on its own grid and knows
nothing of names, times or files; `reconstruct` checks what it is given and what comes back, and sees to the rest.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast, get_type_hints

import numpy as np

from stemscan.errors import ReconError, UsageError
from stemscan.recon.inputs.grids import coarse_shape, upsample, upsample_linear
from stemscan.recon.reconstruction import Estimate, Reconstruction
from stemscan.recon.threads import limit_threads
from stemscan.recon.weights import SHIPPED
from stemscan.runtime.memory import require_memory

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = [
    "DEFAULT_METHOD",
    "GRIDS",
    "METHODS",
    "Method",
    "check_device",
    "check_settings",
    "ready_methods",
    "reconstruct",
    "remedy_for",
    "settings_of",
]

DEFAULT_METHOD: Final = "fshnet"
GRIDS: Final = ("plan", "native")


_SUMS: Final = 8
"""Bytes a pixel of S and V, which inputs make when they are first asked for."""

_SMALL_GRID: Final = 100
"""Bytes a pixel to which the part that does not grow comes at most."""


class Method(NamedTuple):
    """Where a method is and what it is.

    Attributes
    ----------
    module, function : str
        Where its function is.
    description : str
        One line for people.
    needs_weights : bool
        Whether it runs trained weights, shipped ones or a file.
    uses_torch : bool
        Whether it computes with torch, and so on other devices than the CPU.
    memory : tuple of float
        What it takes beside its inputs, by `benchmarks/memory.py`: bytes a pixel of the plan's grid, and further bytes
        that do not grow beyond this. Of methods that find a coarser grid, on the coarsest; they ask for more later.
    """

    module: str
    function: str
    description: str
    needs_weights: bool = False
    uses_torch: bool = False
    memory: tuple[float, float] = (32, 0)

    def bytes_needed(self, shape: tuple[int, int]) -> float:
        """Memory for a grid of rows and columns, in bytes beyond the inputs."""
        pixels = math.prod(shape)
        return self.memory[0] * pixels + min(self.memory[1], _SMALL_GRID * pixels) + _SUMS * pixels

    def load(self) -> Callable[..., Estimate]:
        """The method's function; imports its module."""
        return cast(Callable[..., Estimate], getattr(import_module(self.module), self.function))


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "fshnet": Method(
            "stemscan.recon.fshnet.method",
            "fshnet",
            "FSHNet, the hybrid frequency-spatial network: Fourier analysis, corrected",
            needs_weights=True,
            uses_torch=True,
            memory=(50, 3e8),
        ),
        "fourier-eb": Method(
            "stemscan.recon.fourier_eb",
            "fourier_eb",
            "Fourier empirical Bayes: Gaussian process with the spectrum learned from the samples",
            uses_torch=True,
            memory=(26, 0),
        ),
        "csnet": Method(
            "stemscan.recon.paper.trained",
            "csnet",
            "CSNet, learned block sampling and a convolutional network; weights by training",
            needs_weights=True,
            uses_torch=True,
            memory=(760, 0),
        ),
        "reconnet": Method(
            "stemscan.recon.paper.trained",
            "reconnet",
            "ReconNet, learned block sampling and two small units; weights by training",
            needs_weights=True,
            uses_torch=True,
            memory=(650, 0),
        ),
        "normconv": Method(
            "stemscan.recon.classical.normalised_convolution",
            "normconv",
            "Gaussian normalised convolution, width by cross-validation",
            memory=(32, 0),
        ),
        "iht": Method(
            "stemscan.recon.classical.iht",
            "iht",
            "Fourier iterative hard thresholding, number of coefficients by cross-validation",
            memory=(64, 0),
        ),
        "bpfa": Method(
            "stemscan.recon.paper.bpfa",
            "bpfa",
            "beta-process factor analysis: a dictionary of patches learned from the samples",
            memory=(24, 2e8),
        ),
        "lowpass": Method(
            "stemscan.recon.classical.lowpass",
            "lowpass",
            "low-pass of the summed samples, measured means blended in",
            memory=(17, 0),
        ),
        "linear": Method(
            "stemscan.recon.classical.interpolation",
            "linear",
            "linear interpolation on the Delaunay triangles of the samples",
            memory=(22, 4e7),
        ),
        "nearest": Method(
            "stemscan.recon.classical.interpolation",
            "nearest",
            "value of the nearest sample",
            memory=(16, 0),
        ),
        "constant": Method(
            "stemscan.recon.classical.interpolation",
            "constant",
            "the mean of all samples everywhere",
            memory=(4, 0),
        ),
    }
)


def ready_methods(weights_for: Collection[str] = ()) -> list[str]:
    """Names of the methods that have what they need: no weights, shipped ones, or those that are given.

    Parameters
    ----------
    weights_for : collection of str
        Methods for which weights are given.
    """
    return [
        name for name, method in METHODS.items() if not method.needs_weights or name in SHIPPED or name in weights_for
    ]


def remedy_for(method: str) -> str:
    """Advice where there is too little memory for a method."""
    lighter = "" if method in ("lowpass", "constant") else "a method that needs less memory, such as lowpass, "
    return f"take {lighter}a smaller grid, or a machine with more"


def settings_of(method: str) -> tuple[str, ...]:
    """Names of a method's settings; imports its module.

    Raises
    ------
    UsageError
        When there is no such method.
    """
    parameters = inspect.signature(_method(method).load()).parameters
    return tuple(name for name in parameters if name not in ("inputs", "device", "weights"))


def reconstruct(
    inputs: Inputs,
    method: str = DEFAULT_METHOD,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    grid: str = "plan",
    **settings: Any,
) -> Reconstruction:
    """Reconstruct the specimen's signal from counts and visits.

    Parameters
    ----------
    inputs : Inputs
    method : str
        A name in `METHODS`.
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
    **settings
        Of the method; `settings_of` names them.

    Returns
    -------
    Reconstruction

    Raises
    ------
    UsageError
        When the method, a setting, the device, the grid or the number of threads is not one of those there are.
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
    """
    chosen = _method(method)
    if grid not in GRIDS:
        raise UsageError(f"expected grid to be one of {', '.join(GRIDS)}, got {grid!r}")
    if weights is not None and not chosen.needs_weights:
        raise UsageError(f"expected no weights for method {method}, which has none, got {str(weights)!r}")
    function = chosen.load()
    check_settings(method, settings)
    arguments: dict[str, Any] = {"device": _device(method, device), **settings}
    if chosen.needs_weights:
        arguments["weights"] = weights
    if arguments["device"] == "cpu":
        rows, columns = inputs.shape
        require_memory(
            chosen.bytes_needed(inputs.shape),
            f"to reconstruct {rows} x {columns} pixels by {method}",
            remedy_for(method),
        )
    with limit_threads(threads):
        start = time.perf_counter()
        estimate = function(inputs, **arguments)
        _check_estimate(method, estimate, inputs.shape)
        shown = estimate if grid == "native" else _on_plan(estimate, inputs.shape)
        seconds = time.perf_counter() - start
    return Reconstruction(
        image=shown.image,
        std=shown.std,
        method=method,
        settings=dict(estimate.settings),
        seconds=seconds,
        factor=shown.factor,
        native_factor=estimate.factor,
        pixel_size_nm=None if inputs.pixel_size_nm is None else inputs.pixel_size_nm * shown.factor,
        source=inputs.source,
    )


def _method(name: str) -> Method:
    """A method by name, or an error that lists all."""
    if name not in METHODS:
        raise UsageError(f"expected method to be one of {', '.join(METHODS)}, got {name!r}")
    return METHODS[name]


def check_settings(method: str, settings: Mapping[str, Any]) -> None:
    """Refuse a setting that the method does not have, or a value of another type.

    Parameters
    ----------
    method : str
        A name in `METHODS`.
    settings : mapping

    Raises
    ------
    UsageError
    """
    if not settings:
        return
    from pydantic import TypeAdapter, ValidationError

    known = settings_of(method)
    types = get_type_hints(_method(method).load(), localns={"Inputs": object, "Estimate": object})
    for name, value in settings.items():
        if name not in known:
            raise UsageError(
                f"expected settings of method {method} ({', '.join(known) or 'it has none'}), got {name!r}"
            )
        try:
            TypeAdapter(types[name]).validate_python(value, strict=True)
        except ValidationError as problem:
            expected = problem.errors()[0]["msg"].removeprefix("Input should be ")
            raise UsageError(f"expected setting {name} of method {method} to be {expected}, got {value!r}") from problem
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"expected setting {name} of method {method} to be finite, got {value!r}; give a number")


def _device(method: str, device: str) -> str:
    """The device to run on; imports torch only where it matters."""
    if not METHODS[method].uses_torch:
        if device in ("auto", "cpu"):
            return "cpu"
        raise UsageError(f"expected device auto or cpu, got {device!r}: method {method} runs on the CPU only")
    return check_device(device)


def check_device(device: str) -> str:
    """A device of torch that is there.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1", "mps", ...; "auto" takes CUDA where there is one, else the CPU.

    Returns
    -------
    str

    Raises
    ------
    UsageError
        When this machine has no such device.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        raise UsageError(
            f"expected a device of this machine such as cpu, cuda or cuda:1, got {device!r}; try auto or cpu"
        ) from problem
    return device


def _check_estimate(method: str, estimate: Estimate, shape: tuple[int, int]) -> None:
    """Refuse what is not a finite float32 image of the shape that goes with its factor."""
    expected = coarse_shape(shape, estimate.factor)
    for name, array in (("image", estimate.image), ("standard deviation", estimate.std)):
        if array is None:
            continue
        if array.shape != expected or array.dtype != np.float32:
            raise ReconError(
                f"expected of method {method} a float32 {name} of shape {expected}, got {array.dtype} {array.shape}; "
                "please report this"
            )
        low, high = array.min(), array.max()
        if not (np.isfinite(low) and np.isfinite(high)) or (name != "image" and low < 0):
            raise ReconError(
                f"expected of method {method} a finite {name}, got values from {low} to {high}; try other settings, "
                "and please report this"
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
