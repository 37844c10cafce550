"""Options of `stemscan plan` that take more than a number: orders with settings, and files whose content counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["MovedPoints", "order_of", "take_files"]


def order_of(
    kind: str | None,
    max_jump: float | None,
    settle_time: str | None,
    tolerance: float | None,
    settle_table: str | None,
    settle_profile: str | None,
) -> dict[str, Any] | None:
    """The plan's order from its options.

    Raises
    ------
    UsageError
        When an option does not belong to the order, or is no time.
    InputNotFoundError, ProfileError
        When the controller profile that is named is none.
    """
    from stemscan.errors import UsageError

    if max_jump is not None and kind != "shortest":
        raise UsageError(f"--max-jump: expected --order shortest beside it, got {kind or 'no order'}; add it")
    settings = {
        "--settle-profile": settle_profile,
        "--settle-table": settle_table,
        "--settle-time": settle_time,
        "--tolerance": tolerance,
    }
    given = [option for option, value in settings.items() if value is not None]
    if given and kind != "settle-aware":
        raise UsageError(f"{given[0]}: expected --order settle-aware beside it, got {kind or 'no order'}; add it")
    if len(given) > 1 and given[0] in ("--settle-profile", "--settle-table"):
        raise UsageError(f"expected {given[0]} alone, got {given[1]} too; keep one")
    if kind is None:
        return None
    order: dict[str, Any] = {"kind": kind}
    if max_jump is not None:
        order["max_jump_px"] = max_jump
    if settle_profile is not None:
        order["settle"] = _settle_of(settle_profile)
    elif settle_table is not None:
        order["settle"] = {"per_jump": [_pair(pair) for pair in settle_table.split()]}
    elif kind == "settle-aware":
        time_ns = _settle_ns("5us" if settle_time is None else settle_time)
        order["settle"] = {"time_constant_ns": time_ns, "tolerance_px": 0.5 if tolerance is None else tolerance}
    return order


def _settle_of(name: str) -> dict[str, Any]:
    """Settle model of a controller profile, in whole nanoseconds."""
    from stemscan.errors import UsageError
    from stemscan.hardware.profile import load_profile

    profile = load_profile(name)
    settle = profile.settle
    if settle is None:
        raise UsageError(
            f"--settle-profile: expected a profile that waits after moves, got {profile.name}, which does not; choose "
            "another profile or order"
        )
    if settle.per_jump is not None:
        return {"per_jump": [[jump, round(time)] for jump, time in settle.per_jump]}
    return {"time_constant_ns": max(round(settle.time_constant_ns or 0), 1), "tolerance_px": settle.tolerance_px}


def _settle_ns(text: str) -> int:
    """A time constant in whole nanoseconds."""
    from stemscan.errors import UsageError
    from stemscan.units import parse_time_constant_ns

    time = parse_time_constant_ns(text)
    if not time.is_integer():
        raise UsageError(f"--settle-time: expected whole nanoseconds, got {text!r}; round it")
    return int(time)


def _pair(text: str) -> list[float]:
    """A jump in pixels and its settle time in ns, from PIXELS=TIME."""
    from stemscan.errors import UsageError
    from stemscan.units import parse_dwell_ns

    jump, _, time = text.partition("=")
    try:
        return [float(jump), 0 if time.rstrip("nus") == "0" else parse_dwell_ns(time)]
    except ValueError as problem:
        raise UsageError(f"--settle-table: expected PIXELS=TIME, as 100=20us, got {text!r}") from problem


@dataclass(frozen=True, eq=False)
class MovedPoints:
    """Points of a plan that stand in no file as they are scanned, and the file beside the plan that is to have them."""

    path: Path
    points: Any
    furthest_px: float

    def write(self, *, overwrite: bool) -> None:
        """Write the file, an npy of (row, column)."""
        import numpy as np

        from stemscan.files.writing import write_file

        write_file(self.path, lambda path: np.save(path, self.points), overwrite=overwrite)


def take_files(
    data: dict[str, Any],
    polygon: str | None,
    mask: Path | None,
    output: Path,
    *,
    columns: str | None = None,
    rounding: bool = False,
    overwrite: bool = False,
    warn: Callable[[str], None],
) -> MovedPoints | None:
    """Put lists, masks and regions into plain data of a plan, with what states their content.

    Parameters
    ----------
    data : dict
        Of a plan; `region` and what states the content of a list are filled in.
    polygon : str, optional
        Corners.
    mask : Path, optional
        File as the user named it.
    output : Path
        Place of the plan; files are named relative to it.
    columns : str, optional
        Names of the columns of the points, where their file has none.
    rounding : bool
        Take the nearest pixels of points between pixels.
    overwrite : bool
        Replace a file of moved points beside the plan.
    warn : callable
        Called with what was not read.

    Returns
    -------
    MovedPoints or None
        Points that the plan names in a file that is not there yet; it is to be written before the plan.

    Raises
    ------
    StemscanError
        When a file is missing or not what it should be.
    """
    from stemscan.errors import UsageError
    from stemscan.files.by_content import hold_points, points_to_scan, remember_place
    from stemscan.files.writing import check_output
    from stemscan.plan.patterns.point_list import PointList
    from stemscan.plan.region import ImageRegion

    moved, shape = None, (data["shape"][0], data["shape"][1])
    if "file" in data["pattern"]:
        file = Path(data["pattern"]["file"])
        found = points_to_scan(file, shape, names=columns, pixel_size_nm=data["pixel_size_nm"], rounding=rounding)
        if found.left_out:
            warn(f"columns that tell no place were not read: {', '.join(found.left_out)}")
        if found.furthest_px is not None:
            file = output.with_name(f"{output.stem}-points.npy")
            check_output(file, overwrite=overwrite)
            moved = MovedPoints(file, found.points, found.furthest_px)
            hold_points(found.points)
        pattern = PointList.of(found.points, file, output.parent)
        if moved is None:
            remember_place(pattern.sha256, file.absolute())
        data["pattern"] = pattern.model_dump()
    if polygon is not None and mask is not None:
        raise UsageError("expected --polygon or --mask, got both; keep one")
    if polygon is not None:
        data["region"] = {"kind": "polygon", "points": [_corner(corner) for corner in polygon.split()]}
    if mask is not None:
        region = ImageRegion.from_file(
            mask, shape, folder=output.parent, note=lambda note: warn(f"mask {mask.name}: {note}")
        )
        data["region"] = region.model_dump(exclude_none=True)
    if "region" in data:
        _count_samples(data)
    return moved


def _count_samples(data: dict[str, Any]) -> None:
    """State how many samples of a way lie inside the region, where that does not follow from its pixels."""
    from stemscan.plan.patterns import PATTERNS

    if not PATTERNS[data["pattern"]["kind"]].by_area:
        from stemscan.errors import PlanError, UsageError
        from stemscan.path.sources.ways import samples_inside
        from stemscan.plan.scan_plan import ScanPlan

        data["region"]["samples"] = 1
        try:
            samples = samples_inside(ScanPlan.from_dict({**data, "limits": {}}))
        except PlanError as problem:
            raise UsageError(str(problem)) from problem
        if samples == 0:
            raise UsageError("expected at least one sample of the pattern inside the region, got none; move the region")
        data["region"]["samples"] = samples


def _corner(text: str) -> list[float]:
    """A corner of a polygon."""
    from stemscan.errors import UsageError

    try:
        row, column = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f'--polygon: expected corners as "ROW,COLUMN ROW,COLUMN ...", got {text!r}') from None
    return [row, column]
