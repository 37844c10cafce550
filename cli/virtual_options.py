"""Options of the virtual microscope, which `simulate` and `acquire --controller virtual` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from stemscan.cli.common import choice
from stemscan.cli.shared_options import Shared

__all__ = ["VirtualOptions", "virtual_settings"]


@dataclass(frozen=True)
class VirtualOptions(Shared):
    """Options of the virtual microscope and its specimen; None where not given."""

    noise: Annotated[
        str | None,
        typer.Option(help="poisson (default), or eq5 for equation 5 of the FSHNet paper.", show_default=False),
    ] = None
    seed: Annotated[int | None, typer.Option(help="Seed of the detector (1).", show_default=False)] = None
    coil_tau: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time constant of the scan coils, like 30us: the beam lags, and the store says where it was (none).",
            show_default=False,
        ),
    ] = None
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Controller profile for whose settle times and flyback the beam waits (none; obi: obi).",
            show_default=False,
        ),
    ] = None
    instrument: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Faults of the microscope: ideal (default), another preset (docs/instrument.md), or a YAML file.",
            show_default=False,
        ),
    ] = None
    detector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Detector: haadf (default), laadf, abf, bf or a quarter of the ring, q1 to q4; given again for more "
            "channels (obi: GAIN,OFFSET of an analogue one).",
            show_default=False,
        ),
    ] = None
    fit: Annotated[
        str | None,
        typer.Option(
            help="Image of another shape than the plan's: error (default), crop (top left) or resample.",
            show_default=False,
        ),
    ] = None
    value_range: Annotated[
        str | None,
        typer.Option(
            "--range", help="LO,HI: values, or percentiles like 0.1%,99.9%, that become 0 and 1.", show_default=False
        ),
    ] = None
    smooth: Annotated[
        str | None,
        typer.Option(
            help="paper: Gaussian and median filter, so that a noisy image can serve as truth.", show_default=False
        ),
    ] = None
    median: Annotated[
        int | None, typer.Option(help="How many median filters --smooth applies (1).", show_default=False)
    ] = None
    frame: Annotated[
        str | None,
        typer.Option(
            metavar="N|NAME", help="Which frame of a file with several: from 0, or by name.", show_default=False
        ),
    ] = None


def virtual_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `stemscan.simulators.session.virtual_microscope` from options that were given.

    Raises
    ------
    UsageError
        When a value is none, or `median` comes without `smooth`; it names the option.
    """
    from stemscan.errors import UsageError
    from stemscan.types import NOISES
    from stemscan.units import parse_time_constant_ns

    if "median" in options and "smooth" not in options:
        raise UsageError(f"--median: expected --smooth beside it, got {options['median']} alone; add --smooth paper")
    parsers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "noise": ("noise", lambda text: choice("--noise", text, NOISES)),
        "seed": ("seed", _seed),
        "coil_tau": ("coil_tau_ns", parse_time_constant_ns),
        "profile": ("profile", str),
        "instrument": ("instrument", str),
        "detector": ("detectors", tuple),
        "fit": ("fit", lambda text: choice("--fit", text, ("error", "crop", "resample"))),
        "value_range": ("value_range", _range),
        "smooth": ("smooth", lambda text: choice("--smooth", text, ("paper",))),
        "median": ("median", int),
        "frame": ("frame", str),
    }
    return {key: parse(options[name]) for name, (key, parse) in parsers.items() if name in options}


def _seed(seed: int) -> int:
    """A seed of the detector."""
    from stemscan.errors import UsageError
    from stemscan.types import SEEDS

    if not 0 <= seed < SEEDS:
        raise UsageError(f"--seed: expected 0 to 2**64 - 1, got {seed}")
    return seed


def _range(text: str) -> tuple[float | str, float | str]:
    """Two numbers or percentiles, from LO,HI."""
    from stemscan.errors import UsageError

    try:
        low, high = (part.strip() if part.strip().endswith("%") else float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--range: expected two numbers or percentiles as LO,HI, got {text!r}") from None
    return low, high
