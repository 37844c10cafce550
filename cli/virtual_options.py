"""Options of the virtual microscope, which `simulate` and `acquire --controller virtual` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from stemscan.cli.common import choice
from stemscan.cli.completing import complete_detectors, complete_presets, complete_profiles
from stemscan.cli.options import FITS, NOISES, SMOOTHS, option
from stemscan.cli.shared_options import Shared

__all__ = ["VirtualOptions", "virtual_settings"]


@dataclass(frozen=True)
class VirtualOptions(Shared):
    """Options of the virtual microscope and its specimen; None where not given."""

    noise: Annotated[
        str | None,
        option(
            panel="Virtual microscope",
            help="Noise of the counts: Poisson, or equation 5 of the FSHNet paper.",
            choices=NOISES,
            default="poisson",
        ),
    ] = None
    seed: Annotated[
        int | None, option(panel="Virtual microscope", help="Seed of the detector.", metavar="N", default="1")
    ] = None
    coil_tau: Annotated[
        str | None,
        option(
            panel="Virtual microscope",
            help="Time constant of the scan coils, as 30us: the beam lags, and the store records where it was.",
            metavar="TIME",
            default="none",
        ),
    ] = None
    profile: Annotated[
        str | None,
        option(
            panel="Virtual microscope",
            help="Controller profile for whose settle times and flyback the beam waits.",
            metavar="NAME|FILE",
            default="none; obi: obi",
            complete=complete_profiles,
        ),
    ] = None
    instrument: Annotated[
        str | None,
        option(
            panel="Virtual microscope",
            help="Faults of the microscope: a preset (docs/instrument.md) or a YAML file.",
            metavar="NAME|FILE",
            default="ideal",
            complete=complete_presets,
        ),
    ] = None
    detector: Annotated[
        list[str] | None,
        option(
            panel="Virtual microscope",
            help=(
                "Detector of a channel: haadf, laadf, abf, bf, or a quarter of the ring, q1 to q4; obi: "
                "GAIN,OFFSET of an analogue one."
            ),
            metavar="NAME",
            default="haadf",
            complete=complete_detectors,
        ),
    ] = None
    fit: Annotated[
        str | None,
        option(
            panel="Image as specimen",
            help="Treatment of an image of another shape than the plan's; crop keeps the top left.",
            choices=FITS,
            default="error",
        ),
    ] = None
    value_range: Annotated[
        str | None,
        option(
            "--range",
            panel="Image as specimen",
            help="Values, or percentiles as 0.1%,99.9%, that become 0 and 1.",
            metavar="LO,HI",
            default="the type's range, or lowest and highest",
        ),
    ] = None
    smooth: Annotated[
        str | None,
        option(
            panel="Image as specimen",
            help="Filter that lets a noisy image serve as truth; paper: Gaussian, then median.",
            choices=SMOOTHS,
            default="none",
        ),
    ] = None
    median: Annotated[
        int | None,
        option(panel="Image as specimen", help="Number of median filters of --smooth.", metavar="N", default="1"),
    ] = None
    frame: Annotated[
        str | None,
        option(
            panel="Image as specimen",
            help="Frame of a file with several: from 0, or by name.",
            metavar="N|NAME",
            default="the only one",
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
