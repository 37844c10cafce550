"""Synthetic specimens as a whole: determinism, variety, any shape, what is recorded, and how they are named."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from stemscan.errors import SpecimenError, UsageError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import load_specimen, sampled_frames, synthetic_specimen
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.simulators.specimens.synthetic.materials import SPACING
from stemscan.simulators.specimens.synthetic.scenes import KINDS

MANY = 400
SMALL = (12, 14)

GOLDEN = {
    ("boundary", "tilt"): (0, "27370680341c3b0f"),
    ("single crystal", ""): (1, "d0f8f1af2ae2f1e6"),
    ("interface", "superlattice"): (5, "ae0e54b884e8f1b0"),
    ("boundary", "twin"): (8, "4ade46ba1d12da30"),
    ("sheet", ""): (9, "fe413be2c0df86d1"),
    ("interface", "crystals"): (14, "396d86a57bf31302"),
    ("interface", "slabs"): (15, "4000ec64f08b739b"),
    ("particle", ""): (18, "3902d78b278b217e"),
    ("boundary", "domain"): (22, "a789817813710b15"),
    ("amorphous", ""): (23, "b060d9903e5ce430"),
    ("boundary", "polycrystal"): (42, "98b85a64d86b4afa"),
}


def choices_of(specimen: Specimen) -> dict[str, Any]:
    choices: dict[str, Any] = specimen.record["steps"][0]["choices"]
    return choices


@pytest.fixture(scope="module")
def many() -> list[Specimen]:
    return [synthetic_specimen(SMALL, seed=3, index=index) for index in range(MANY)]


@pytest.mark.parametrize(("what", "expected"), GOLDEN.items())
def test_every_kind_and_variant_stays_as_it_was(what: tuple[str, str], expected: tuple[int, str]) -> None:
    index, digest = expected
    specimen = synthetic_specimen((48, 40), seed=7, index=index)
    choices = choices_of(specimen)
    assert (choices["kind"], choices.get("boundary", choices.get("interface", ""))) == what
    assert specimen.sha256.startswith(digest)


def test_neither_order_nor_thread_matters(many: list[Specimen]) -> None:
    with ThreadPoolExecutor(2) as pool:
        again = list(pool.map(lambda n: synthetic_specimen(SMALL, seed=3, index=n).sha256, range(59, -1, -1)))
    assert again[::-1] == [specimen.sha256 for specimen in many[:60]]


def test_another_process_draws_the_same(many: list[Specimen]) -> None:
    code = (
        "from stemscan.simulators.api import synthetic_specimen as s\n"
        f"print(*(s({SMALL}, seed=3, index=n).sha256 for n in range(20, 30)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [specimen.sha256 for specimen in many[20:30]]


def test_seeds_and_indices_give_different_specimens(many: list[Specimen]) -> None:
    last = 2**64 - 1
    others = [
        synthetic_specimen(SMALL, seed=s, index=i).sha256 for s, i in ((4, 0), (last, 0), (0, last), (last, last))
    ]
    assert len({specimen.sha256 for specimen in many} | set(others)) == MANY + 4


def test_kinds_come_in_their_shares(many: list[Specimen]) -> None:
    assert sum(share for share, _ in KINDS.values()) == pytest.approx(1)
    kinds = [choices_of(specimen)["kind"] for specimen in many]
    for kind, (share, _) in KINDS.items():
        deviation = np.sqrt(share * (1 - share) * MANY)
        assert kinds.count(kind) > 0
        assert abs(kinds.count(kind) - share * MANY) < 3.5 * deviation, kind


def test_choices_stay_in_their_ranges(many: list[Specimen]) -> None:
    chosen = [choices_of(specimen) for specimen in many]
    inverted = np.mean([one["inverted"] for one in chosen])
    assert abs(inverted - 0.2) < 3.5 * np.sqrt(0.16 / MANY)
    for name, low, high in (("gamma", 1.4, 2.0), ("spacing", *SPACING), ("probe.fwhm_nm", 0.07, 0.16)):
        values = np.array([one[name] for one in chosen])
        assert low <= values.min() < low + 0.1 * (high - low), name
        assert high - 0.1 * (high - low) < values.max() <= high, name
    assert {"vacancies", "dopants", "ordered"} <= {name.split(".")[-1] for one in chosen for name in one}
    assert not any(specimen.warnings for specimen in many)


def test_inverted_ones_are_bright() -> None:
    specimens = [synthetic_specimen((32, 32), seed=11, index=index) for index in range(80)]
    mean = {flag: [float(s.signal.mean()) for s in specimens if choices_of(s)["inverted"] == flag] for flag in (0, 1)}
    assert np.mean(mean[1]) > np.mean(mean[0]) + 0.2


def test_signals_are_pictures_in_the_unit_range(many: list[Specimen]) -> None:
    for specimen in many:
        assert specimen.signal.dtype == np.float32
        assert np.isfinite(specimen.signal).all()
        assert 0 <= specimen.signal.min() < specimen.signal.max() <= 1
        np.testing.assert_array_equal(specimen.signal * 2**16 % 1, 0)


def test_no_two_names_of_choices_share_their_random_words(many: list[Specimen]) -> None:
    names = {name for specimen in many for name in choices_of(specimen)}
    assert len(names) > 300
    assert len({zlib.crc32(name.encode()) for name in names}) == len(names)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (48, 1000), (413, 469)])
def test_any_shape(shape: tuple[int, int]) -> None:
    for index in (GOLDEN["particle", ""][0], GOLDEN["amorphous", ""][0], GOLDEN["interface", "slabs"][0], 1, 42):
        specimen = synthetic_specimen(shape, seed=7, index=index)
        assert specimen.shape == shape
        assert np.isfinite(specimen.signal).all()


def test_a_larger_field_shows_the_same_crystal() -> None:
    """Choices are the same, and so is the middle but for brightness where nothing depends on the field's size."""
    compared = 0
    for index in range(60):
        small, large = (synthetic_specimen((n, n), seed=21, index=index) for n in (64, 128))
        assert choices_of(small) == choices_of(large)
        choices = choices_of(small)
        if choices["kind"] != "single crystal" or choices["wedge"] or choices["dislocations"] or choices["step"]:
            continue
        compared += 1
        middle = large.signal[32:96, 32:96]
        assert np.corrcoef(middle.ravel(), small.signal.ravel())[0, 1] > 0.97
    assert compared >= 3


