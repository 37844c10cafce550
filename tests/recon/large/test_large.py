"""Frames made in tiles: like those made whole, the same for any memory, and gone on with after an interruption."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from stemscan.errors import ReconError, UsageError
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.large import flight, making, run
from stemscan.recon.large.field import LoadedField
from stemscan.recon.large.layout import Layout, Tile
from stemscan.recon.large.run import Tiled, reconstruct_tiles
from stemscan.recon.large.scratch import Made
from stemscan.recon.large.to_file import reconstruct_to_file, work_folder
from stemscan.recon.metrics import compare
from stemscan.recon.output.record import read_image_record
from stemscan.recon.output.zarr_image import read_reconstruction
from stemscan.recon.registry import method_of
from stemscan.recon.run import reconstruct
from stemscan.recon.threads import workers
from stemscan.recon.whole import reconstruct_whole
from stemscan.runtime.locks import lock, open_lock
from tests.recon.sampling_kit import lattice, scan

SHAPE = (250, 150)
PLAIN: dict[str, Any] = {"regression": False}
METHOD = method_of("fourier-eb")


def smooth(inputs: Inputs) -> Any:
    """A method whose image at a place follows from the samples nearer than 12 pixels."""
    from scipy.ndimage import gaussian_filter

    sums, visits = (gaussian_filter(one, 3.0, mode="constant", truncate=4.0) for one in (inputs.S, inputs.V))
    return (sums / np.maximum(visits, 1e-6)).astype(np.float32)


@pytest.fixture
def inputs() -> Inputs:
    return scan(lattice(SHAPE), pixel_size_nm=0.01)


def made(inputs: Inputs, folder: Path, **options: Any) -> Tiled:
    options = {"arguments": PLAIN, **options}
    return reconstruct_tiles(LoadedField(inputs), METHOD, folder / "work", **options)


def local_method() -> Any:
    return replace(METHOD, name="smooth", function=smooth, gives_std=False, uses_torch=False)


def test_there_are_no_seams(tmp_path: Path, inputs: Inputs) -> None:
    """An image that follows from what is near is that of the whole frame, contradictions and metrics too."""
    whole = reconstruct_whole(inputs, local_method())
    done = reconstruct_tiles(LoadedField(inputs), local_method(), tmp_path / "work", arguments={})
    image = done.folder.whole("image")
    assert len(Layout(SHAPE)) > 3
    np.testing.assert_allclose(image, whole.image, atol=2e-6)
    assert done.metrics is not None
    assert inputs.truth is not None
    known, found = compare(image, inputs.truth).to_dict(), done.metrics.to_dict()
    assert found == pytest.approx(known, rel=1e-7)
    assert done.totals.mean("image") == pytest.approx(float(image.mean(dtype=np.float64)), rel=1e-6)


@pytest.mark.parametrize("side", [2, 5, 6])
def test_a_narrow_frame_is_compared_as_a_whole_one_is(tmp_path: Path, side: int) -> None:
    """The windows of SSIM are those that fit into the frame; below 3 pixels there is none."""
    inputs = scan(lattice((300, side)))
    whole = reconstruct_whole(inputs, local_method())
    done = reconstruct_tiles(LoadedField(inputs), local_method(), tmp_path / "work", arguments={})
    assert inputs.truth is not None
    assert done.metrics is not None
    known = asdict(compare(whole.image, inputs.truth))
    assert asdict(done.metrics) == pytest.approx(known, rel=1e-5, nan_ok=True)
    assert (done.metrics.to_dict()["ssim"] is None) == (side < 3)


def test_fourier_tiles_agree_where_they_meet(tmp_path: Path, inputs: Inputs) -> None:
    """Tiles find their spectra for themselves; where two meet they differ by less than their error."""
    layout, method = Layout(SHAPE), METHOD
    recipe = making.Recipe(LoadedField(inputs), method, {**PLAIN, "threads": 1}, (0.5, 0.3))
    upper, lower = layout.tile(0, 0), layout.tile(1, 0)
    first, second = (recipe.make(tile).maps[0] for tile in (upper, lower))
    edge = upper.core[0].stop
    beside = slice(edge - 4, edge + 4)
    ours = first[beside.start - upper.window[0].start : beside.stop - upper.window[0].start]
    theirs = second[beside.start - lower.window[0].start : beside.stop - lower.window[0].start]
    truth = lattice(SHAPE)[beside, upper.window[1]]
    assert np.std(ours - theirs) < np.std(ours - truth)


def test_the_memory_does_not_change_a_byte(tmp_path: Path, inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """One tile at a time in this process, or two in processes of their own."""
    found = []
    for number in (1, 2):
        monkeypatch.setattr(run, "tiles_at_once", lambda *_, number=number: number)
        folder = tmp_path / str(number)
        folder.mkdir()
        reconstruct_to_file(LoadedField(inputs), METHOD, folder / "r.zarr", **PLAIN)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        found.append({str(file.relative_to(folder)): file.read_bytes() for file in files})
    assert found[0] == found[1]
    assert len(found[0]) > 20


def test_a_run_that_was_interrupted_goes_on(tmp_path: Path, inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    field, output = LoadedField(inputs), tmp_path / "r.zarr"
    reconstruct_to_file(field, METHOD, tmp_path / "known.zarr", **PLAIN)
    asked: list[Tile] = []
    make = making.Recipe.make

    def interrupted(recipe: making.Recipe, tile: Tile) -> Made:
        asked.append(tile)
        if len(asked) in (2, 5):
            raise KeyboardInterrupt
        return make(recipe, tile)

    monkeypatch.setattr(making.Recipe, "make", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            reconstruct_to_file(field, METHOD, output, resume=True, **PLAIN)
        assert work_folder(output).is_dir()
        assert not output.exists()
    reconstruct_to_file(field, METHOD, output, resume=True, **PLAIN)
    assert len(asked) == len(Layout(SHAPE)) + 2  # those that were interrupted alone are made again
    known, found = (read_reconstruction(tmp_path / name) for name in ("known.zarr", "r.zarr"))
    np.testing.assert_array_equal(known.image, found.image)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_others_tiles_are_not_gone_on_with(tmp_path: Path, inputs: Inputs) -> None:
    made(inputs, tmp_path)
    with pytest.raises(UsageError, match="expected to go on with the same arguments, got another one"):
        made(inputs, tmp_path, resume=True, arguments={"regression": False, "rounds": 2})
    made(inputs, tmp_path, arguments={"regression": False, "rounds": 2})  # begins anew


def test_two_processes_do_not_make_the_same_output(tmp_path: Path, inputs: Inputs) -> None:
    """The second one is told, and leaves the tiles of the first alone."""
    made(inputs, tmp_path)
    tiles = sorted((tmp_path / "work").rglob("*"))
    held = open_lock(tmp_path / "work" / ".lock", create=True)
    try:
        assert lock(held)
        for resume in (False, True):
            with pytest.raises(UsageError, match="for this process alone, got another one"):
                made(inputs, tmp_path, resume=resume)
    finally:
        os.close(held)
    assert sorted((tmp_path / "work").rglob("*")) == tiles
    made(inputs, tmp_path, resume=True)


@pytest.mark.parametrize("name", ["r.tif", "r.ome.tif", "r.hspy", "r.zspy", "r.npy", "r.png"])
def test_every_suffix(tmp_path: Path, inputs: Inputs, name: str) -> None:
    reconstruct_to_file(LoadedField(inputs), METHOD, tmp_path / "r.zarr", **PLAIN)
    _, record = reconstruct_to_file(LoadedField(inputs), METHOD, tmp_path / name, **PLAIN)
    known = read_reconstruction(tmp_path / "r.zarr")
    assert record["shape"] == list(SHAPE)
    if name.endswith("tif"):
        np.testing.assert_array_equal(tifffile.imread(tmp_path / name), [known.image, known.std, known.contradiction])
    elif name.endswith("spy"):
        signals = import_module(f"rsciio{name[1:]}").file_reader(str(tmp_path / name))
        assert read_image_record(tmp_path / name) == record
        for signal, values in zip(signals, [known.image, known.std, known.contradiction], strict=True):
            np.testing.assert_array_equal(signal["data"], values)
    elif name.endswith("npy"):
        np.testing.assert_array_equal(np.load(tmp_path / name), known.image)
    else:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "r.zarr"])


def test_the_library_returns_the_same_image(tmp_path: Path, inputs: Inputs) -> None:
    reconstruct_to_file(LoadedField(inputs), METHOD, tmp_path / "r.zarr", **PLAIN)
    known, found = read_reconstruction(tmp_path / "r.zarr"), reconstruct(inputs, METHOD, regression=False)
    np.testing.assert_array_equal(known.image, found.image)
    assert known.std is not None
    assert found.std is not None
    np.testing.assert_array_equal(known.std, found.std)
    assert found.settings["tiles"] == {"side": 96, "margin": 24, "number": len(Layout(SHAPE))}
    assert str(found.checked) == str(known.checked)


def test_places_without_samples_have_the_mean_and_its_doubt(tmp_path: Path, inputs: Inputs) -> None:
    frames, visits = inputs.frames.copy(), inputs.visits.copy()
    frames[:, :140], visits[:, :140] = 0, 0
    empty = Inputs.from_arrays(frames, visits, 10.0)
    done = made(empty, tmp_path)
    image, std = done.folder.whole("image"), done.folder.whole("std")
    assert np.ptp(image[:50]) == 0
    assert abs(image[0, 0] - empty.mean) < 0.1
    assert std[0, 0] > 2 * std[200].mean()


def test_a_contradiction_at_a_seam_is_one_place(tmp_path: Path) -> None:
    truth = np.full(SHAPE, 0.4, np.float32)
    seen = truth.copy()
    edge = Layout(SHAPE).tile(0, 0).core[0].stop
    seen[edge - 3 : edge + 3, 60:66] = 1.0
    counts = scan(seen, ratio=1.0)

    def flat(inputs: Inputs) -> Any:
        return np.full(inputs.shape, 0.4, np.float32)

    done = reconstruct_tiles(
        LoadedField(counts), replace(local_method(), function=flat), tmp_path / "work", arguments={}
    )
    assert done.contradictions is not None
    near = [place for place in done.contradictions[2] if abs(place.row - edge) < 12 and abs(place.col - 63) < 12]
    assert len(near) == 1
    assert near[0].z > 10


def test_viewers_page_through_levels(tmp_path: Path, inputs: Inputs) -> None:
    zarr = pytest.importorskip("zarr")
    reconstruct_to_file(LoadedField(inputs), METHOD, tmp_path / "r.zarr", **PLAIN)
    group = zarr.open_group(tmp_path / "r.zarr", mode="r")
    (multiscale,) = group.attrs["ome"]["multiscales"]
    paths = [one["path"] for one in multiscale["datasets"]]
    assert paths == ["image", "level1", "level2", "level3"]
    image = group["image"][:]
    first = group["level1"][:]
    np.testing.assert_allclose(first, image.reshape(125, 2, 75, 2).mean(axis=(1, 3)), atol=1e-6)
    assert group["level3"].shape == (32, 19)
    scales = [one["coordinateTransformations"][0]["scale"][0] for one in multiscale["datasets"]]
    assert scales == pytest.approx([0.01, 0.02, 0.04, 0.08])
    shifts = [one["coordinateTransformations"][1]["translation"][0] for one in multiscale["datasets"][1:]]
    assert shifts == pytest.approx([0.005, 0.015, 0.035])


def test_too_little_memory_is_told(inputs: Inputs) -> None:
    with pytest.raises(UsageError, match=r"expected at least 0\.\d+ GiB for a tile of \d+ x \d+ pixels by fourier-eb"):
        flight.tiles_at_once(METHOD, Layout(SHAPE), 4, 1e6)
    assert flight.tiles_at_once(METHOD, Layout(SHAPE), 4, 0.6e9) == 1
    assert flight.tiles_at_once(local_method(), Layout(SHAPE), 4, 1e12) == min(workers(), len(Layout(SHAPE)))


SCRIPT = """
import numpy as np
import stemscan.recon.large.run as run
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.run import reconstruct
run.tiles_at_once = lambda *_: 2
visits = np.ones((1, 2100, 8), int)
print("begun", reconstruct(Inputs.from_arrays(4.0 * visits, visits, 8.0), "fourier-eb", regression=False).image.mean())
"""


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Processes that make tiles do not run the script that asked for them."""
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("begun 0.5"), done.stderr
    assert done.stdout.count("begun") == 1


def test_a_function_of_a_session_runs_in_this_process() -> None:
    method = replace(METHOD, function=lambda inputs: inputs.S)
    assert flight.tiles_at_once(method, Layout(SHAPE), 4, 1e12) == 1


def test_a_method_that_fails_leaves_what_was_made(tmp_path: Path, inputs: Inputs) -> None:
    calls: list[int] = []

    def failing(inputs: Inputs) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise ReconError("expected fewer tiles, got two; take one")
        return smooth(inputs)

    method = replace(local_method(), function=failing)
    with pytest.raises(ReconError, match="fewer tiles"):
        reconstruct_to_file(LoadedField(inputs), method, tmp_path / "r.zarr", memory=4e9, threads=1)
    kept = work_folder(tmp_path / "r.zarr")
    assert json.loads((kept / "reconstruction.json").read_text())["method"] == "smooth"
    assert len(list((kept / "tiles").glob("*.npy"))) == 1
