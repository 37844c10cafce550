"""Rows of a full scan as regions and runs: the same pixels, in few bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.decoder import Decoder
from stemscan.hardware.obi.encoder import StepEncoder
from stemscan.hardware.preflight import check_flight
from stemscan.hardware.profile import load_profile
from stemscan.hardware.program import Program, Steps
from stemscan.plan.scan_plan import ScanPlan

PIXEL = tuple[int, int, int, bool]
PROFILE = load_profile("obi").model_copy(update={"settle": None})


def plan_of(**changes: Any) -> ScanPlan:
    data: dict[str, Any] = {
        "pattern": {"kind": "raster"},
        "shape": [128, 128],
        "passes": 1,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 10},
        "seed": 1,
    }
    return ScanPlan.from_dict(data | changes)


def steps_of(pixels: list[PIXEL]) -> Steps:
    x, y, dwell, blanked = zip(*pixels, strict=True)
    return Steps(
        np.array(x, np.int32),
        np.array(y, np.int32),
        np.array(dwell, np.int64),
        np.array(blanked),
        np.arange(len(pixels), dtype=np.int64),
    )


def exposed(data: bytes, *, blanked: bool) -> list[PIXEL]:
    """Exposures of a device by the words of the protocol alone: (x, y, cycles, blanked) of each pixel."""
    pixels: list[PIXEL] = []
    inline: bool | None = None
    region, at = obi.RasterRegion(0, 0, 0, 0, 0, 0), 0
    for command in Decoder().feed(data):
        if isinstance(command, obi.Blank):
            assert command.inline
            inline = command.enable
        elif isinstance(command, obi.RasterRegion):
            region, at = command, 0
        elif isinstance(command, obi.RasterPixelRun):
            blanked, inline = blanked if inline is None else inline, None
            assert at + command.length <= region.x_count * region.y_count
            for row, column in (divmod(number, region.x_count) for number in range(at, at + command.length)):
                x, y = (region.x_step * column >> 8), (region.y_step * row >> 8)
                pixels.append((region.x_start + x, region.y_start + y, command.dwell + 1, blanked))
            at += command.length
        else:
            assert isinstance(command, obi.VectorPixels)
            for x, y, dwell, told in zip(command.x, command.y, command.dwell, command.blank, strict=True):
                blanked, inline = (blanked if inline is None else inline) if told < 0 else bool(told), None
                pixels.append((int(x), int(y), int(dwell) + 1, blanked))
    return pixels


@st.composite
def programs(draw: st.DrawFn) -> list[PIXEL]:
    """Pieces of rasters, rows cut anywhere, other steps between them."""
    pixels: list[PIXEL] = []
    for _ in range(draw(st.integers(1, 6))):
        columns, rows = draw(st.integers(1, 20)), draw(st.integers(1, 5))
        x_step, y_step = draw(st.sampled_from([0, 1, 3, 255, 256])), draw(st.sampled_from([0, 1, 7, 255, 256]))
        x, y, dwell = draw(st.integers(0, 9)), draw(st.integers(0, 9)), draw(st.integers(1, 3))
        whole = [
            (x + column * x_step, y + row * y_step, dwell, draw(st.booleans()) if columns == 1 else rows == 2)
            for row in range(rows)
            for column in range(columns)
        ]
        pixels += whole[draw(st.integers(0, len(whole) - 1)) :]
    return pixels


@given(pixels=programs(), blanked=st.booleans(), largest=st.sampled_from([1, 3, 65536]))
@settings(max_examples=200)
def test_runs_expose_what_lists_expose(pixels: list[PIXEL], blanked: bool, largest: int) -> None:
    steps = steps_of(pixels)
    lengths = []
    for runs in (False, True):
        encoder = StepEncoder(blanked=blanked, largest_array=largest, runs=runs)
        data = encoder.encode(steps)
        assert exposed(data, blanked=blanked) == pixels
        assert encoder.blanked == pixels[-1][3]
        lengths.append(len(data))
    assert lengths[1] <= lengths[0]


def test_a_full_scan_takes_a_region_and_five_bytes_a_run() -> None:
    steps = Program(plan_of(), PROFILE).steps(0, 128 * 128)
    assert len(StepEncoder(blanked=False, runs=True).encode(steps)) == 13 + 5
    assert len(StepEncoder(blanked=False).encode(steps)) == 3 + 6 * 128 * 128
    cut = Program(plan_of(), PROFILE).steps(50, 128 * 128 - 50)  # in the middle of two rows
    assert len(StepEncoder(blanked=True, runs=True).encode(cut)) == 3 * (13 + 5) + 1


@pytest.mark.parametrize(
    "changes",
    [{"pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3}}, {"shape": [64, 64]}],
)
def test_what_is_no_run_is_a_list(changes: dict[str, Any]) -> None:
    program = Program(plan_of(**changes), PROFILE)  # 256 codes per pixel are more than a step can be
    steps = program.steps(0, program.plan.total_samples)
    plain = StepEncoder(blanked=False).encode(steps)
    assert StepEncoder(blanked=False, runs=True).encode(steps) == plain


def test_the_flight_check_counts_runs() -> None:
    report = check_flight(Program(plan_of(), PROFILE))
    seconds = report.duration.total * 1e-9
    assert report.link_needed == pytest.approx(128 * 18 / seconds)  # a region a row at most
    listed = PROFILE.model_copy(update={"link": PROFILE.link.model_copy(update={"bytes_per_run": None})})  # type: ignore[union-attr]
    assert check_flight(Program(plan_of(), listed)).link_needed == pytest.approx(6 * 128 * 128 / seconds)
