"""Drift followed: between passes the next one's field is moved by the drift that the passes so far predict.

A `DriftFollower` predicts, a controller that can (`MovesField`) moves, and the store's record holds what came of it:
the offset of each pass, durably, before the pass is exposed. A resumption moves the field as the record says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from stemscan.acquisition.reports import controller_errors
from stemscan.errors import ControllerError, StoreMismatchError, UsageError
from stemscan.store.record_parts import PassMoveRecord

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.path.scan_path import ScanPath
    from stemscan.store.reader import Acquisition
    from stemscan.store.writer import AcquisitionWriter

__all__ = ["DriftFollower", "FieldMoves", "MovesField", "Offset", "Prediction", "check_moves", "move_field", "room_of"]

Offset = tuple[float, float]
"""(row, column) in pixels of the plan's grid."""

_SAME_PX = 1e-9
_FAR_PX = 1e6


@dataclass(frozen=True)
class Prediction:
    """Offset at which the next pass would lie over the same part of the specimen as the first.

    Parameters
    ----------
    offset : (float, float)
        Asked of the controller: (row, column) in pixels from where the plan has the field.
    wanted : (float, float), optional
        The same without the limits of whoever predicts; `offset` unless given.
    std : float, optional
        Standard deviation of its error in pixels a direction; None where it is not known.
    held : str
        Reason why the last offset stays, in a few words; empty where the drift is followed.
    """

    offset: Offset
    wanted: Offset | None = None
    std: float | None = None
    held: str = ""


class DriftFollower(Protocol):
    """Foretells after a pass, while the beam is blanked, where the next one should lie."""

    @property
    def record(self) -> Mapping[str, object]:
        """Name and settings, as plain data: a resumption must have the same."""
        ...

    def __call__(self, acquisition: Acquisition, passes: int) -> Prediction:
        """Offset of the next pass; a function of what was acquired alone.

        Parameters
        ----------
        acquisition : Acquisition
            Of which `passes` whole passes are committed; its `field_offsets` are theirs.
        passes : int
            At least 1, less than the plan's.
        """
        ...


@runtime_checkable
class MovesField(Protocol):
    """A scan controller that can move its field of view; its capabilities say ``moves_field=True``."""

    def move_field(self, path: ScanPath, number: int, offset: Offset) -> Offset:
        """Move the field, from pass `number` (from 0) of the path on, and tell the offset that it has now.

        Called between ranges, while the beam is blanked. The offset is the nearest to the one asked for that the
        controller can do: rounded to its codes and held inside its scan field. A new controller has none, and can
        always go back to (0, 0).
        """
        ...


def move_field(controller: ScanController, path: ScanPath, number: int, offset: Offset) -> Offset:
    """Move the field of a controller, see `MovesField`; for those that stand between it and its caller, too.

    Raises
    ------
    ControllerError
        When it cannot, fails, or tells of an offset that is none.
    """
    name = controller.capabilities.name
    if not isinstance(controller, MovesField):
        raise ControllerError(f"expected {name} to move its field, got a controller without move_field")
    with controller_errors(controller):
        told: Sequence[float] = controller.move_field(path, number, offset)
        row, column = (float(part) for part in told)
    if not (math.isfinite(row) and math.isfinite(column)):
        raise ControllerError(f"expected an offset (row, column) in pixels from {name}, got {told!r}")
    return row, column


def check_moves(controller: ScanController) -> None:
    """Refuse to follow drift with a controller that cannot.

    Raises
    ------
    UsageError
        When it cannot move its field, or stop between passes.
    """
    able = controller.capabilities
    if not (able.moves_field and able.resumable):
        what = "cannot move its field" if able.resumable else "only runs whole scans"
        raise UsageError(
            f"expected a controller that can move its field between passes to follow drift, got {able.name}, which "
            f"{what}; leave out following drift (--follow-drift)"
        )


def room_of(controller: ScanController, path: ScanPath) -> tuple[float, float]:
    """Least distance in pixels, along rows and columns, by which a controller can move its field either way.

    Raises
    ------
    ControllerError
        As `move_field`.
    """
    ends = [move_field(controller, path, 0, (far, far)) for far in (-_FAR_PX, _FAR_PX)]
    move_field(controller, path, 0, (0.0, 0.0))
    row, column = (min(abs(one[axis]) for one in ends) for axis in (0, 1))
    return row, column


class FieldMoves:
    """Moves of the field in one acquisition: asked for, done, and recorded before the pass is exposed.

    Parameters
    ----------
    writer : AcquisitionWriter
        Of a store that was begun with this follower.
    """

    def __init__(self, follower: DriftFollower, writer: AcquisitionWriter) -> None:
        self._follower, self._writer = follower, writer

    @property
    def known(self) -> int:
        """Number of passes whose offset is recorded."""
        return len(self._recorded())

    def restore(self, controller: ScanController, path: ScanPath) -> None:
        """Move the field as the record has it, pass after pass.

        Raises
        ------
        StoreMismatchError
            When the controller cannot do now what it did then.
        ControllerError
            When it fails.
        """
        for number, move in enumerate(self._recorded()):
            done = move_field(controller, path, number, move.offset_px)
            if math.dist(done, move.offset_px) > _SAME_PX:
                raise StoreMismatchError(
                    f"expected {controller.capabilities.name} to move its field by {pixels(move.offset_px)} for pass "
                    f"{number + 1}, as {str(self._writer.path)!r} has it, got {pixels(done)}; use the settings with "
                    "which the store was begun"
                )

    def begin(self, controller: ScanController, path: ScanPath, number: int, acquired: Acquisition | None) -> None:
        """Move the field for a pass of which nothing is exposed yet, and record it; `acquired` holds those before.

        Raises
        ------
        ControllerError
            When the controller fails.
        StoreError, DiskSpaceError
            When it cannot be recorded.
        """
        foretold = Prediction((0.0, 0.0)) if acquired is None else self._follower(acquired, number)
        done = move_field(controller, path, number, foretold.offset)
        self._writer.move(
            PassMoveRecord(
                offset_px=done, wanted_px=foretold.wanted or foretold.offset, std_px=foretold.std, held=foretold.held
            )
        )

    def _recorded(self) -> list[PassMoveRecord]:
        """Moves in the record."""
        follow = self._writer.record.follow
        return [] if follow is None else follow.passes


def pixels(offset: Offset) -> str:
    """An offset for people."""
    return f"({offset[0]:.2f}, {offset[1]:.2f}) px"
