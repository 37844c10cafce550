"""Samples do not depend on batches, threads, blocks asked for, or where a scan was resumed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.acquisition.faulty import FaultyController
from stemscan.acquisition.reports import provenance_of
from stemscan.acquisition.scan import run_scan
from stemscan.errors import ControllerError
from stemscan.path.scan_path import ScanPath
from stemscan.simulators.instrument import chain
from stemscan.simulators.microscope import VirtualMicroscope
from stemscan.store.batch import SampleBatch
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from tests.simulators.instrument.instrument_kit import joined, make_plan, microscope, scanned

EVERYTHING: dict[str, Any] = {
    "jitter": {"sample_px": [0.2, 0.1], "row_px": [0.2, 0.3]},
    "flyback": {"share": 0.01, "tau_us": 4.0},
    "mains": {"amplitude_px": [0.2, 0.1], "third_px": [0.1, 0.1]},
    "current": {"relative": 0.1, "shortest_us": 7.0},
    "probe": {"fwhm_nm": 0.2, "defocus_nm": 4.0},
    "damage": {
        "critical_e_per_A2": 300.0,
        "diffusion_nm": 0.15,
        "threshold_e_per_A2": 5.0,
        "recovery_us": 40.0,
    },
    "contamination": {"signal": 0.2, "saturation_e_per_A2": 100.0, "spread_nm": 0.2},
    "detectors": [
        {
            "collection": {"kind": "abf"},
            "efficiency": {"detected": 0.8, "pulse_spread": 0.3},
            "dark": {"per_second": 1e5},
            "afterglow": {"share": 0.2, "tau_us": 3.0},
            "digitiser": {"gain": 20.0, "offset": 100.0, "read_noise": 5.0, "bits": 12},
        },
        {"name": "counter", "collection": {"kind": "q1"}, "dead_time": {"ns": 20.0}},
    ],
    "stage_drift": {"polynomial_nm": [[3e4, -2e4]], "settling_nm": [0.2, 0.1], "settling_min": 1e-6, "walk_nm": 30.0},
}
PLAN = make_plan(passes=3)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that the scan has several."""
    monkeypatch.setattr(chain, "_BLOCK", 64)


@cache
def whole() -> SampleBatch:
    """All samples at once."""
    return scanned(microscope(EVERYTHING, PLAN, coil_tau_ns=700), PLAN)


def same(batch: SampleBatch, start: int, stop: int) -> None:
    """Compare with the same samples of the whole."""
    expected = whole()[start:stop]
    np.testing.assert_array_equal(batch.counts, expected.counts)
    assert batch.actual is not None
    np.testing.assert_array_equal(batch.actual, expected.actual)
    assert batch.truths is not None
    assert expected.truths is not None
    for name, values in expected.truths.items():
        np.testing.assert_array_equal(batch.truths[name], values)


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 300), threads=st.integers(1, 4), ends=st.tuples(*[st.integers(0, PLAN.total_samples)] * 4))
def test_any_range_in_any_batches_on_any_threads(size: int, threads: int, ends: tuple[int, int, int, int]) -> None:
    """Two ranges one after another on one microscope, the second wherever."""
    device = microscope(EVERYTHING, PLAN, coil_tau_ns=700, threads=threads)
    for start, stop in (sorted(ends[:2]), sorted(ends[2:])):
        if start < stop:
            same(scanned(device, PLAN, start, stop, size), start, stop)


@settings(max_examples=6, deadline=None)
@given(every=st.integers(60, 200), commit=st.integers(10, 120), batch=st.integers(1, 90))
def test_an_interrupted_and_resumed_store(
    tmp_path_factory: pytest.TempPathFactory, every: int, commit: int, batch: int
) -> None:
    """Each time it is gone on with, by a new microscope."""
    place: Path = tmp_path_factory.mktemp("store") / "a.zarr"
    cut = 0
    while True:
        device = microscope(EVERYTHING, PLAN, coil_tau_ns=700)
        faulty = FaultyController(device, seed=cut, faults=["disconnect"], every=every) if cut < 3 else device
        with AcquisitionWriter.resume(place, PLAN, provenance_of(device)) as writer:
            try:
                run_scan(PLAN, faulty, writer, batch_samples=batch, commit_samples=commit)
                break
            except ControllerError:
                cut += 1
    store = Acquisition.open(place)
    truths = {name: store.track(name) for name in store.tracks}
    counts = np.stack([store.counts(channel=number) for number in range(len(store.channels))], axis=1)
    same(SampleBatch(0, counts, store.actual(), truths), 0, PLAN.total_samples)


OFFSETS = ((0.0, 0.0), (1.5, -2.0), (3.25, -4.5))


def followed(device: VirtualMicroscope, path: ScanPath, passes: Sequence[int], size: int) -> SampleBatch:
    """Passes of a scan whose field is moved before each; all those before are told first, as to a resumption."""
    each = PLAN.samples_per_pass
    for number in range(passes[0]):
        device.move_field(path, number, OFFSETS[number])
    batches = []
    for number in passes:
        device.move_field(path, number, OFFSETS[number])
        batches.append(scanned(device, PLAN, number * each, (number + 1) * each, size, path))
    return joined(batches)


def test_a_field_that_is_moved_back_and_forth(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ScanPath(PLAN)
    device = microscope(EVERYTHING, PLAN, coil_tau_ns=700, threads=2)
    reference = followed(device, path, (0, 1, 2), 1 << 20)
    each = PLAN.samples_per_pass
    for size, passes, threads in ((7, (0, 1, 2), 1), (50, (1, 2), 3), (1 << 20, (2,), 1)):
        device = microscope(EVERYTHING, PLAN, coil_tau_ns=700, threads=threads)
        again, expected = followed(device, path, passes, size), reference[passes[0] * each :]
        np.testing.assert_array_equal(again.counts, expected.counts)
        assert again.truths is not None
        assert expected.truths is not None
        for name, values in expected.truths.items():
            np.testing.assert_array_equal(again.truths[name], values)
    assert reference.truths is not None
    moved = reference.truths["truth_trajectory"] - whole().truths["truth_trajectory"]  # type: ignore[index]
    np.testing.assert_allclose(moved, np.repeat(OFFSETS, each, axis=0), atol=1e-4)
    monkeypatch.setitem(globals(), "OFFSETS", ((0.0, 0.0),) * 3)
    unmoved = followed(microscope(EVERYTHING, PLAN, coil_tau_ns=700), path, (0, 1, 2), 33)
    same(unmoved, 0, PLAN.total_samples)
