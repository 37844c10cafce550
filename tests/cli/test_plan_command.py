"""`stemscan plan`, `stemscan info PLAN`, and how the command line fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stemscan import __version__
from stemscan.plan.dose import Limits
from stemscan.plan.patterns.block_random import BlockRandom
from stemscan.plan.scan_plan import ScanPlan
from tests.cli.conftest import Stemscan


def test_defaults_are_the_contract(stemscan: Stemscan) -> None:
    done = stemscan("plan", "-o", "plan.yaml")
    assert done.code == 0
    assert done.err == ""
    plan = ScanPlan.load("plan.yaml")
    assert plan.to_dict() == {
        "version": 1,
        "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
        "shape": [1024, 1024],
        "passes": 4,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 10},
        "seed": 7,
    }
    assert done.out.splitlines()[1].split(maxsplit=2)[2].startswith("assumes collection 1, the default")
    for words in ("196,608", "4.688 %", "unknown (no pixel size)", "1.602 pA", plan.digest()):
        assert words in done.out


def test_every_option(stemscan: Stemscan) -> None:
    done = stemscan(
        *("plan", "-o", "plan.yaml", "--pattern", "uniform", "--ratio", 0.1, "--shape", "64x32", "--passes", 3),
        *("--repeat", "exclusive", "--order", "raster", "--dwell", "2us", "--current", "3pA", "--collection", 0.5),
        *("--pixel-size", "0.2A", "--seed", 9, "--max-dose", 1e6, "--json"),
    )
    assert done.code == 0
    report = json.loads(done.out)
    plan = ScanPlan.load("plan.yaml")
    assert report["digest"] == plan.digest()
    assert report["total_samples"] == plan.total_samples == 3 * 205
    assert report["dose_e_per_A2"] == pytest.approx(plan.dose_e_per_A2)
    assert (plan.order.kind, plan.repeat, plan.pixel_size_nm) == ("raster", "exclusive", 0.02)


def test_line_hop_and_total_dose(stemscan: Stemscan) -> None:
    options = ("--pattern", "line-hop", "--height", 4, "--shape", "8x8", "--total-dose", 640)
    assert stemscan("plan", "-o", "plan.yaml", *options, "--quiet").out == ""
    assert ScanPlan.load("plan.yaml").electrons_per_sample == pytest.approx(10)


# Wrong use, and what the one sentence must say.
WRONG = [
    (["plan"], "add -o"),
    (["plan", "-o", "p.yaml", "--passes", "300"], "256"),
    (["plan", "-o", "p.yaml", "--passes", "x"], "--passes"),
    (["plan", "-o", "p.yaml", "--pattern", "snail"], "--pattern: expected one of block-random"),
    (["plan", "-o", "p.yaml", "--pattern", "uniform"], "--ratio"),
    (["plan", "-o", "p.yaml", "--pattern", "raster", "--per-block", "3"], "--per-block"),
    (["plan", "-o", "p.yaml", "--order", "zigzag"], "zigzag"),
    (["plan", "-o", "p.yaml", "--dwell", "1"], "unit"),
    (["plan", "-o", "p.yaml", "--dose", "1", "--current", "1pA"], "keep one"),
    (["plan", "-o", "p.yaml", "--dose", "nan"], "dose.electrons_per_sample"),
    (["plan", "-o", "p.yaml", "--dose", "most"], "a number of electrons or max"),
    (["plan", "-o", "p.yaml", "--dose", "max"], "--max-dose"),
    (["plan", "-o", "p.yaml", "--dose", "max", "--max-dose", "9"], "pixel_size_nm"),
    (["plan", "-o", "p.yaml", "--dose", "max", "--max-dose", "9", "--total-dose", "9"], "keep one"),
    (["plan", "-o", "p.yaml", "--dose", "max", "--max-dose", "9", "--current", "1pA", "--dwell", "1us"], "--dwell"),
    (["plan", "-o", "p.yaml", "--shape", "big"], "1024x1024"),
    (["plan", "-o", "p.yaml", "--max-dose", "1"], "pixel_size_nm"),
    (["plan", "-o", "nowhere/p.yaml"], "'nowhere', which does not exist"),
    (["plan", "nonsense"], "nonsense"),
    (["--frobnicate"], "--frobnicate"),
    (["frobnicate"], "frobnicate"),
    (["info", "nothing"], "'nothing', which does not exist"),
    (["info"], "PATH"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[" ".join(arguments)[:60] for arguments, _ in WRONG])
def test_wrong_use_is_one_sentence_and_code_2(stemscan: Stemscan, arguments: list[str], words: str) -> None:
    done = stemscan(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert list(Path().iterdir()) == []


def test_refused_dose_is_code_1_and_writes_nothing(stemscan: Stemscan) -> None:
    done = stemscan("plan", "-o", "p.yaml", "--pixel-size", "0.01nm", "--max-dose", 100)
    assert done.code == 1
    assert "expected at most 100 e-/A^2, got a plan of 187.5" in done.err
    assert list(Path().iterdir()) == []


def test_all_the_dose_that_is_allowed(stemscan: Stemscan) -> None:
    limit = ("--shape", "72x40", "--pixel-size", "0.013nm", "--max-dose", 200)
    done = stemscan("plan", "-o", "p.yaml", *limit, "--dose", "max", "--collection", 0.3)
    assert done.code == 0
    first = done.out.splitlines()[1]
    assert "collection 0.3" in first
    assert "default 1" in first
    plan = ScanPlan.load("p.yaml")
    assert plan.dose_e_per_A2 is not None
    assert 200 * (1 - 1e-14) <= plan.dose_e_per_A2 <= 200
    assert plan.limits.max_dose_e_per_A2 == 200
    assert stemscan("plan", "-o", "c.yaml", *limit, "--dose", "max", "--current", "3pA").code == 0
    by_current = ScanPlan.load("c.yaml")
    assert by_current.dose.probe_current_pa == 3
    longer = by_current.replace(dwell_ns=by_current.dwell_ns + 1, limits=Limits())
    assert (by_current.dose_e_per_A2 or 0) <= 200 < (longer.dose_e_per_A2 or 0)


def test_a_refusal_says_what_would_be_allowed(stemscan: Stemscan) -> None:
    limit = ("-o", "p.yaml", "--shape", "64x64", "--pixel-size", "0.013nm", "--max-dose", 20)
    for option, pattern in (
        ("--dose", r"at most (\S+) electrons_per_sample"),
        ("--total-dose", r"at most (\S+) total_electrons"),
        ("--current", r"at most (\S+) probe_current_pa"),
    ):
        unit = "pA" if option == "--current" else ""
        done = stemscan("plan", *limit, option, f"99999{unit}", "--overwrite")
        assert done.code == 1
        found = re.search(pattern, done.err)
        assert found is not None
        assert stemscan("plan", *limit, option, found[1] + unit, "--overwrite", "--quiet").code == 0
        assert (ScanPlan.load("p.yaml").dose_e_per_A2 or 0) > 20 * (1 - 1e-5)


def test_overwriting_is_asked_for(stemscan: Stemscan) -> None:
    Path("plan.yaml").write_text("precious")
    assert stemscan("plan", "-o", "plan.yaml").code == 2
    assert Path("plan.yaml").read_text() == "precious"
    assert stemscan("plan", "-o", "plan.yaml", "--overwrite", "--quiet").code == 0
    assert ScanPlan.load("plan.yaml").passes == 4


def test_info_on_a_plan(stemscan: Stemscan) -> None:
    stemscan("plan", "-o", "plan.yaml", "--shape", "64x64")
    done = stemscan("info", "plan.yaml")
    assert done.code == 0
    assert "block-random" in done.out
    report = json.loads(stemscan("info", "plan.yaml", "--json").out)
    assert report["type"] == "plan"
    assert report["plan"] == ScanPlan.load("plan.yaml").to_dict()


def test_info_on_a_broken_plan(stemscan: Stemscan) -> None:
    Path("plan.yaml").write_text("version: 1\npasses: [")
    done = stemscan("info", "plan.yaml")
    assert done.code == 1
    assert done.err.startswith("error: plan.yaml: expected YAML")


def test_info_on_an_image(stemscan: Stemscan) -> None:
    for name in ("image.tif", "image.png"):
        Path(name).write_bytes(b"II*")
        done = stemscan("info", name)
        assert done.code == 1
        assert f"got {name!r}" in done.err
        assert done.err.count("\n") == 1


def test_info_on_bare_numbers(stemscan: Stemscan) -> None:
    Path("image.npy").write_bytes(b"\x93NUMPY\x01\x00")
    done = stemscan("info", "image.npy")
    assert done.code == 1
    assert "image.npy: expected a numpy array (.npy), got a damaged or shortened file" in done.err
    assert done.err.count("\n") == 1


def test_no_arguments_shows_help(stemscan: Stemscan) -> None:
    done = stemscan()
    assert done.code == 2
    assert "simulate" in done.out


@pytest.mark.parametrize(
    "arguments", [["--help"], ["plan", "--help"], ["simulate", "-h"], ["weights", "import", "--help"]]
)
def test_help(stemscan: Stemscan, arguments: list[str]) -> None:
    done = stemscan(*arguments)
    assert done.code == 0
    assert "Usage: stemscan" in done.out


def test_module_and_version() -> None:
    done = subprocess.run([sys.executable, "-m", "stemscan", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"stemscan {__version__}\n"


def test_closed_stdout_is_no_error(stemscan: Stemscan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "16x16").code == 0
    assert Path("plan.yaml").exists()


def test_an_interrupted_command_leaves_without_tidying() -> None:
    tidying = "import atexit, stemscan.cli.main as main; atexit.register(print, 'tidying'); "
    for code, said in ((130, ""), (1, "tidying\n")):
        program = tidying + f"main._run = lambda arguments: {code}; main.run([])"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (code, said, "")


@pytest.mark.parametrize("command", [["weights"], ["recon"], ["recon", "--colour"], ["info"], ["paint"]])
def test_what_the_parser_refuses_tells_where_to_read_on(stemscan: Stemscan, command: list[str]) -> None:
    done = stemscan(*command)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert any(advice in done.err for advice in (" --help\n", "; write for example stemscan ", "did you mean"))


def test_what_the_system_refuses_is_told_in_words(stemscan: Stemscan) -> None:
    done = stemscan("plan", "-o", "x" * 300)
    assert done.code == 1
    assert done.err.startswith("error: expected to open 'xxx")
    assert "Errno" not in done.err


WISH = ("plan", "-o", "p.yaml", "--shape", "256x256", "--pixel-size", "10pm", "--on", "crystal:SrTiO3[001]")


def test_a_wish(stemscan: Stemscan) -> None:
    """The plan of the file reaches what was wished for, for the weakest class."""
    done = stemscan(*WISH, "--want", "6pm", "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)["wish"]
    assert report["class"] == "O"
    assert 0.0055 < report["position_nm"] <= 0.006
    assert {one["class"] for one in report["classes"]} == {"Sr", "TiO", "O"}
    assert all(one["surely_found"] for one in report["classes"])
    assert ScanPlan.load("p.yaml").pattern == BlockRandom(block=8, samples_per_block=3)
    by_class = stemscan(*WISH, "--want", "6pm", "--class", "TiO", "--overwrite", "--dose", 10)
    assert by_class.code == 0
    assert "per axis for TiO of crystal:SrTiO3[001]" in by_class.out
    assert "too weak to be found surely" in by_class.out
    plan = ScanPlan.load("p.yaml")
    assert plan.electrons_per_sample == 10
    assert plan.sampling_ratio > 3 / 64


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        (["--want", "5pm", "--class", "Ti"], "a class of columns out of Sr, TiO, O, got 'Ti'", 2),
        (["--want", "5pm", "--max-dose", "200"], "200 reach", 1),
        (["--want", "5pm", "--dose", "max", "--max-dose", "200"], "leave that out", 2),
        (["--want", "5pm", "--total-dose", "1e6"], "leave that out", 2),
        (["--want", "5pm", "--dose", "1", "--per-block", "3", "--passes", "4"], "leave one out", 2),
        (["--want", "5"], "unit", 2),
        (["--class", "Sr"], "--want", 2),
        ([], "--on: expected --want beside it", 2),
    ],
)
def test_wishes_that_are_refused(stemscan: Stemscan, options: list[str], words: str, code: int) -> None:
    done = stemscan(*WISH, *options)
    assert done.code == code
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not Path("p.yaml").exists()


def test_a_wish_needs_columns_and_a_pixel_size(stemscan: Stemscan) -> None:
    np.save("image.npy", np.random.default_rng(1).random((64, 64)))
    size = ("plan", "-o", "p.yaml", "--shape", "64x64")
    assert "--on" in stemscan(*size, "--pixel-size", "10pm", "--want", "5pm").err
    assert "--pixel-size" in stemscan(*size, "--on", "crystal:Si", "--want", "5pm").err
    done = stemscan(*size, "--pixel-size", "10pm", "--want", "5pm", "--on", "image.npy")
    assert done.code == 2
    assert "knows its columns" in done.err
