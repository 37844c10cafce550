"""The command stream: golden bytes, round trips whatever the chunks, and no surprise from malformed bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import ControllerError, ProfileError, UsageError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.address import format_address, parse_address
from stemscan.hardware.obi.cookies import LARGEST_INDEX, cookies_of, index_of
from stemscan.hardware.obi.decoder import Decoder
from stemscan.hardware.obi.encoder import StepEncoder, encode
from stemscan.hardware.profile import load_profile
from stemscan.hardware.program import Program, Steps
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans

GOLDEN = Path(__file__).parent / "golden"
COMMANDS: list[obi.Command] = [
    obi.Synchronize(2),
    obi.Synchronize(0x1234, output=obi.Output.EIGHT_BIT),
    obi.Synchronize(0xFFFE, output=obi.Output.NONE),
    obi.Synchronize(1, raster=True),
    obi.Synchronize(0, raster=True, output=obi.Output.NONE),
    obi.Abort(),
    obi.Flush(),
    obi.ExternalCtrl(False),
    obi.ExternalCtrl(True),
    obi.BeamSelect(obi.Beam.NONE),
    obi.BeamSelect(obi.Beam.ELECTRON),
    obi.BeamSelect(obi.Beam.ION),
    obi.Blank(False),
    obi.Blank(True),
    obi.Delay(0x12C0),
    obi.RasterRegion(0, 0x400, 0x1000, 0, 0x400, 0x1000),
    obi.RasterRegion(16383, 1, 0xFFFF, 1, 2, 0x80),
    obi.RasterPixel(7),
    obi.RasterPixelRun(100, 7),
    obi.RasterPixelRun(65536, 0),
    obi.RasterPixelFreeRun(65534),
    obi.RasterPixelFill(1),
]


def golden(name: str) -> list[bytes]:
    """The lines of a file of bytes."""
    text = (GOLDEN / f"{name}.hex").read_text(encoding="utf-8").splitlines()
    return [bytes.fromhex(line.partition("#")[0]) for line in text if line.partition("#")[0].strip()]


@pytest.mark.parametrize(("line", "command"), list(zip(golden("commands"), COMMANDS, strict=True)))
def test_golden_bytes_of_commands(line: bytes, command: obi.Command) -> None:
    assert encode(command) == line
    assert Decoder().feed(line) == [command]


def test_golden_bytes_of_vector_pixels() -> None:
    pixel, shortest = obi.VectorPixel, obi.VectorPixelMinDwell
    commands: list[obi.Command] = [
        *(obi.Blank(False, inline=True), pixel(1, 0x3FFF, 7), pixel(0x3FFF, 0, 0xFFFE), shortest(1, 2)),
        *(obi.Blank(True, inline=True), obi.Array((pixel(3, 4, 5), pixel(6, 7, 0)))),
        *(obi.Blank(False, inline=True), obi.Array((shortest(1, 2), shortest(3, 4), shortest(5, 6)))),
    ]
    data = b"".join(golden("vectors"))
    assert b"".join(encode(command) for command in commands) == data
    (pixels,) = Decoder().feed(data)
    assert isinstance(pixels, obi.VectorPixels)
    assert pixels.x.tolist() == [1, 0x3FFF, 1, 3, 6, 1, 3, 5]
    assert pixels.y.tolist() == [0x3FFF, 0, 2, 4, 7, 2, 4, 6]
    assert pixels.dwell.tolist() == [7, 0xFFFE, obi.MIN_DWELL, 5, 0, *[obi.MIN_DWELL] * 3]
    assert pixels.blank.tolist() == [0, -1, -1, 1, -1, 0, -1, -1]


def test_golden_bytes_of_a_program() -> None:
    plan = {"pattern": {"kind": "raster"}, "shape": [2, 2], "passes": 1, "dwell_ns": 1000, "seed": 1}
    program = Program(
        ScanPlan.from_dict({**plan, "dose": {"electrons_per_sample": 10}}),
        load_profile("obi").model_copy(update={"settle": None}),
    )
    encoder = StepEncoder(blanked=True)
    assert encoder.encode(program.steps(0, 4)) + encoder.encode(program.parking()) == b"".join(golden("program"))


def test_array_of_others_is_opened() -> None:
    array = obi.Array((obi.RasterPixelRun(2, 7), obi.RasterPixelRun(65536, 0)))
    assert Decoder().feed(encode(array)) == list(array.commands)


@pytest.mark.parametrize(
    "command",
    [
        obi.Array(()),
        obi.Array((obi.Blank(True, inline=True),)),  # type: ignore[arg-type]
        obi.Array((obi.Delay(1), obi.RasterPixel(1))),
        obi.VectorPixel(16384, 0, 0),
        obi.VectorPixel(0, -1, 0),
        obi.VectorPixel(0, 0, 65535),
        obi.RasterPixel(65535),
        obi.RasterPixelRun(1, 65535),
        obi.RasterPixelFill(65535),
        obi.RasterPixelFreeRun(65535),
        obi.Array((obi.VectorPixel(0, 0, 65535),)),
        obi.RasterRegion(0, 16385, 0, 0, 1, 0),
        obi.RasterRegion(0, 1, 0, 0, 16385, 0),
        obi.Synchronize(65536),
        obi.RasterPixelRun(0, 1),
        obi.RasterRegion(0, 1025, 0x1000, 0, 1, 0),
        obi.RasterRegion(1, 1, 0, 16383, 2, 0x100),
        obi.RasterRegion(0, 0, 256, 0, 1, 256),
        obi.VectorPixel(1.5, 0, 0),  # type: ignore[arg-type]
        obi.Synchronize(2, output=3),  # type: ignore[arg-type]
        obi.BeamSelect(3),  # type: ignore[arg-type]
    ],
)
def test_what_no_command_can_carry_is_refused(command: obi.Command) -> None:
    with pytest.raises(UsageError, match="expected"):
        encode(command)


FIELDS = ("x", "y", "dwell", "sample")


def steps_of(**changes: Any) -> Steps:
    values: dict[str, Any] = {"x": [1], "y": [2], "dwell": [3], "blanked": [False], "sample": [7], **changes}
    return Steps(
        np.array(values["x"], np.int32),
        np.array(values["y"], np.int32),
        np.array(values["dwell"], np.int64),
        np.array(values["blanked"], np.bool_),
        np.array(values["sample"], np.int64),
    )


@pytest.mark.parametrize("changes", [{"x": [16384]}, {"y": [-1]}, {"dwell": [0]}, {"dwell": [65536]}])
def test_steps_beyond_the_device_are_refused_with_their_sample(changes: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match="sample 7"):
        StepEncoder(blanked=False).encode(steps_of(**changes))


def decoded(data: bytes, sizes: list[int], blanked: bool) -> Steps:
    """Steps of a stream that comes in chunks, as a device understands them."""
    decoder, found, at, turn = Decoder(), [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found += decoder.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    decoder.finish()
    pixels = [one for one in found if isinstance(one, obi.VectorPixels)]
    assert len(pixels) == len(found)
    states = []
    for one in np.concatenate([one.blank for one in pixels]).tolist():
        blanked = blanked if one < 0 else bool(one)
        states.append(blanked)
    x, y, dwell = (np.concatenate([getattr(one, name) for one in pixels]) for name in ("x", "y", "dwell"))
    return steps_of(x=x, y=y, dwell=dwell.astype(np.int64) + 1, blanked=states, sample=np.full(len(x), -1))


@settings(max_examples=40)
@given(
    plan=plans(),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    blanked=st.booleans(),
    largest=st.integers(1, 9),
)
def test_what_is_decoded_is_the_program(plan: ScanPlan, sizes: list[int], blanked: bool, largest: int) -> None:
    try:
        program = Program(plan, load_profile("obi"))
    except ProfileError:
        return
    steps = program.steps(0, min(plan.total_samples, 500))
    encoder = StepEncoder(blanked=blanked, largest_array=largest)
    got = decoded(encoder.encode(steps) + encoder.encode(program.parking()), sizes, blanked)
    for name in ("x", "y", "dwell", "blanked"):
        expected = np.concatenate([getattr(steps, name), getattr(program.parking(), name)])
        np.testing.assert_array_equal(getattr(got, name), expected)


def words(number: int, largest: int = 0xFFFF) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[st.integers(0, largest)] * number)


REPEATABLE: list[st.SearchStrategy[Any]] = [
    st.builds(obi.Delay, st.integers(0, 0xFFFF)),
    st.builds(obi.RasterPixel, st.integers(0, 0xFFFE)),
    st.builds(obi.RasterPixelRun, st.integers(1, 1 << 16), st.integers(0, 0xFFFE)),
    st.builds(obi.RasterPixelFreeRun, st.integers(0, 0xFFFE)),
    st.builds(obi.RasterPixelFill, st.integers(0, 0xFFFE)),
    words(6, 127).map(lambda six: obi.RasterRegion(six[0], six[1] + 1, six[2], six[3], six[4] + 1, six[5])),
    words(3, 16383).map(lambda three: obi.VectorPixel(*three)),
    words(2, 16383).map(lambda two: obi.VectorPixelMinDwell(*two)),
]
ANY = st.one_of(
    st.builds(obi.Synchronize, st.integers(0, 0xFFFF), st.booleans(), st.sampled_from(obi.Output)),
    st.sampled_from([obi.Abort(), obi.Flush(), obi.ExternalCtrl(True), obi.ExternalCtrl(False)]),
    st.builds(obi.BeamSelect, st.sampled_from(obi.Beam)),
    st.builds(obi.Blank, st.booleans(), st.booleans()),
    *REPEATABLE,
    *(st.lists(one, min_size=1, max_size=5).map(lambda many: obi.Array(tuple(many))) for one in REPEATABLE),
)


def opened(commands: list[obi.Command]) -> list[Any]:
    """Commands as a device does them: arrays one by one, and of inline Blanks in a row the last."""
    flat: list[Any] = []
    for command in commands:
        flat += command.commands if isinstance(command, obi.Array) else [command]
    inline = [isinstance(one, obi.Blank) and one.inline for one in flat]
    return [
        one for one, held, following in zip(flat, inline, [*inline[1:], False], strict=True) if not held & following
    ]


def told(found: list[Any]) -> list[Any]:
    """What a decoder found, its runs of pixels taken apart."""
    flat: list[Any] = []
    for one in found:
        if not isinstance(one, obi.VectorPixels):
            flat.append(one)
            continue
        for x, y, dwell, blank in zip(*(part.tolist() for part in (one.x, one.y, one.dwell, one.blank)), strict=True):
            flat += [obi.Blank(bool(blank), inline=True)] if blank >= 0 else []
            flat.append(obi.VectorPixelMinDwell(x, y) if dwell == obi.MIN_DWELL else obi.VectorPixel(x, y, dwell))
    return flat


@settings(max_examples=200)
@given(commands=st.lists(ANY, max_size=12), size=st.integers(1, 40))
def test_what_is_decoded_is_what_was_encoded(commands: list[obi.Command], size: int) -> None:
    data = b"".join(encode(command) for command in [*commands, obi.Flush()])
    decoder, found = Decoder(), []
    for at in range(0, len(data), size):
        found += decoder.feed(data[at : at + size])
    decoder.finish()
    assert opened(told(found)) == opened([*commands, obi.Flush()])


def test_what_a_settle_costs_in_bytes_a_point() -> None:
    steps = steps_of(x=[1, 1] * 50, y=[2, 2] * 50, dwell=[1, 2] * 50, blanked=[True, False] * 50, sample=[-1, 0] * 50)
    assert len(StepEncoder(blanked=False).encode(steps)) == 50 * 16
    lit = replace(steps, blanked=np.full(100, False))
    assert len(StepEncoder(blanked=False).encode(lit)) == 3 + 50 * 12
    assert (
        len(StepEncoder(blanked=False).encode(steps_of(**{name: [1] * 50 for name in FIELDS}, blanked=[False] * 50)))
        == 3 + 50 * 6
    )


def test_a_short_dwell_alone_stays_a_vector_pixel() -> None:
    for dwell in (1, 2):
        data = StepEncoder(blanked=False).encode(steps_of(dwell=[dwell]))
        assert data == bytes.fromhex("e000010002") + (dwell - 1).to_bytes(2, "big")


@settings(max_examples=300)
@given(data=st.binary(max_size=300), size=st.integers(1, 50))
def test_a_decoder_knows_bytes_or_says_so(data: bytes, size: int) -> None:
    decoder = Decoder()
    try:
        for at in range(0, len(data), size):
            decoder.feed(data[at : at + size])
        decoder.finish()
    except ControllerError as problem:
        assert "Open Beam Interface" in str(problem)


@pytest.mark.parametrize("data", ["70", "06", "43", "80", "85", "11", "e8", "5c"])
def test_malformed_bytes_are_named(data: str) -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x20" + bytes.fromhex(data) + bytes(8)) == [obi.Flush()]  # what came before is done
    for call in (decoder.check, lambda: decoder.feed(b"\x20"), decoder.finish):
        with pytest.raises(ControllerError, match=f"0x{data} at 1 "):
            call()
    with pytest.raises(ControllerError, match=f"0x{data} at 0 "):
        Decoder().feed(bytes.fromhex(data) + bytes(8))


def test_pixels_keep_no_more_memory_than_they_need() -> None:
    found = Decoder().feed(bytes.fromhex("e000010002000720") * 1000)
    assert len(found) == 2000
    assert all(one.x.base is None for one in found if isinstance(one, obi.VectorPixels))


def test_an_end_inside_a_command_is_an_error() -> None:
    decoder = Decoder()
    decoder.feed(bytes.fromhex("e00001"))
    with pytest.raises(ControllerError, match="inside"):
        decoder.finish()


@given(index=st.integers(0, LARGEST_INDEX))
def test_cookies_name_an_index_and_are_even(index: int) -> None:
    cookies = cookies_of(index)
    assert index_of(cookies) == index
    assert all(0 <= cookie < 65536 and cookie % 2 == 0 for cookie in cookies)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:1",
        "obi://",
        "obi://h",
        "obi://h:0",
        "obi://h:99999",
        "http://h:1",
        "obi://h:1/x",
        "obi://[:1",
        "obi://:p@h:1",
    ],
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="obi://HOST:PORT"):
        parse_address(text)
    for place in (("::1", 7), ("127.0.0.1", 65535), ("localhost", 1)):
        assert parse_address(f"obi://{format_address(*place)}") == place
