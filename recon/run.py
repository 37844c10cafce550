"""`reconstruct` runs one method on a frame: as a whole, or tile by tile where it is large."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemscan.errors import UsageError
from stemscan.recon.choice import checked_method, in_tiles
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.reading import opened
from stemscan.recon.joint.reading import load_channels
from stemscan.recon.reconstruction import Reconstruction
from stemscan.recon.registry import AnyMethod, default_method
from stemscan.recon.settings import plain
from stemscan.recon.whole import reconstruct_whole

if TYPE_CHECKING:
    from stemscan.recon.drift.using import DriftUse
    from stemscan.store.reader import Acquisition

__all__ = ["reconstruct"]


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
    if isinstance(source, Inputs) and channel is not None:
        raise UsageError(f"expected a store beside a channel, got Inputs and {channel!r}; load the channel instead")
    options: dict[str, Any] = {"weights": weights, "device": device, "threads": threads, **plain(settings)}
    chosen, where = checked_method(method, weights=weights, device=device, grid=grid, settings=settings)
    if not isinstance(source, Inputs):
        source = opened(source)
        if not (grid == "plan" and in_tiles(chosen, source.shape, weights)):
            source = load_channels(source, 0 if channel is None else channel, device=where, drift=drift)
    if grid == "plan" and in_tiles(chosen, source.shape, weights):
        from stemscan.recon.large.field import LoadedField
        from stemscan.recon.large.memory import reconstruct_in_memory
        from stemscan.recon.large.opening import open_field

        number = 0 if channel is None else channel
        field = (
            LoadedField(source) if isinstance(source, Inputs) else open_field(source, number, device=where, drift=drift)
        )
        return reconstruct_in_memory(field, chosen, contradictions=contradictions, **options)
    assert isinstance(source, Inputs)
    return reconstruct_whole(source, chosen, grid=grid, contradictions=contradictions, **options)
