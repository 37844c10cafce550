"""Stores and tables as napari reads them, without napari."""

from __future__ import annotations

import tomllib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stemscan.named import import_named
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.run import reconstruct
from stemscan.recon.view.napari_reader import reader_of
from stemscan.simulators.api import Specimen
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition
from tests.recon.sampling_kit import lattice
from tests.stemscan.store_kit import make_plan

MANIFEST = Path(__file__).resolve().parents[3] / "recon" / "view" / "napari.yaml"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    plan = make_plan(passes=2, pixel_size_nm=0.02)
    simulate(plan, Specimen(lattice(plan.shape), "lattice"), tmp_path / "acq.zarr")
    return tmp_path / "acq.zarr"


def layers(path: Path) -> dict[str, tuple[Any, dict[str, Any], str]]:
    """Layers by name, as napari makes them of a path: it asks for a reader, and that for the data."""
    read = reader_of(str(path))
    assert read is not None
    return {attributes["name"]: (data, attributes, kind) for data, attributes, kind in read(str(path))}


def test_the_manifest_names_what_there_is() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    (command,), (reader,) = manifest["contributions"]["commands"], manifest["contributions"]["readers"]
    assert import_named(command["python_name"]) is reader_of
    assert reader["command"] == command["id"]
    with (MANIFEST.parents[2] / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    assert project["project"]["entry-points"]["napari.manifest"] == {
        manifest["name"]: "stemscan.recon.view:napari.yaml"
    }
    assert MANIFEST.name in project["tool"]["setuptools"]["package-data"]["stemscan.recon.view"]


def test_napari_s_own_harness_reads_a_store(store: Path) -> None:
    """Where npe2 is installed, which brings a plug-in of pytest that these tests' strictness refuses: -p no:npe2."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        npe2 = pytest.importorskip("npe2")
        manifest = npe2.PluginManifest.from_file(MANIFEST)
        manifest.validate_imports()
        if manifest.name not in npe2.PluginManager.instance():  # installed, it is there
            npe2.PluginManager.instance().register(manifest)
        found = npe2.read([str(store)], stack=False)
    assert [attributes["name"] for _, attributes, _ in found] == ["counts", "visits"]


def test_an_acquisition_has_counts_and_visits_with_their_scale(store: Path) -> None:
    found, acquisition = layers(store), Acquisition.open(store)
    counts, attributes, kind = found["counts"]
    np.testing.assert_array_equal(counts, acquisition.frames())
    np.testing.assert_array_equal(found["visits"][0], acquisition.visits())
    assert (kind, attributes["scale"], attributes["units"]) == ("image", [1.0, 0.02, 0.02], ["pixel", "nm", "nm"])
    assert not found["visits"][1]["visible"]


def test_a_reconstruction_has_its_maps(store: Path) -> None:
    done = reconstruct(load_inputs(store), "fourier-eb", regression=False)
    done.save(store.with_name("r.zarr"))
    found = layers(store.with_name("r.zarr"))
    assert set(found) == {"image", "std", "contradiction"}
    np.testing.assert_array_equal(np.asarray(found["image"][0]), done.image)
    assert found["image"][1]["scale"] == [0.02, 0.02]
    assert found["contradiction"][1]["contrast_limits"][1] > 3


def test_a_large_image_is_paged_through(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemscan.recon.output.zarr_image._CHUNK", 4)
    reconstruct(load_inputs(store), "constant").save(store.with_name("r.zarr"))
    levels, attributes, _ = layers(store.with_name("r.zarr"))["image"]
    assert attributes["multiscale"]
    assert [level.shape[0] for level in levels] == sorted((level.shape[0] for level in levels), reverse=True)
    assert len(levels) > 1


def test_columns_are_points_with_all_that_is_known(tmp_path: Path) -> None:
    table = "kind,row,col,amplitude,row_std,col_std\ncolumn,1.5,2.5,0.9,0.1,\nempty,3,4,0.1,0.2,0.3\n"
    (tmp_path / "columns.csv").write_text(table)
    points, attributes, kind = layers(tmp_path / "columns.csv")["columns"]
    assert kind == "points"
    np.testing.assert_array_equal(points, [[1.5, 2.5], [3, 4]])
    assert attributes["features"]["kind"] == ["column", "empty"]
    assert np.isnan(attributes["features"]["col_std"][0])


def test_what_is_not_ours_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    (tmp_path / "other.zarr").mkdir()
    (tmp_path / "other.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    for name in ("other.csv", "other.zarr", "nothing.zarr"):
        assert reader_of(str(tmp_path / name)) is None
    assert reader_of([str(tmp_path / "other.csv")]) is None
