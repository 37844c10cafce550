"""Instruments: their files, and what stores keep of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.acquisition.replay import ReplayController
from stemscan.acquisition.session import acquire
from stemscan.errors import InputNotFoundError, StoreMismatchError, UsageError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.instrument.settings import IDEAL, Instrument, instrument_names, instrument_of, instrument_text
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition
from stemscan.store.verify import verify_store
from stemscan.store.writer import AcquisitionWriter
from tests.simulators.instrument.instrument_kit import make_plan, make_specimen, microscope, scanned

SHAKY: dict[str, Any] = {"name": "shaky", "jitter": {"sample_px": [0.3, 0.1]}}


@pytest.mark.parametrize("name", instrument_names())
def test_shipped_instruments_can_be_read(name: str) -> None:
    assert instrument_of(name).name == name
    assert instrument_of(name).is_ideal == (name in ("ideal", "template"))


def test_the_template_names_every_key() -> None:
    text = instrument_text("template")
    for name, field in Instrument.model_fields.items():
        assert f"\n{name}:" in text
        for key in getattr(field.annotation, "model_fields", {}):
            assert f"{key}:" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jiter: {}\n", r"jiter \(line 1\): expected one of version, .*got 'jiter'; did you mean 'jitter'"),
        (
            "version: 1\njitter: {sample_px: [0.1, -1]}\n",
            r"jitter.sample_px.1 \(line 2\): expected greater than or equal",
        ),
        ("jitter: {sample_px: 0.1}\n", r"jitter.sample_px \(line 1\): expected a list in brackets, got 0.1"),
        ("stage_drift: {walk_nm: 1e3}\n", r"walk_nm \(line 1\): .*YAML 1.1 reads as text"),
        ("version: 2\n", r"version \(line 1\): expected 1, got 2"),
        ("- 1\n", "expected a mapping"),
    ],
)
def test_mistakes_in_files_name_key_line_and_value(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message) as found:
        instrument_of(file)
    assert str(found.value).startswith(str(file))


def test_mistakes_in_python() -> None:
    with pytest.raises(UsageError, match=r"instrument: jitter.sample_px.0: expected greater"):
        Instrument(jitter={"sample_px": (-1.0, 0.0)})
    with pytest.raises(InputNotFoundError, match="expected a virtual instrument of .*drifting.*, got 'wobbly'"):
        instrument_of("wobbly")
    with pytest.raises(UsageError, match="expected an instrument, its name or its file, got 3"):
        instrument_of(3)  # type: ignore[arg-type]


def test_an_ideal_one_leaves_no_trace(tmp_path: Path) -> None:
    plan = make_plan()
    for name, instrument in (("a", IDEAL), ("b", Instrument(name="quiet", jitter={"row_us": 3.0}))):
        simulate(plan, make_specimen(), tmp_path / name, instrument=instrument)
    first, second = (Acquisition.open(tmp_path / name) for name in "ab")
    assert first.instrument is second.instrument is None
    assert first.tracks == ()
    assert first.digest() == second.digest()
    with pytest.raises(UsageError, match="expected one of no track"):
        first.track("truth_trajectory")


def test_a_store_keeps_instrument_and_truth(tmp_path: Path) -> None:
    plan = make_plan()
    store = simulate(plan, make_specimen(), tmp_path / "a", instrument=Instrument.model_validate(SHAKY))
    assert store.instrument is not None
    assert store.instrument["name"] == "shaky"
    assert store.instrument["settings"] == {"jitter": {"sample_px": [0.3, 0.1]}}
    batch = scanned(microscope(SHAKY), plan)
    assert batch.truths is not None
    np.testing.assert_array_equal(store.track("truth_trajectory"), batch.truths["truth_trajectory"])
    np.testing.assert_array_equal(store.counts(), batch.counts)
    assert store.actual() is None
    assert verify_store(tmp_path / "a").sound
    again = acquire(plan, ReplayController(store), tmp_path / "again")
    assert again.instrument == store.instrument
    np.testing.assert_array_equal(again.track("truth_trajectory"), store.track("truth_trajectory"))


def test_resuming_with_another_instrument_is_an_error(tmp_path: Path) -> None:
    plan = make_plan()
    AcquisitionWriter.create(tmp_path / "a", plan, microscope(SHAKY).provenance).close()
    other = Instrument.model_validate({**SHAKY, "jitter": {"sample_px": [0.3, 0.2]}})
    for instrument in (other, IDEAL):
        with pytest.raises(StoreMismatchError, match="expected the instrument with which"):
            simulate(plan, make_specimen(), tmp_path / "a", instrument=instrument, resume=True)
    renamed = Instrument.model_validate({**SHAKY, "name": "other"})
    assert simulate(plan, make_specimen(), tmp_path / "a", instrument=renamed, resume=True).state == "complete"


def test_coil_lag_is_known_and_the_rest_is_not(tmp_path: Path) -> None:
    """Actual positions are those of the lag alone; the trajectory has the jitter too."""
    plan: ScanPlan = make_plan()
    store = simulate(
        plan, make_specimen(), tmp_path / "a", instrument=Instrument.model_validate(SHAKY), coil_tau_ns=500
    )
    still = scanned(microscope({}, coil_tau_ns=500), plan)
    actual = store.actual()
    assert actual is not None
    assert still.actual is not None
    np.testing.assert_array_equal(actual, still.actual)
    beside = store.track("truth_trajectory") - actual
    np.testing.assert_allclose(beside.std(axis=0), [0.3, 0.1], rtol=0.2)
