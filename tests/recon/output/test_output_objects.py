"""Reconstructions below URLs: the bytes of those in files and folders, whole or not at all."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from stemscan.errors import OutputExistsError, StoreError
from stemscan.objects.bucket import Bucket
from stemscan.objects.path import ObjectPath, as_path
from stemscan.objects.problems import ObjectStoreError
from stemscan.recon.large import layout, run
from stemscan.recon.large.field import LoadedField
from stemscan.recon.large.to_file import reconstruct_to_file, work_folder
from stemscan.recon.loading import load
from stemscan.recon.output.record import read_image_record
from stemscan.recon.output.writing import write_reconstruction
from stemscan.recon.reconstruction import Reconstruction
from stemscan.recon.registry import method_of
from stemscan.recon.run import reconstruct
from tests.recon.sampling_kit import lattice, scan

pytest.importorskip("obstore", reason="stemscan[cloud] is not installed")


@pytest.fixture(scope="module")
def made() -> Reconstruction:
    return reconstruct(scan(lattice((40, 30))), "normconv")


def below(path: Path) -> dict[str, bytes]:
    """Objects at and below a URL, or files at and below a path."""
    if isinstance(path, ObjectPath):
        if path.is_file():
            return {"": path.read_bytes()}
        return {key.removeprefix(f"{path.key}/"): path.bucket.get(key) for key in path.bucket.below(path.key)}
    if path.is_file():
        return {"": path.read_bytes()}
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["out.zarr", "out.tif", "out.ome.tif", "out.npy", "out.png"])
def test_objects_are_the_files(made: Reconstruction, tmp_path: Path, name: str) -> None:
    here, there = tmp_path / name, as_path(f"memory://{uuid.uuid4().hex}/{name}")
    for path in (here, there):
        write_reconstruction(made, path)
    assert below(there) == below(here)
    with pytest.raises(OutputExistsError, match="which exists; choose another name or --overwrite it"):
        write_reconstruction(made, there)
    write_reconstruction(made, there, overwrite=True)
    assert below(there) == below(here)
    if name == "out.zarr":
        again = load(str(there))
        assert isinstance(again, Reconstruction)
        assert (again.image == made.image).all()
    elif name != "out.npy":
        assert read_image_record(there)["method"] == "normconv"


def test_a_folder_that_was_cut_short_is_known_as_such(made: Reconstruction, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_path(f"memory://{uuid.uuid4().hex}/out.zarr")

    def refuse(*_: Any) -> None:
        raise ObjectStoreError("expected to write, got silence")

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "put_file", refuse)
        with pytest.raises(ObjectStoreError, match="silence"):
            write_reconstruction(made, path)
    with pytest.raises(StoreError, match="expected a whole reconstruction at 'memory.*make it again by --overwrite"):
        load(str(path))
    write_reconstruction(made, path, overwrite=True)
    assert isinstance(load(str(path)), Reconstruction)


def test_a_frame_in_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "SIZES", layout.Sizes(chunk=32, whole=128, margin=24, taper=4))
    monkeypatch.setattr(run, "tiles_at_once", lambda *_: 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    field, method = LoadedField(scan(lattice((150, 130)))), method_of("normconv")
    here, there = tmp_path / "out.zarr", as_path(f"memory://{uuid.uuid4().hex}/out.zarr")
    for path in (here, there):
        reconstruct_to_file(field, method, path)
    assert below(there) == below(here)
    assert not work_folder(there).exists()
