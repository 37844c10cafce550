"""NeXus files: h5py reads what the definitions say; damage is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings

from stemscan.errors import DataError, InputNotFoundError, MissingDependencyError
from stemscan.hardware.exporters import export, read_nexus
from stemscan.hardware.profile import profile_text
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans
from tests.stemscan.hardware.exporters.kit import Written, plan_of, points_of


@given(plan=plans(max_side=16, max_passes=4))
@settings(max_examples=15)
def test_round_trip(plan: ScanPlan) -> None:
    with Written(plan, "nexus", "a.nxs") as (path, report):
        scan = read_nexus(path)
    assert np.array_equal(scan.positions, points_of(plan))
    assert np.array_equal(scan.passes, np.repeat(np.arange(plan.passes), plan.samples_per_pass))
    assert (scan.dwell_ns, scan.flyback_ns, scan.pixel_size_nm) == (plan.dwell_ns, None, plan.pixel_size_nm)
    assert ScanPlan.from_yaml(scan.plan).digest() == plan.digest()
    assert report.dwell_written_ns == plan.dwell_ns


def test_structure_of_the_definitions(tmp_path: Path) -> None:
    plan = plan_of()
    export(plan, "nexus", tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs") as file:
        entry = file[file.attrs["default"]]
        data = entry[entry.attrs["default"]]
        assert (entry.attrs["NX_class"], data.attrs["NX_class"]) == ("NXentry", "NXdata")
        signal = data[data.attrs["signal"]]
        assert len(data.attrs["axes"]) == signal.ndim  # as validators ask for
        for axis in ("x", "y"):
            assert data[axis].shape == signal.shape
            assert data.attrs[f"{axis}_indices"] == 0
            assert data[f"{axis}_scaling_factor"][()] == 0.02
        column = entry["instrument/beams/ebeam_column"]  # the base class that has a controller, where any may stand
        classes = [one.attrs["NX_class"] for one in (column.parent.parent, column.parent, column)]
        assert classes == ["NXinstrument", "NXcollection", "NXebeam_column"]
        controller = column["scan_controller"]
        assert controller.attrs["NX_class"] == "NXscan_controller"
        assert controller["scan_schema"].asstr()[()] == "block-random, serpentine-blocks"
        assert (controller["dwell_time"][()], controller["dwell_time"].attrs["units"]) == (1000, "ns")
        assert entry["plan"]["data"].asstr()[()] == plan.to_yaml()


def _replace(file: Any, name: str, value: Any, **attributes: Any) -> None:
    del file[name]
    file[name] = value
    if attributes:
        file[name].attrs.update(attributes)


def _never_written(file: Any, length: int) -> None:
    """Claim many positions of which none is there."""
    for name in ("x", "y", "pass"):
        del file[f"entry/scan_path/{name}"]
        file.create_dataset(f"entry/scan_path/{name}", (length,), "i4", chunks=(100,))


DAMAGE: list[tuple[Callable[[Any], None], str]] = [
    (lambda file: file.__delitem__("entry/scan_path"), "entry/scan_path of class NXdata, got none"),
    (lambda file: file["entry/scan_path"].attrs.update(NX_class="NXlog"), "got NXlog"),
    (lambda file: file.__delitem__("entry/scan_path/x"), "entry/scan_path/x, got none"),
    (lambda file: _replace(file, "entry/scan_path/x", np.zeros(432)), "whole numbers in entry/scan_path/x"),
    (lambda file: _replace(file, "entry/scan_path/x", np.full(216, np.nan)), "float64"),
    (lambda file: _replace(file, "entry/scan_path/x", np.zeros((2, 2), int)), "a list of values"),
    (lambda file: _replace(file, "entry/scan_path/x", np.zeros(5, int)), "got 5, 216 and 216"),
    (lambda file: _replace(file, "entry/scan_path/y", np.full(216, -3)), "got -3 to -3"),
    (lambda file: file.__delitem__("entry/instrument/beams/ebeam_column/scan_controller/dwell_time"), "got none"),
    (lambda file: _replace(file, "entry/instrument/beams/ebeam_column/scan_controller/dwell_time", 5), "units of ns"),
    (
        lambda file: _replace(file, "entry/instrument/beams/ebeam_column/scan_controller/dwell_time", -5, units="ns"),
        "dwell_time, got -5",
    ),
    (
        lambda file: _replace(
            file, "entry/instrument/beams/ebeam_column/scan_controller/dwell_time", np.nan, units="ns"
        ),
        "finite",
    ),
    (
        lambda file: _replace(file, "entry/instrument/beams/ebeam_column/scan_controller/dwell_time", "1", units="ns"),
        "finite",
    ),
    (lambda file: _replace(file, "entry/instrument/beams/ebeam_column/scan_controller/scan_schema", 3), "a text"),
    (lambda file: file.__delitem__("entry/plan/data"), "entry/plan/data, got none"),
    (lambda file: _replace(file, "entry/scan_path", 3), "entry/scan_path"),
    (lambda file: _never_written(file, 216), "216 numbers in entry/scan_path/x, got 0 bytes"),
    (lambda file: _never_written(file, 10**12), "got 0 bytes, which cannot hold them"),
    (lambda file: _replace(file, "entry/scan_path/x", h5py.Empty("i4")), "a list of values"),
    (lambda file: _replace(file, "entry/scan_path/x", h5py.SoftLink("/entry/scan_path/x")), "readable NeXus"),
    (lambda file: file["entry/scan_path/pass"].write_direct(np.arange(216)[::-1].copy()), "one after another"),
    (
        lambda file: _replace(file, "entry/instrument/beams/ebeam_column/scan_controller/dwell_time", h5py.Empty("f8")),
        "finite",
    ),
    (
        lambda file: file["entry/instrument/beams/ebeam_column/scan_controller"].create_dataset(
            "flyback_time", data=-5.0
        ),
        "least 0",
    ),
    (
        lambda file: file["entry/instrument/beams/ebeam_column/scan_controller"].create_dataset(
            "flyback_time", data=5.0
        ),
        "units of ns",
    ),
    (lambda file: _replace(file, "entry/scan_path/x_scaling_factor", -0.02, units="nm"), "at least 0"),
    (lambda file: _replace(file, "entry/scan_path/x_scaling_factor", 0.02), "units of nm"),
    (lambda file: _replace(file, "entry/scan_path/x_scaling_factor", 0.02, units="um"), "got 20.0 and 0.02 nm"),
    (lambda file: file.__delitem__("entry/scan_path/y_scaling_factor"), "got 0.02 and None nm"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGE, ids=range(len(DAMAGE)))
def test_damage(tmp_path: Path, damage: Callable[[Any], None], words: str) -> None:
    path = tmp_path / "a.nxs"
    export(plan_of(), "nexus", path)
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(DataError) as problem:
        read_nexus(path)
    assert words in str(problem.value)
    assert str(path) in str(problem.value)


def test_no_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    export(plan_of(), "nexus", path)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:100], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="readable NeXus"):
            read_nexus(path)
    with pytest.raises(InputNotFoundError, match=r"b\.nxs"):
        read_nexus(tmp_path / "b.nxs")


def test_without_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"stemscan\[files\]"):
        export(plan_of(), "nexus", tmp_path / "a.nxs")
    assert list(tmp_path.iterdir()) == []


def test_flyback_of_a_profile(tmp_path: Path) -> None:
    profile = tmp_path / "own.yaml"
    profile.write_text(profile_text("fei-stream") + "flyback_ns: 30000\n")
    export(plan_of(), "nexus", tmp_path / "a.nxs", profile=profile)
    assert read_nexus(tmp_path / "a.nxs").flyback_ns == 30000


def test_dwell_of_a_profile(tmp_path: Path) -> None:
    report = export(plan_of(dwell_ns=1010), "nexus", tmp_path / "a.nxs", profile="obi")
    assert read_nexus(tmp_path / "a.nxs").dwell_ns == report.dwell_written_ns == 1000
    assert report.dwell_error_ns == -10


def test_other_units_and_attributes_of_fixed_length(tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    export(plan_of(), "nexus", path)
    with h5py.File(path, "r+") as file:
        _replace(file, "entry/instrument/beams/ebeam_column/scan_controller/dwell_time", 1.5, units=["us"])
        for axis in "xy":
            _replace(file, f"entry/scan_path/{axis}_scaling_factor", 0.2, units=np.bytes_(b"angstrom"))
        file["entry/scan_path"].attrs["NX_class"] = np.bytes_(b"NXdata")
    scan = read_nexus(path)
    assert scan.dwell_ns == 1500
    assert scan.pixel_size_nm == pytest.approx(0.02)


def test_same_bytes_again(tmp_path: Path) -> None:
    for name in ("a.nxs", "b.nxs"):
        export(plan_of(), "nexus", tmp_path / name)
    assert (tmp_path / "a.nxs").read_bytes() == (tmp_path / "b.nxs").read_bytes()


def test_earlier_files_have_the_controller_in_another_place(tmp_path: Path) -> None:
    export(plan_of(), "nexus", tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        file.move("entry/instrument/beams/ebeam_column/scan_controller", "entry/instrument/scan_controller")
    assert read_nexus(tmp_path / "a.nxs").dwell_ns == 1000


def test_an_ion_beam_has_a_column_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "ion.yaml").write_text(profile_text("obi") + "beam: ion\n")
    export(plan_of(), "nexus", tmp_path / "a.nxs", profile=tmp_path / "ion.yaml")
    assert read_nexus(tmp_path / "a.nxs").dwell_ns == 1000
    with h5py.File(tmp_path / "a.nxs") as file:
        assert file["entry/instrument/beams/ibeam_column"].attrs["NX_class"] == "NXibeam_column"
