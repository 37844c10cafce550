"""`stemscan acquire`: the same samples by every way, rules, and bad use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stemscan.hardware.obi import chunks, link
from stemscan.hardware.profile import load_profile
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.output.zarr_image import read_reconstruction
from stemscan.simulators.api import load_specimen
from stemscan.simulators.obi.device import VirtualObiDevice
from stemscan.simulators.obi.faults import FaultyObiDevice, ReadingFault
from stemscan.store.reader import Acquisition
from tests.cli.conftest import Stemscan
from tests.simulators.obi.obi_kit import Served
from tests.stemscan.store_kit import contents

SPECIMEN = "crystal:SrTiO3[001]"


@pytest.fixture
def plan(stemscan: Stemscan) -> str:
    options = ["--shape", "128x128", "--passes", "5", "--pixel-size", "0.02nm"]
    assert stemscan("plan", "-o", "plan.yaml", *options, "-q").code == 0
    return "plan.yaml"


def test_the_same_samples_as_simulate_and_again_by_replay(stemscan: Stemscan, plan: str) -> None:
    assert stemscan("simulate", plan, SPECIMEN, "-o", "s.zarr", "--seed", "3", "-q").code == 0
    done = stemscan("acquire", plan, "-o", "a.zarr", "--specimen", SPECIMEN, "--seed", "3", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["samples"] == told["total_samples"] == 5 * 256 * 3
    assert told["ledger"]["dwell"] == {"time_ns": 3840000, "exposed_ns": 3840000, "electrons": 38400.0}
    assert stemscan("acquire", plan, "-o", "r.zarr", "--controller", "replay:a.zarr").code == 0
    simulated, acquired, replayed = (Acquisition.open(name) for name in ("s.zarr", "a.zarr", "r.zarr"))
    np.testing.assert_array_equal(acquired.counts(), simulated.counts())
    np.testing.assert_array_equal(replayed.counts(), simulated.counts())
    assert acquired.digest() == simulated.digest()
    again = stemscan("acquire", plan, "-o", "a.zarr", "--specimen", SPECIMEN, "--seed", "3", "--resume", "--json")
    assert json.loads(again.out)["samples"] == 0


def test_a_dose_ends_the_scan_between_passes(stemscan: Stemscan, plan: str) -> None:
    one = 256 * 3 * 10 / (128 * 128 * 0.2**2)
    rule = f"max-dose={2.5 * one}"
    done = stemscan("acquire", plan, "-o", "a.zarr", "--specimen", SPECIMEN, "--stop-when", rule, "--json")
    told = json.loads(done.out)
    assert told["stopped"]["passes"] == 2
    assert told["samples_committed"] == 2 * 256 * 3
    store = Acquisition.open("a.zarr")
    assert store.state == "complete"
    assert (store.visits()[:2].sum(axis=(1, 2)) == 256 * 3).all()
    assert store.visits()[2:].sum() == 0
    assert stemscan("recon", "a.zarr", "-o", "a.npy", "--method", "normconv").code == 0


def test_a_gain_that_no_longer_pays_ends_the_scan(stemscan: Stemscan, plan: str) -> None:
    for rule, passes in (("psnr-gain=20dB", 1), ("psnr-gain=0.0001dB", None)):
        options = ["--specimen", SPECIMEN, "--stop-when", rule, "--json", "--overwrite"]
        told = json.loads(stemscan("acquire", plan, "-o", "a.zarr", *options).out)
        assert (told["stopped"] or {"passes": None})["passes"] == passes


def test_a_scan_ends_after_some_of_its_passes(stemscan: Stemscan, plan: str) -> None:
    options = ["--specimen", SPECIMEN, "--stop-when", "passes=2", "--json"]
    told = json.loads(stemscan("acquire", plan, "-o", "a.zarr", *options).out)
    assert told["stopped"]["passes"] == 2
    assert told["stopped"]["reason"] == "passes: an end after 2 was asked for"


def test_a_lagging_beam(stemscan: Stemscan, plan: str) -> None:
    assert stemscan("acquire", plan, "-o", "a.zarr", "--specimen", SPECIMEN, "--coil-tau", "5us").code == 0
    assert stemscan("simulate", plan, SPECIMEN, "-o", "s.zarr", "--coil-tau", "5us").code == 0
    acquired, simulated = Acquisition.open("a.zarr"), Acquisition.open("s.zarr")
    assert acquired.digest() == simulated.digest()
    assert acquired.actual() is not None


@pytest.mark.parametrize("suffix", ["npy", "tif", "zarr"])
def test_an_image_at_the_end_is_that_of_recon(stemscan: Stemscan, plan: str, suffix: str) -> None:
    image = f"now.{suffix}"
    done = stemscan("acquire", plan, "-o", "a.zarr", "--specimen", SPECIMEN, "--image", image, "--json")
    told = json.loads(done.out)
    assert told["image"] == image
    assert told["image_seconds"] > 0
    assert stemscan("recon", "a.zarr", "-o", f"then.{suffix}", "--method", "fshnet").code == 0
    if suffix == "zarr":
        np.testing.assert_array_equal(read_reconstruction(image).image, read_reconstruction("then.zarr").image)
    elif suffix == "npy":
        np.testing.assert_array_equal(np.load(image), np.load("then.npy"))
    else:
        assert Path(image).is_file()


def test_an_image_of_a_scan_that_a_rule_ended(stemscan: Stemscan, plan: str) -> None:
    options = ["--specimen", SPECIMEN, "--stop-when", "psnr-gain=20dB", "--image", "a.npy"]
    done = stemscan("acquire", plan, "-o", "a.zarr", *options)
    assert done.code == 0, done.err
    assert "a.npy" in done.out
    assert np.isfinite(np.load("a.npy")).all()


def test_an_image_that_cannot_be_written_is_refused_before_the_scan(stemscan: Stemscan, plan: str) -> None:
    Path("there.npy").write_text("mine", encoding="utf-8")
    for image in ("there.npy", "a.jpg", "missing/a.npy", "a.zarr"):
        done = stemscan("acquire", plan, "-o", "a.zarr", "--specimen", SPECIMEN, "--image", image)
        assert done.code in (1, 2)
        assert done.err.startswith("error: ")
        assert not Path("a.zarr").exists()
    assert Path("there.npy").read_text(encoding="utf-8") == "mine"


def test_a_lagging_beam_that_waits(stemscan: Stemscan, plan: str) -> None:
    waits = ("--coil-tau", "5us", "--profile", "obi")
    done = stemscan("acquire", plan, "-o", "a.zarr", "--specimen", SPECIMEN, *waits, "--json")
    assert json.loads(done.out)["ledger"]["settle"]["time_ns"] > 0
    assert stemscan("simulate", plan, SPECIMEN, "-o", "s.zarr", *waits).code == 0
    assert stemscan("simulate", plan, SPECIMEN, "-o", "hasty.zarr", *waits[:2]).code == 0
    acquired, simulated, hasty = (Acquisition.open(name) for name in ("a.zarr", "s.zarr", "hasty.zarr"))
    assert acquired.digest() == simulated.digest() != hasty.digest()
    told = stemscan("info", "s.zarr").out
    assert "5000 ns, after the waits of a profile" in told
    assert "commanded and actual" in told


def test_a_replay_is_known_for_what_it_is(stemscan: Stemscan, plan: str) -> None:
    options = ("--noise", "eq5", "--seed", "9", "--coil-tau", "5us", "--profile", "obi")
    assert stemscan("simulate", plan, SPECIMEN, "-o", "s.zarr", *options).code == 0
    assert stemscan("acquire", plan, "-o", "a.zarr", "--controller", "replay:s.zarr").code == 0
    played, simulated = Acquisition.open("a.zarr"), Acquisition.open("s.zarr")
    assert played.digest() == simulated.digest()
    assert (played.noise, played.seed, played.coil_tau_ns) == ("eq5", 9, 5000)
    assert played.coil_waits == simulated.coil_waits


@pytest.mark.parametrize("fault", ["lose", "hang"])
def test_a_device_that_loses_readings_gives_a_right_store_or_says_so(
    stemscan: Stemscan, plan: str, monkeypatch: pytest.MonkeyPatch, fault: ReadingFault
) -> None:
    monkeypatch.setattr(link, "_SILENCE_S", 0.1)
    monkeypatch.setattr(chunks, "LARGEST_CHUNK", 300)
    scan, profile = ScanPlan.load(plan), load_profile("obi")
    specimen = load_specimen(SPECIMEN, scan.shape, pixel_size_nm=scan.pixel_size_nm)
    assert stemscan("simulate", plan, SPECIMEN, "-o", "s.zarr", "--seed", "3", "-q").code == 0
    for every, code in ((40, 1), (1500, 0)):
        device = FaultyObiDevice(scan, profile, specimen, seed=3, faults=[fault], every=every)
        served = Served(device=device)
        try:
            where = f"obi://127.0.0.1:{served.port}"
            done = stemscan(
                "acquire", plan, "-o", "a.zarr", "--controller", where, "--timeout", "9s", "--resume", "--json"
            )
        finally:
            served.stop()
        assert done.code == code, done.err
        if code:
            assert "error: expected the Open Beam Interface at" in done.err
            assert (
                "got no proof in 4 tries; see that nothing else loads this computer or its link, and resume" in done.err
            )
            assert "the last try: expected" in done.err
        else:
            assert json.loads(done.out)["times_unproven"] >= 1
            assert json.loads(done.out)["ledger"]["times_exposed_again"] >= 1
    np.testing.assert_array_equal(Acquisition.open("a.zarr").counts(), Acquisition.open("s.zarr").counts())
    assert "times in all" in stemscan("info", "a.zarr").out


BAD = [
    (["--controller", "foo"], 2, "virtual"),
    (["--controller", "obi://127.0.0.1:1"], 1, "127.0.0.1:1"),
    (["--controller", "obi://127.0.0.1:1", "--timeout", "inf"], 2, "--timeout: expected a time with a unit"),
    (["--controller", "obi://127.0.0.1"], 2, "PORT"),
    (["--controller", "replay:none.zarr"], 2, "none.zarr"),
    ([], 2, "--specimen"),
    (["--specimen", SPECIMEN, "--stop-when", "psnr=3"], 2, "psnr-gain"),
    (["--specimen", SPECIMEN, "--stop-when", "psnr-gain=-1dB"], 2, "above 0"),
    (["--specimen", SPECIMEN, "--stop-when", "passes=0"], 2, "--stop-when passes: expected at least 1 pass, got 0"),
    (
        ["--specimen", SPECIMEN, "--stop-when", "passes=two"],
        2,
        "expected a whole number, got 'two'; give one",
    ),
    (
        ["--specimen", SPECIMEN, "--stop-when", "passes=99"],
        2,
        "at most the plan's 5 passes, got 99; plan more",
    ),
    (["--specimen", SPECIMEN, "--stop-when", "max-dose=0.001"], 2, "at least one pass"),
    (["--controller", "replay:x.zarr", "--profile", "obi"], 2, "--profile"),
    (["--specimen", SPECIMEN, "--profile", "none"], 2, "expected a controller profile of"),
    (["--specimen", SPECIMEN, "--round-dwell"], 2, "--round-dwell"),
    (["--controller", "replay:x.zarr", "--seed", "1"], 2, "--seed"),
    (["--controller", "obi://h:1", "--detector", "1"], 2, "GAIN,OFFSET"),
    (["--controller", "obi://h:1", "--coil-tau", "1000s"], 2, "dwell longer"),
    (["--specimen", SPECIMEN, "--resume", "--overwrite"], 2, "keep one"),
    (["--specimen", SPECIMEN, "--seed", "-1"], 2, "--seed"),
    (["--specimen", SPECIMEN, "--timeout", "0s"], 2, "--timeout: expected a time above zero, got '0s'"),
    (["--specimen", SPECIMEN, "--timeout", "12"], 2, "write it like 12s or 500ms"),
    (
        ["--specimen", SPECIMEN, "--timeout", "1e12s"],
        2,
        "--timeout: expected a stall timeout above 0 s and at most 1e+09 s",
    ),
    (["--specimen", SPECIMEN, "--controller", "virtual:x"], 2, "expected virtual, obi"),
    (["--controller", "replay:"], 2, "expected virtual, obi"),
    (["--specimen", SPECIMEN, "--stop-when", "max-dose=50dB"], 2, "--stop-when max-dose: expected a dose in e-/A^2"),
    (["--specimen", SPECIMEN, "--stop-when", "psnr-gain=1e-/A^2"], 2, "--stop-when psnr-gain: expected a number of"),
    (["--specimen", SPECIMEN, "--stop-when", "max-dose=2_0"], 2, "--stop-when max-dose"),
]


def test_a_replay_is_the_same_store_and_never_its_own_source(stemscan: Stemscan, plan: str) -> None:
    options = ["--specimen", SPECIMEN, "--noise", "eq5", "--coil-tau", "2us", "--stop-when", "max-dose=3000e-/nm^2"]
    assert stemscan("acquire", plan, "-o", "a.zarr", *options, "-q").code == 0
    assert stemscan("acquire", plan, "-o", "r.zarr", "--controller", "replay:a.zarr", "-q").code == 0
    told = [json.loads(stemscan("info", name, "--json").out) for name in ("a.zarr", "r.zarr")]
    for one in told:
        del one["history"]
    assert told[0] == told[1]
    assert told[0]["stopped"]["passes"] == 2
    assert told[0]["ledger"]["dwell"]["time_ns"] == 2 * 256 * 3 * 1000
    assert Acquisition.open("a.zarr").digest() == Acquisition.open("r.zarr").digest()
    people = stemscan("info", "r.zarr").out
    assert "dwell            1.536 ms, 1.536e+04 e- incident" in people
    assert "stopped          after 2 of 5 passes: max-dose:" in people
    itself = stemscan("acquire", plan, "-o", "a.zarr", "--controller", "replay:a.zarr", "--overwrite")
    assert (itself.code, "another output" in itself.err) == (2, True)
    assert Acquisition.open("a.zarr").digest() == Acquisition.open("r.zarr").digest()


def test_rules_of_a_single_pass_are_told_to_be_idle(stemscan: Stemscan) -> None:
    assert (
        stemscan("plan", "-o", "one.yaml", "--shape", "64x64", "--pixel-size", "0.02nm", "--passes", "1", "-q").code
        == 0
    )
    done = stemscan("acquire", "one.yaml", "-o", "a.zarr", "--specimen", SPECIMEN, "--stop-when", "psnr-gain=1dB")
    assert (done.code, done.err.count("\n")) == (0, 1)
    assert "between passes, and the plan has one pass" in done.err


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=[" ".join(arguments) for arguments, _, _ in BAD])
def test_bad_use_is_one_sentence(stemscan: Stemscan, plan: str, arguments: list[str], code: int, words: str) -> None:
    before = sorted(Path().iterdir())
    done = stemscan("acquire", plan, "-o", "a.zarr", *arguments)
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert sorted(Path().iterdir()) == before


def test_the_virtual_controller_takes_what_simulate_takes(stemscan: Stemscan) -> None:
    assert stemscan("plan", "-o", "p.yaml", "--shape", "48x48", "--pixel-size", "0.02nm", "-q").code == 0
    tifffile.imwrite(
        "s.tif", np.random.default_rng(1).integers(0, 200, (3, 60, 50), np.uint16), photometric="minisblack"
    )
    picture = ["--fit", "crop", "--range", "1%,99%", "--smooth", "paper", "--median", "2", "--frame", "1"]
    options = [*picture, "--noise", "eq5", "--seed", "4", "--coil-tau", "2us", "--profile", "obi"]
    simulated = stemscan("simulate", "p.yaml", "s.tif", "-o", "s.zarr", *options)
    acquired = stemscan("acquire", "p.yaml", "-o", "a.zarr", "--specimen", "s.tif", *options)
    assert (simulated.code, acquired.code) == (0, 0), acquired.err
    assert contents(Path("s.zarr")) == contents(Path("a.zarr"))
    assert simulated.err == acquired.err
    helps = [stemscan(command, "--help").out for command in ("simulate", "acquire")]
    flags = [option for option in options if option.startswith("--")]
    assert all(flag in text for flag in flags for text in helps)


DRIFTS = """
version: 1
name: drifts
stage_drift: {polynomial_nm: [[5.2, -2.6]]}
"""


def test_drift_is_followed(stemscan: Stemscan) -> None:
    options = ["--shape", "192x192", "--per-block", "6", "--passes", "4", "--pixel-size", "0.01nm", "--dwell", "100us"]
    assert stemscan("plan", "-o", "plan.yaml", *options, "-q").code == 0
    Path("drifts.yaml").write_text(DRIFTS)
    scan = ["acquire", "plan.yaml", "--specimen", SPECIMEN, "--instrument", "drifts.yaml"]
    done = stemscan(*scan, "-o", "a.zarr", "--follow-drift")
    assert done.code == 0, done.err
    assert "field moved" in done.out
    assert "1 time" in done.out or "2 times" in done.out
    assert not done.err
    store = Acquisition.open("a.zarr")
    assert store.field_offsets[-1][0] < -5
    assert store.field_offsets[-1][1] > 2
    assert "field moved" in stemscan("info", "a.zarr").out
    clamped = stemscan(*scan, "-o", "b.zarr", "--follow-drift", "--follow-limit", "0.03nm")
    assert "was moved less than the drift asked for" in clamped.err
    assert abs(Acquisition.open("b.zarr").field_offsets).max() == 3.0


def test_a_field_without_room_is_said_before_the_scan(stemscan: Stemscan, plan: str) -> None:
    scan = ScanPlan.load(plan)
    specimen = load_specimen(SPECIMEN, scan.shape, pixel_size_nm=scan.pixel_size_nm)
    served = Served(device=VirtualObiDevice(scan, load_profile("obi"), specimen, seed=3))
    try:
        place = f"obi://127.0.0.1:{served.port}"
        done = stemscan("acquire", plan, "-o", "a.zarr", "--controller", place, "--follow-drift")
    finally:
        served.stop()
    assert done.code == 0, done.err
    assert "can move its field by 0 rows and 0 columns" in done.err
    assert "grid.margin" in done.err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--follow-limit", "3nm"), "--follow-drift beside it"),
        (("--follow-drift", "--follow-limit", "3"), "a length with a unit"),
        (("--follow-drift", "--follow-limit", "xpx"), "such as 5nm or 100px"),
        (("--follow-drift", "--follow-limit", "-3px"), "above 0 px"),
    ],
)
def test_bad_uses_of_following(stemscan: Stemscan, plan: str, more: tuple[str, ...], says: str) -> None:
    done = stemscan("acquire", plan, "-o", "a.zarr", "--specimen", SPECIMEN, *more)
    assert (done.code, says in done.err) == (2, True), done.err
    assert not Path("a.zarr").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "8000"], "--port: expected --watch beside it, got it alone"),
        (["--allow-remote"], "--allow-remote: expected --watch beside it, got it alone"),
        (["--watch", "--host", "0.0.0.0"], "--host: expected a loopback address"),
        (["--watch", "--port", "-1"], "--port: expected 0 to 65535, got -1"),
        (["--watch", "--host", "192.0.2.1", "--allow-remote"], "choose others by --host and --port"),
    ],
)
def test_a_page_that_cannot_be_is_refused_before_the_beam(
    stemscan: Stemscan, plan: str, options: list[str], words: str
) -> None:
    done = stemscan("acquire", plan, "-o", "a.zarr", "--specimen", SPECIMEN, *options)
    assert done.code == 2
    assert words in done.err
    assert not Path("a.zarr").exists()


def test_a_watched_scan_is_the_same_scan(stemscan: Stemscan, plan: str) -> None:
    for name, options in (("a.zarr", []), ("b.zarr", ["--watch"])):
        done = stemscan("acquire", plan, "-o", name, "--specimen", SPECIMEN, "--seed", "3", *options)
        assert done.code == 0, done.err
    assert done.err.startswith("watch: http://127.0.0.1:")
    assert contents(Path("a.zarr")) == contents(Path("b.zarr"))
