"""Reports of a controller besides its samples: how far its beam went, what it did, where its counts come from.

Each is a protocol of one member. A controller that lacks it is taken as one that knows nothing of the kind.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from numbers import Integral
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from stemscan.acquisition.scan_controller import Capabilities
from stemscan.errors import ControllerError, StemscanError, UsageError
from stemscan.plugins.plugin import blame_instance
from stemscan.store.batch import DetectorInfo
from stemscan.store.ledger import BeamTime, BeamTimes
from stemscan.store.provenance import Provenance

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.path.scan_path import ScanPath

__all__ = [
    "MEMBERS",
    "ReportsBeamTimes",
    "ReportsChannels",
    "ReportsProvenance",
    "ReportsReach",
    "ReportsWarnings",
    "beam_times_of",
    "channels_of",
    "check_reports",
    "controller_errors",
    "provenance_of",
    "reach_of",
    "warnings_of",
]


MEMBERS: Final = ("capabilities", "detector", "arm", "start", "read", "abort", "close")
"""Members of every scan controller."""


@runtime_checkable
class ReportsReach(Protocol):
    """A scan controller that knows how far its beam went, which bounds how many samples are exposed twice."""

    @property
    def reached(self) -> int | None:
        """The first sample of the range armed last that was surely not exposed since; None where it is not known."""
        ...


@runtime_checkable
class ReportsBeamTimes(Protocol):
    """A scan controller that knows what its beam does besides dwelling."""

    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        """Times of the beam for samples start .. stop - 1; those of two ranges add up to those of both.

        Called from another thread than the controller's other methods, while these run, with a path for it alone.
        """
        ...


@runtime_checkable
class ReportsProvenance(Protocol):
    """A scan controller that knows where its counts come from, as a simulation knows its specimen and seed."""

    @property
    def provenance(self) -> Provenance:
        """Provenance of its samples; channels, actual positions and session are filled in."""
        ...


@runtime_checkable
class ReportsChannels(Protocol):
    """A scan controller that has several detectors: its counts are (n, C), a column each."""

    @property
    def channels(self) -> Sequence[DetectorInfo]:
        """Meaning of the numbers of each channel, with names of their own; the first is its `detector`."""
        ...


@runtime_checkable
class ReportsWarnings(Protocol):
    """A scan controller that has something to say of its samples."""

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences for the user, told after the scan."""
        ...


@contextmanager
def controller_errors(controller: object, advice: str = "report it to its authors") -> Iterator[None]:
    """Turn whatever a controller raises into a `ControllerError` that names it and the line.

    Parameters
    ----------
    advice : str
        Advice, for the message.
    """
    try:
        yield
    except StemscanError:
        raise
    except (Exception, SystemExit) as error:
        raise ControllerError(
            f"expected {_name_of(controller)} to work, got {blame_instance(controller, error)}; {advice}"
        ) from error


def check_reports(controller: object) -> None:
    """Refuse a controller that lacks a member, or reports of itself what is of another type.

    Raises
    ------
    UsageError
        When it is no controller.
    ControllerError
        When what it reports cannot be used, or it fails to report.
    """
    with controller_errors(controller):
        missing = [name for name in MEMBERS if not hasattr(controller, name)]
    if missing or isinstance(controller, type):
        raise UsageError(
            f"expected a scan controller, got {type(controller).__name__} {str(controller)[:40]!r} without "
            f"{', '.join(missing) or 'an instance'}; hand over one with the members of docs/controllers.md"
        )
    reports = {"capabilities": Capabilities, "detector": DetectorInfo, "provenance": Provenance}
    for name, kind in reports.items():
        with controller_errors(controller):
            found = getattr(controller, name) if name in MEMBERS or hasattr(controller, name) else None
        if found is None and name not in MEMBERS:
            continue
        if not isinstance(found, kind):
            raise ControllerError(
                f"expected the {name} of {_name_of(controller)} as {kind.__name__}, got {type(found).__name__}; "
                "report it to its authors"
            )
    channels_of(controller)  # type: ignore[arg-type]
    able = controller.capabilities  # type: ignore[attr-defined]
    if not isinstance(able.max_batch, Integral) or able.max_batch < 1:
        raise ControllerError(
            f"expected {_name_of(controller)} to deliver batches of at least 1 sample, got {able.max_batch!r}; report "
            "it to its authors"
        )


def _name_of(controller: object) -> str:
    """Name for messages: as its capabilities have it, or of its class."""
    with suppress(Exception):
        if isinstance(name := controller.capabilities.name, str) and name:  # type: ignore[attr-defined]
            return name
    return f"controller {type(controller).__name__}"


def reach_of(controller: ScanController) -> int | None:
    """The first sample of the range armed last that was surely not exposed since; None where it is not known."""
    if not isinstance(controller, ReportsReach):
        return None
    with controller_errors(controller):
        reached = controller.reached
        return None if reached is None else operator.index(reached)


def channels_of(controller: ScanController) -> tuple[DetectorInfo, ...]:
    """Meaning of the numbers of each channel of a controller: one unless it reports several.

    Raises
    ------
    ControllerError
        When it reports what is none, or its first channel is not its detector.
    """
    if not isinstance(controller, ReportsChannels):
        return (controller.detector,)
    with controller_errors(controller):
        channels: tuple[object, ...] = tuple(controller.channels)
        known = tuple(one for one in channels if isinstance(one, DetectorInfo))
    if known != channels or known[:1] != (controller.detector,):
        raise ControllerError(
            f"expected the channels of {_name_of(controller)} as DetectorInfo, its detector first, got {channels!r}; "
            "report it to its authors"
        )
    return known


def provenance_of(controller: ScanController) -> Provenance:
    """Provenance of a controller's samples: as far as it reports, with its channels and kind of positions."""
    known = controller.provenance if isinstance(controller, ReportsProvenance) else Provenance()
    actual = controller.capabilities.actual_positions
    return replace(known, channels=channels_of(controller), actual_positions=actual)


def warnings_of(controller: ScanController) -> list[str]:
    """Sentences of a controller about its samples; none where it has none."""
    with controller_errors(controller):
        return list(controller.warnings) if isinstance(controller, ReportsWarnings) else []


def beam_times_of(controller: ScanController, path: ScanPath, start: int, stop: int) -> BeamTimes:
    """Beam times of samples start .. stop - 1: as a controller reports them, else dwells of the plan alone.

    Raises
    ------
    ControllerError
        When it fails to report, or reports what cannot be.
    """
    if not isinstance(controller, ReportsBeamTimes):
        return BeamTimes.dwells(stop - start, path.plan.dwell_ns)
    try:
        return _checked(controller.beam_times(path, start, stop))
    except ControllerError:
        raise
    except (Exception, SystemExit) as error:
        raise ControllerError(
            f"expected {controller.capabilities.name} to report the times of its beam for samples {start} to {stop}, "
            f"got {blame_instance(controller, error)}; report it to its authors"
        ) from error


def _checked(times: BeamTimes) -> BeamTimes:
    """Times as plain whole numbers, or an error."""
    parts: dict[str, BeamTime] = {}
    for part in fields(BeamTimes):
        time: BeamTime = getattr(times, part.name)
        time_ns, exposed_ns = operator.index(time.time_ns), operator.index(time.exposed_ns)
        if not 0 <= exposed_ns <= time_ns:
            raise ValueError(f"{exposed_ns} ns of {time_ns} ns of {part.name} with the beam on")
        parts[part.name] = BeamTime(time_ns, exposed_ns)
    return BeamTimes(**parts)
