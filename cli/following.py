"""Following of drift by `stemscan acquire`: its rule from options, and what became of it for people."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.cli.common import Talk
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.recon.drift.following import FollowDrift
    from stemscan.store.reader import Acquisition

__all__ = ["follow_rows", "follower_of", "tell_moves", "tell_room"]

_ROOM: Final = 0.01
"""Share of the field below which a drift is hardly followed."""

_SHORT_PX: Final = 1.0
"""From here on an offset is not the one that was wanted, beyond rounding to whole pixels."""


def follower_of(follow: bool, limit: str | None, plan: ScanPlan, talk: Talk) -> FollowDrift | None:
    """The rule that predicts drift; None where it is not asked for.

    Raises
    ------
    UsageError
        When the limit is none, or comes alone.
    """
    from stemscan.errors import UsageError

    if not follow:
        if limit is not None:
            raise UsageError("--follow-limit: expected --follow-drift beside it, got it alone; add that")
        return None
    from stemscan.recon.drift.following import FollowDrift

    if plan.passes == 1:
        talk.warn("--follow-drift: the field is moved between passes, and the plan has one pass")
    return FollowDrift(None if limit is None else _limit_px(limit, plan))


def tell_room(controller: ScanController, plan: ScanPlan, talk: Talk) -> None:
    """Warn before the scan of a controller whose scan field leaves next to no room."""
    from stemscan.acquisition.following import room_of
    from stemscan.acquisition.stopping import PlaysStore
    from stemscan.path.scan_path import ScanPath

    if not controller.capabilities.moves_field or isinstance(controller, PlaysStore):
        return
    room = room_of(controller, ScanPath(plan))
    if any(one < _ROOM * side for one, side in zip(room, plan.shape, strict=True)):
        talk.warn(
            f"{controller.capabilities.name} can move its field by {room[0]:.3g} rows and {room[1]:.3g} columns of "
            "pixels only, and follows drift no farther; leave room by grid.margin in its profile (--profile)"
        )


def _limit_px(text: str, plan: ScanPlan) -> float:
    """A length in pixels, from pixels or a length."""
    from stemscan.errors import UsageError
    from stemscan.units import parse_length_nm

    if text.strip().endswith("px"):
        try:
            return float(text.strip()[:-2])
        except ValueError:
            raise UsageError(f"--follow-limit: expected a length such as 5nm or 100px, got {text!r}") from None
    if plan.pixel_size_nm is None:
        raise UsageError(
            f"--follow-limit: expected pixels, as 100px, for a plan without pixel_size_nm, got {text!r}; state one"
        )
    try:
        return parse_length_nm(text) / plan.pixel_size_nm
    except UsageError as problem:
        raise UsageError(f"--follow-limit: {problem}") from None


def tell_moves(store: Acquisition, talk: Talk) -> None:
    """Warn of passes whose field is not where the drift asked for."""
    moves = _moves(store)
    short = [number for number, move in enumerate(moves, 1) if _short(move)]
    if short:
        worst = max(moves, key=_distance)
        talk.warn(
            f"the field of {_passes(short)} was moved less than the drift asked for, at most "
            f"{_pixels(worst['offset_px'])} of {_pixels(worst['wanted_px'])}: that is as far as the limit or the scan "
            "field goes; recon places samples where they are"
        )
    held = [number for number, move in enumerate(moves, 1) if move["held"] and number > 2]
    if held:
        talk.warn(f"the field of {_passes(held)} stayed where it was: {moves[held[-1] - 1]['held']}")


def follow_rows(store: Acquisition) -> list[tuple[str, str]]:
    """Moves of the field for people; nothing where no drift was followed."""
    from stemscan.units import counted

    moves = _moves(store)
    if len(moves) < 2:
        return []
    made = sum(one["offset_px"] != other["offset_px"] for one, other in pairwise(moves))
    known = [move["std_px"] for move in moves if move["std_px"] is not None]
    errors = f", predicted to {known[-1]:.2g} px" if known else ""
    short = sum(map(_short, moves))
    less = f"; {short} less far than asked for" if short else ""
    where = f"{_pixels(moves[-1]['offset_px'])} in the last pass{errors}"
    return [("field moved", f"{counted(made, 'time')}, {where}{less}" if made else f"not at all{less}")]


def _moves(store: Acquisition) -> list[dict[str, Any]]:
    """Moves in the record."""
    return [] if store.follow is None else list(store.follow["passes"])


def _distance(move: dict[str, Any]) -> float:
    """Distance in pixels of the offset from the one that was wanted."""
    (row, column), (down, across) = move["offset_px"], move["wanted_px"]
    return float(max(abs(row - down), abs(column - across)))


def _short(move: dict[str, Any]) -> bool:
    """Tell whether a field was moved less than it was wanted."""
    return _distance(move) >= _SHORT_PX


def _pixels(offset: list[float]) -> str:
    """An offset for people."""
    return f"({offset[0]:.1f}, {offset[1]:.1f}) px"


def _passes(numbers: list[int]) -> str:
    """Numbers of passes, from 1, in words."""
    from stemscan.units import counted

    if len(numbers) == 1:
        return f"pass {numbers[0]}"
    whole = numbers == list(range(numbers[0], numbers[-1] + 1))
    return f"passes {numbers[0]} to {numbers[-1]}" if whole else f"{counted(len(numbers), 'pass')} from {numbers[0]} on"