def test_the_record_is_json_and_gives_the_specimen_back(many: list[Specimen]) -> None:
    for specimen in many[:40]:
        step = json.loads(json.dumps(specimen.record))["steps"][0]
        assert step == specimen.record["steps"][0]
        shape = (step["shape"][0], step["shape"][1])
        again = synthetic_specimen(shape, seed=step["seed"], index=step["index"])
        assert (again.sha256, again.name, again.record) == (specimen.sha256, specimen.name, specimen.record)
        assert again.pixel_size_nm == specimen.pixel_size_nm == step["pixel_size_nm"]


def test_a_given_pixel_size_sets_the_scale() -> None:
    spacings = []
    for index in range(12):
        specimen = synthetic_specimen((32, 32), seed=5, index=index, pixel_size_nm=0.02)
        assert specimen.pixel_size_nm == 0.02
        assert specimen.record["steps"][0]["pixel_size_from"] == "plan"
        spacings.append(specimen.warnings)
    assert not any(spacings)
    coarse = synthetic_specimen((32, 32), seed=5, index=0, pixel_size_nm=0.09)
    assert "outside 6 to 40" in coarse.warnings[0]
    for size in (0.0005, 0.2, 0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match=r"pixel size of 0.001 to 0.1 nm .*, got"):
            synthetic_specimen((8, 8), seed=5, index=0, pixel_size_nm=size)


def test_specimens_are_named_and_loaded() -> None:
    made = synthetic_specimen((24, 30), seed=7, index=3, pixel_size_nm=0.02)
    loaded = load_specimen("synthetic:7/3", (24, 30), pixel_size_nm=0.02)
    assert (loaded.name, loaded.sha256, loaded.record) == ("synthetic:7/3", made.sha256, made.record)


@pytest.mark.parametrize("spec", ["", "7", "7/", "/3", "a/b", "7/3/1", "-7/3", "1.5/2", "7/x", "٣/1"])
def test_bad_names_are_one_sentence(spec: str) -> None:
    with pytest.raises(SpecimenError, match=r"expected synthetic:SEED/INDEX .*, got .*for example synthetic:1/0$"):
        load_specimen(f"synthetic:{spec}", (8, 8))


@pytest.mark.parametrize("spec", ["18446744073709551616/0", "0/18446744073709551616"])
def test_numbers_beyond_64_bits_are_refused(spec: str) -> None:
    with pytest.raises(UsageError, match=r"from 0 to 2\*\*64 - 1 .*, got 18446744073709551616"):
        load_specimen(f"synthetic:{spec}", (8, 8))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UsageError, match=r"seed from 0 .*got -1"):
        synthetic_specimen((8, 8), seed=-1, index=0)
    with pytest.raises(UsageError, match="at least 1 x 1, got 0 x 8"):
        synthetic_specimen((0, 8), seed=1, index=0)
    with pytest.raises(UsageError, match="no range, smooth or frame with synthetic:1/0"):
        load_specimen("synthetic:1/0", (8, 8), smooth="paper")


def test_it_can_be_scanned() -> None:
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [32, 32],
            "passes": 2,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "seed": 7,
        }
    )
    frames, visits = sampled_frames(synthetic_specimen((32, 32), seed=1, index=0).signal, plan, seed=1)
    assert frames.sum() > 0
    assert (frames[visits == 0] == 0).all()
