"""Plans: validation, forms, digest, dose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import DoseLimitError, InputNotFoundError, OutputExistsError, PlanError, StemscanError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans

TEXT = """\
version: 1
pattern: {kind: block-random, block: 8, samples_per_block: 3}
shape: [1024, 1024]          # rows, columns
passes: 4
order: {kind: serpentine-blocks}
dwell_ns: 1000
dose: {electrons_per_sample: 10, collection: 1.0}
pixel_size_nm: 0.01
seed: 7
limits: {max_dose_e_per_A2: 500}
"""

BASE: dict[str, Any] = {
    "pattern": {"kind": "raster"},
    "shape": [10, 20],
    "passes": 2,
    "dwell_ns": 1000,
    "dose": {"electrons_per_sample": 10},
    "seed": 0,
}

# The digest of a plan never changes: stores made by older releases are found again by it.
GOLDEN_DIGESTS = {
    "contract": (TEXT, "adc4d43a0f72412db7dd3fd0785a5cfee592e4335e2954c21438b226e3427494"),
    "uniform": (
        "{version: 1, pattern: {kind: uniform, ratio: 0.05}, shape: [64, 32], passes: 1, dwell_ns: 500, "
        "dose: {total_electrons: 1.0e+3}, seed: 18446744073709551615, repeat: exclusive}",
        "316e88d782d2f08c2c42a93aa1c4c3dbfb96986616ba4289f0f7032e906b818c",
    ),
    "line-hop": (
        "{version: 1, pattern: {kind: line-hop, height: 16}, shape: [64, 32], passes: 3, dwell_ns: 500, "
        "dose: {probe_current_pa: 12.5, collection: 0.3}, seed: 1, order: {kind: raster}}",
        "6c0697df2f8328fac9488c107bc7ec907bca32328888eb861e860ce787cecde5",
    ),
}


@pytest.mark.parametrize("name", GOLDEN_DIGESTS)
def test_digest_is_pinned(name: str) -> None:
    text, digest = GOLDEN_DIGESTS[name]
    assert ScanPlan.from_yaml(text).digest() == digest


def test_digest_ignores_defaults_and_spelling_of_numbers() -> None:
    spelled = TEXT.replace("order: {kind: serpentine-blocks}\n", "").replace("sample: 10,", "sample: 10.0,")
    spelled = spelled.replace(", collection: 1.0", "").replace(
        "shape: [1024, 1024]", "repeat: independent\nshape: [1024, 1024]"
    )
    assert ScanPlan.from_yaml(spelled).digest() == ScanPlan.from_yaml(TEXT).digest()


@pytest.mark.parametrize(
    ("old", "new"), [("seed: 7", "seed: 8"), ("passes: 4", "passes: 5"), ("serpentine-blocks", "random")]
)
def test_digest_tells_plans_apart(old: str, new: str) -> None:
    assert ScanPlan.from_yaml(TEXT.replace(old, new)).digest() != ScanPlan.from_yaml(TEXT).digest()


@given(plans())
@settings(max_examples=60, deadline=None)
def test_yaml_and_dict_round_trip(plan: ScanPlan) -> None:
    assert ScanPlan.from_yaml(plan.to_yaml()) == plan
    assert ScanPlan.from_dict(plan.to_dict()) == plan
    assert ScanPlan.from_yaml(plan.to_yaml()).digest() == plan.digest()


def test_plan_is_immutable() -> None:
    plan = ScanPlan.from_yaml(TEXT)
    with pytest.raises(PlanError, match=r"expected ScanPlan to stay as it is, got passes changed; make a"):
        plan.passes = 3


# Each bad file, and what the one sentence must name: key, value, expectation, line.
BAD = [
    ("block: 8", "blok: 8", ["pattern.blok (line 2)", "did you mean 'block'"]),
    ("passes: 4", "passes: 400", ["passes (line 4)", "256", "400"]),
    ("passes: 4", "passes: 0", ["passes (line 4)", "0"]),
    ("passes: 4", 'passes: "4"', ["passes (line 4)", "text"]),
    ("passes: 4", "passes: true", ["passes (line 4)", "True"]),
    ("passes: 4", "passes: .nan", ["passes (line 4)", "nan"]),
    ("sample: 10,", "sample: 1.0e3,", ["dose.electrons_per_sample (line 7)", "1.0e3", "YAML 1.1", "1000"]),
    ("sample: 10,", "sample: 1e-9,", ["YAML 1.1", "as 1.0e-09"]),
    ("sample: 10,", "sample: 1e999,", ["dose.electrons_per_sample (line 7)", "1e999"]),
    ("dwell_ns: 1000", "dwell_ns: 1e9", ["dwell_ns (line 6)", "YAML 1.1", "as 1000000000"]),
    ("seed: 7", "seed: " + "1" * 5000, ["at most 400 digits", "5000", "line 9"]),
    ("sample: 10,", "sample: -1,", ["dose.electrons_per_sample (line 7)", "greater than 0", "-1"]),
    ("sample: 10,", "sample: .inf,", ["dose.electrons_per_sample (line 7)", "finite"]),
    ("electrons_per_sample: 10, ", "", ["dose (line 7)", "exactly one of", "none"]),
    (
        "collection: 1.0",
        "total_electrons: 3",
        ["dose (line 7)", "exactly one of", "electrons_per_sample, total_electrons"],
    ),
    ("collection: 1.0", "collection: 1.5", ["dose.collection (line 7)", "1.5"]),
    ("seed: 7", "seed: -1", ["seed (line 9)", "-1"]),
    ("seed: 7", "seed: 18446744073709551616", ["seed (line 9)", "18446744073709551616"]),
    ("seed: 7", "seed: 7\nseed: 8", ["'seed'", "line 10", "line 9", "once"]),
    ("kind: block-random", "kind: blok", ["pattern (line 2)", "'block-random', 'blue-noise'", "blok"]),
    ("kind: block-random, ", "", ["pattern (line 2)", "kind"]),
    ("samples_per_block: 3", "samples_per_block: 65", ["pattern.samples_per_block (line 2)", "at most 64", "65"]),
    ("serpentine-blocks", "own", ["order.kind (line 5): expected", "choose another"]),
    ("max_dose_e_per_A2: 500", "max_dose_e_per_A2: 5", ["limits.max_dose_e_per_A2 (line 10): expected at most 5"]),
    ("[1024, 1024]", "[1024]", ["shape (line 3)", "whole numbers"]),
    ("[1024, 1024]", "1024", ["shape (line 3)", "1024"]),
    ("[1024, 1024]", "[1024, 65537]", ["shape (line 3)", "65537"]),
    ("serpentine-blocks", "spiral", ["order.kind (line 5)", "spiral"]),
    ("{kind: serpentine-blocks}", "serpentine-blocks", ["order (line 5)", "mapping"]),
    ("dwell_ns: 1000", "dwell_ns: 1.5", ["dwell_ns (line 6)", "1.5"]),
    ("version: 1\n", "", ["version"]),
    ("version: 1", "version: 2", ["version (line 1)", "2"]),
    ("pixel_size_nm: 0.01\n", "", ["limits.max_dose_e_per_A2", "pixel_size_nm"]),
    ("passes: 4", "passes: &a 4", ["anchor", "line 4"]),
    ("passes: 4", "passes: *a", ["alias", "line 4"]),
    ("passes: 4", "passes: !!python/object/apply:os.system [ls]", ["line 4"]),
    ("passes: 4", "passes: !!python/object/apply:os.system {a: 1}", ["tag", "line 4"]),
    ("passes: 4", "passes: [1, [2", ["line 5"]),
    ("passes: 4", "? [1, 2]\n: 3", ["name as a key", "line 4"]),
    ("passes: 4", "passes: " + "[" * 30 + "]" * 30, ["nesting"]),
    ("passes: 4", "passes: " + "[" * 5000 + "]" * 5000, ["nesting"]),
    ("passes: 4", "passes: 4\n<<: {passes: 3}", ["<<"]),
    ("passes: 4", "passes: \x07", ["plain values"]),
    ("passes: 4", "passes: 4\npadding: " + "x" * 1_000_001, ["at most 1000000 characters"]),
]


@pytest.mark.parametrize(("old", "new", "words"), BAD, ids=[new[:40] or "removed " + old for old, new, _ in BAD])
def test_bad_file_is_one_clear_sentence(old: str, new: str, words: list[str]) -> None:
    assert old in TEXT
    with pytest.raises(PlanError) as caught:
        ScanPlan.from_yaml(TEXT.replace(old, new), source="plan.yaml")
    message = str(caught.value)
    assert message.startswith("plan.yaml: ")
    assert "\n" not in message
    assert len(message) < 400
    for word in words:
        assert word in message


@given(st.floats(1e-90, 1e90), st.sampled_from(["{:.17e}", "{:g}", "{!r}"]))
def test_what_a_refusal_of_a_number_suggests_is_read_as_that_number(number: float, form: str) -> None:
    text = form.format(number).replace("e+", "e")
    dose = "dose: {electrons_per_sample: %s}\nversion: 1\npattern: {kind: raster}\nshape: [1, 1]\npasses: 1\nseed: 1\n"
    try:
        ScanPlan.from_yaml(dose % text + "dwell_ns: 1")
    except PlanError as problem:
        suggested = str(problem).rsplit(" as ", 1)[1]
        plan = ScanPlan.from_yaml(dose % suggested + "dwell_ns: 1")
        assert plan.electrons_per_sample == float(text)


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_plan_or_a_plan_error(text: str) -> None:
    with pytest.raises(PlanError):
        ScanPlan.from_yaml(text)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JUNK = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@given(st.sampled_from([*BASE, "repeat", "order", "pixel_size_nm", "limits", "version"]), JUNK)
@settings(max_examples=200, deadline=None)
def test_any_value_of_a_key_is_valid_or_a_plan_error(key: str, value: Any) -> None:
    try:
        plan = ScanPlan.from_dict({**BASE, key: value})
    except StemscanError as problem:
        assert "\n" not in str(problem)
    else:
        assert plan.total_samples >= 1


def test_a_key_with_a_line_break_stays_on_one_line() -> None:
    with pytest.raises(PlanError, match=r"order\.'\\n': expected one of kind, max_jump_px, settle, got"):
        ScanPlan.from_dict({**BASE, "order": {"\n": None}})


def test_limit_refuses_and_allows() -> None:
    assert ScanPlan.from_yaml(TEXT.replace("500", "187.5")).dose_e_per_A2 == pytest.approx(187.5)
    with pytest.raises(DoseLimitError, match=r"at most 187 e-/A\^2, got a plan of 187.5"):
        ScanPlan.from_yaml(TEXT.replace("500", "187"))


def test_doses_are_one_dose() -> None:
    samples = 2 * 200
    stated = ScanPlan.from_dict(BASE)
    total = ScanPlan.from_dict({**BASE, "dose": {"total_electrons": 10 * samples}})
    # 10 electrons in 1000 ns are 1.602176634 pA; half of them detected at twice the current.
    current = ScanPlan.from_dict({**BASE, "dose": {"probe_current_pa": 2 * 1.602176634, "collection": 0.5}})
    for plan in (stated, total, current):
        assert plan.electrons_per_sample == pytest.approx(10)
        assert plan.total_electrons == pytest.approx(10 * samples)


def test_area_dose_counts_incident_electrons() -> None:
    plan = ScanPlan.from_dict({**BASE, "dose": {"electrons_per_sample": 10, "collection": 0.25}, "pixel_size_nm": 0.2})
    assert plan.dose_e_per_A2 == pytest.approx(2 * 40 / 4)
    assert ScanPlan.from_dict(BASE).dose_e_per_A2 is None


def test_files(tmp_path: Path) -> None:
    plan = ScanPlan.from_yaml(TEXT)
    plan.save(tmp_path / "plan.yaml")
    assert ScanPlan.load(tmp_path / "plan.yaml") == plan
    with pytest.raises(OutputExistsError, match="exists"):
        plan.save(tmp_path / "plan.yaml")
    plan.save(tmp_path / "plan.yaml", overwrite=True)
    with pytest.raises(InputNotFoundError, match="nowhere"):
        plan.save(tmp_path / "nowhere" / "plan.yaml")
    with pytest.raises(InputNotFoundError, match="missing.yaml"):
        ScanPlan.load(tmp_path / "missing.yaml")
    with pytest.raises(PlanError, match="which is a folder"):
        ScanPlan.load(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"version: \xff\xfe")
    with pytest.raises(PlanError, match="UTF-8"):
        ScanPlan.load(tmp_path / "binary.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["binary.yaml", "plan.yaml"]


@pytest.mark.parametrize(
    ("pattern", "shape", "expected"),
    [
        ({"kind": "block-random", "block": 8, "samples_per_block": 3}, [1024, 1024], 49152),
        ({"kind": "block-random", "block": 8, "samples_per_block": 3}, [413, 469], round(3 * 413 * 469 / 64)),
        ({"kind": "block-random", "block": 64, "samples_per_block": 1}, [5, 5], 1),
        ({"kind": "uniform", "ratio": 0.1}, [10, 25], 25),
        ({"kind": "uniform", "ratio": 1e-9}, [10, 10], 1),
        ({"kind": "line-hop", "height": 16}, [64, 10], 40),
        ({"kind": "raster"}, [7, 9], 63),
    ],
)
def test_samples_per_pass(pattern: dict[str, Any], shape: list[int], expected: int) -> None:
    assert ScanPlan.from_dict({**BASE, "pattern": pattern, "shape": shape}).samples_per_pass == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"dose": {"electrons_per_sample": 1e308}},
        {"dose": {"electrons_per_sample": 1e-308}},
        {"dose": {"electrons_per_sample": 10, "collection": 1e-320}},
        {"pixel_size_nm": 1e-320},
        {"pixel_size_nm": 1e300},
    ],
)
def test_doses_beyond_floating_point_are_refused(changes: dict[str, Any]) -> None:
    data = ScanPlan.from_yaml(TEXT).to_dict() | changes
    data.pop("limits", None)
    with pytest.raises(PlanError, match="dose: expected doses of"):
        ScanPlan.from_dict(data)


@pytest.mark.parametrize("number", ["0100", "1:30", "-0_17", "1:30.5"])
def test_numbers_that_yaml_reads_otherwise_are_refused(number: str) -> None:
    with pytest.raises(PlanError, match=f"plain decimal, got '{number}' in line"):
        ScanPlan.from_yaml(TEXT.replace("seed: 7", f"seed: {number}"))


def test_mistyped_key_is_named_rather_than_the_missing_one() -> None:
    with pytest.raises(PlanError, match="'pases'; did you mean 'passes'"):
        ScanPlan.from_yaml(TEXT.replace("passes:", "pases:"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits: null", "limits .*a mapping such as {max_dose_e_per_A2"),
        ("order: raster", "order .*a mapping such as {kind: raster}"),
    ],
)
def test_mappings_are_explained_by_an_example(text: str, words: str) -> None:
    lines = [line for line in TEXT.splitlines() if not line.startswith(text.split(":")[0])]
    with pytest.raises(PlanError, match=words):
        ScanPlan.from_yaml("\n".join([*lines, text]))


def test_empty_file_holds_nothing() -> None:
    with pytest.raises(PlanError, match="got nothing"):
        ScanPlan.from_yaml("")
