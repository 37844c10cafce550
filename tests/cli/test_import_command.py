"""`stemscan import`: measured frames and positions, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stemscan.store.reader import Acquisition
from tests.cli.conftest import Stemscan


@pytest.fixture
def measured(stemscan: Stemscan) -> None:
    """Frames, masks and positions of a small scan."""
    rng = np.random.default_rng(1)
    mask = rng.random((3, 20, 30)) < 0.2
    frames = np.where(mask, rng.poisson(8, mask.shape), 0).astype(np.uint16)
    np.save("frames.npy", frames)
    np.save("mask.npy", mask)
    np.save("one.npy", mask[0])
    np.save("nan.npy", np.where(mask, frames, np.nan).astype(np.float32))
    points = np.argwhere(mask[0])
    np.savetxt("points.csv", points, fmt="%d", delimiter=",")
    np.savetxt("values.csv", frames[0][mask[0]], fmt="%d", delimiter=",")
    np.save("outside.npy", points + 20)
    np.save("object.npy", np.array([{}], dtype=object), allow_pickle=True)


def test_frames_with_masks(stemscan: Stemscan, measured: None) -> None:
    done = stemscan(
        "import", "frames.npy", "--mask", "mask.npy", "--dose", 10, "--pixel-size", "0.05nm", "-o", "a.zarr"
    )
    assert (done.code, done.err) == (0, "")
    store = Acquisition.open("a.zarr")
    mask = np.load("mask.npy")
    np.testing.assert_array_equal(store.frames(), np.load("frames.npy"))
    np.testing.assert_array_equal(store.visits(), mask)
    assert (store.origin, store.state, store.pixel_size_nm) == ("imported", "complete", 0.05)


def test_nan_is_not_visited(stemscan: Stemscan, measured: None) -> None:
    assert stemscan("import", "nan.npy", "--dose", 10, "-o", "a.zarr").code == 0
    np.testing.assert_array_equal(Acquisition.open("a.zarr").visits(), np.load("mask.npy"))


def test_positions(stemscan: Stemscan, measured: None) -> None:
    options = ("--positions", "points.csv", "--shape", "20x30", "--dose", 10, "--json")
    report = json.loads(stemscan("import", "values.csv", *options, "-o", "a.zarr").out)
    mask = np.load("mask.npy")[0]
    assert report["samples"] == mask.sum()
    np.testing.assert_array_equal(Acquisition.open("a.zarr").frames()[0], np.load("frames.npy")[0])


def test_imported_store_is_reconstructed(stemscan: Stemscan, measured: None) -> None:
    stemscan("import", "frames.npy", "--mask", "mask.npy", "--dose", 10, "-o", "a.zarr")
    assert stemscan("recon", "a.zarr", "--method", "normconv", "-o", "image.npy").code == 0
    assert np.load("image.npy").shape == (20, 30)


BAD = [
    (["frames.npy", "--dose", "10"], "cannot be told"),
    (["frames.npy", "--mask", "one.npy", "--positions", "points.csv", "--dose", "10"], "keep one"),
    (["values.csv", "--positions", "points.csv", "--dose", "10"], "--shape"),
    (["frames.npy", "--mask", "one.npy", "--shape", "2x2", "--dose", "10"], "--shape"),
    (["values.csv", "--positions", "outside.npy", "--shape", "20x30", "--dose", "10"], "inside the grid"),
    (["frames.npy", "--mask", "points.csv", "--dose", "10"], "mask of shape"),
    (["frames.npy", "--mask", "missing.npy", "--dose", "10"], "missing.npy"),
    (["frames.npy", "--mask", "mask.npy", "--dose", "10", "--offset", "30"], "--gain"),
    (["frames.npy", "--mask", "mask.npy", "--dose", "0"], "0"),
    (["frames.npy", "--mask", "mask.npy"], "--dose"),
    (["frames.npy", "--mask", "mask.npy", "--dose", "10", "--noise", "x"], "--noise"),
    (["thing.xyz", "--dose", "10"], "no format known here"),
    ([".", "--dose", "10"], "is another folder"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_data_is_one_sentence(stemscan: Stemscan, measured: None, arguments: list[str], words: str) -> None:
    Path("thing.xyz").write_text("?")
    done = stemscan("import", *arguments, "-o", "a.zarr")
    assert done.code == (1 if words.startswith("no format") else 2)
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert not Path("a.zarr").exists()


def test_damaged_data_is_code_1(stemscan: Stemscan, measured: None) -> None:
    done = stemscan("import", "frames.npy", "--mask", "object.npy", "--dose", 10, "-o", "a.zarr")
    assert done.code == 1
    assert done.err.startswith("error: expected readable data in 'object.npy'")
    assert done.err.count("\n") == 1


def test_numbers_that_are_no_counts_are_said(stemscan: Stemscan, measured: None) -> None:
    np.save("half.npy", np.load("nan.npy") + 0.5)
    done = stemscan("import", "half.npy", "--dose", 10, "-o", "a.zarr")
    assert done.code == 0
    assert done.err.startswith("warning: not all numbers are whole")
    assert done.err.count("\n") == 1
    for number, options in enumerate([("--gain", 2), ("--noise", "eq5")]):
        assert stemscan("import", "half.npy", "--dose", 10, "-o", f"{number}.zarr", *options).err == ""


def test_nan_outside_the_mask_is_no_measurement(stemscan: Stemscan, measured: None) -> None:
    done = stemscan("import", "nan.npy", "--mask", "mask.npy", "--dose", 10, "-o", "a.zarr")
    assert (done.code, done.err) == (0, "")
    assert stemscan("import", "nan.npy", "--mask", "mask.npy", "--dose", 10, "-o", "a.zarr").code == 2


def test_counts_outside_the_mask_are_said(stemscan: Stemscan, tmp_path: Path) -> None:
    np.save("f.npy", np.array([[3, 0], [4, 5]]))
    np.save("m.npy", np.array([[1, 1], [0, 0]]))
    done = stemscan("import", "f.npy", "--mask", "m.npy", "--dose", 10, "-o", "a.zarr")
    assert done.code == 0
    assert done.err == "warning: left out 2 numbers other than zero where the mask says not visited\n"


def test_one_table_of_positions_and_counts(stemscan: Stemscan) -> None:
    Path("t.csv").write_text("x;y;Wert;counts\n2,25;1;0;7\n0;3;0;8\n")
    done = stemscan("import", "t.csv", "--shape", "4x4", "--dose", 10, "-o", "a.zarr")
    assert done.code == 0
    assert done.err == "warning: columns that tell neither place, pass nor counts were not read: Wert\n"
    assert "at most 0.25 px" in done.out
    store = Acquisition.open("a.zarr")
    actual = store.actual()
    assert actual is not None
    assert actual.tolist() == [[1, 2.25], [3, 0]]
    assert store.positions().tolist() == [[1, 2], [3, 0]]
    assert store.counts().reshape(-1).tolist() == [7, 8]
    assert stemscan("recon", "a.zarr", "--method", "normconv", "-o", "a.npy").code == 0
    from stemscan.recon.inputs.reading import load_inputs

    assert load_inputs("a.zarr").source["positions"] == "actual"


def test_passes_of_a_table(stemscan: Stemscan) -> None:
    Path("t.csv").write_text("pass,row,column,counts\n2,0,0,5\n1,1,1,6\n2,1,0,7\n")
    assert stemscan("import", "t.csv", "--shape", "2x2", "--dose", 10, "-o", "a.zarr").code == 0
    np.testing.assert_array_equal(
        Acquisition.open("a.zarr").frames().reshape(2, 2, 2), [[[0, 0], [0, 6]], [[5, 0], [7, 0]]]
    )
    Path("t.csv").write_text("pass,row,column,counts\n3,0,0,5\n1,1,1,6\n")
    assert "passes numbered" in stemscan("import", "t.csv", "--shape", "2x2", "--dose", 10, "-o", "b.zarr").err


def test_nameless_tables_are_asked_for_names(stemscan: Stemscan) -> None:
    np.save("t.npy", np.array([[2, 1, 7], [0, 3, 8]]))
    options = ("import", "t.npy", "--shape", "4x4", "--dose", 10, "-o", "a.zarr")
    done = stemscan(*options)
    assert (done.code, "--columns row,column,counts" in done.err) == (2, True)
    assert stemscan(*options, "--columns", "x,y,counts").code == 0
    assert Acquisition.open("a.zarr").positions().tolist() == [[1, 2], [3, 0]]


def test_negative_readings_are_data_of_a_detector_with_a_gain(stemscan: Stemscan, measured: None) -> None:
    frames, mask = np.load("frames.npy").astype(np.int64) * 10 - 37, np.load("mask.npy")
    np.save("dark.npy", frames)
    done = stemscan("import", "dark.npy", "--mask", "mask.npy", "--dose", 10, "-o", "b.zarr")
    assert (done.code, "--gain" in done.err) == (2, True)
    options = ("--mask", "mask.npy", "--gain", 10, "--dose", 10, "-o", "a.zarr")
    assert stemscan("import", "dark.npy", *options).code == 0
    store = Acquisition.open("a.zarr")
    np.testing.assert_array_equal(store.counts().reshape(-1), frames[mask])
    assert store.counts().min() < 0


def test_sparse_frames_are_refused_by_their_shape(stemscan: Stemscan, measured: None) -> None:
    with Path("big.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (1 << 16, 1 << 16)}
        )
        file.truncate(file.tell() + (1 << 35))
    for arguments in (
        ("big.npy", "--mask", "one.npy"),
        ("frames.npy", "--mask", "big.npy"),
        ("values.csv", "--positions", "big.npy", "--shape", "20x30"),
        ("big.npy", "--positions", "points.csv", "--shape", "20x30"),
    ):
        done = stemscan("import", *arguments, "--dose", 10, "-o", "a.zarr")
        assert done.code == 2, done.err
        assert "shape" in done.err


def test_one_signal_of_several_is_chosen_and_none_taken_unsaid(stemscan: Stemscan) -> None:
    frames = np.random.default_rng(0).integers(0, 50, (2, 12, 10)).astype(np.uint16)
    np.savez("two.npz", haadf=frames, bf=frames + 100)
    mask = np.zeros((12, 10), np.uint8)
    mask[::3, ::2] = 1
    np.save("m.npy", mask)
    done = stemscan("import", "two.npz", "--mask", "m.npy", "--dose", "10", "-o", "a.zarr")
    assert done.code == 2
    assert "haadf, bf" in done.err
    done = stemscan("import", "two.npz", "--mask", "m.npy", "--dose", "10", "-o", "a.zarr", "--frame", "bf")
    assert done.code == 0, done.err
    visited = Acquisition.open("a.zarr")
    np.testing.assert_array_equal(visited.frames()[:, mask > 0], (frames + 100)[:, mask > 0])
    done = stemscan("import", "two.npz", "--mask", "m.npy", "--dose", "10", "-o", "b.zarr", "--frame", "haadf:1")
    assert done.code == 0, done.err
    assert Acquisition.open("b.zarr").passes == 1


@pytest.mark.parametrize("name", ["frames.tif", "frames.csv", "frames"])
def test_the_pixel_size_of_frames_is_taken_whatever_they_are_called(stemscan: Stemscan, name: str) -> None:
    """A TIFF is one by its first bytes, and tells its own pixel size."""
    frames = np.arange(1, 33 * 32 + 1, dtype=np.uint16).reshape(33, 32)
    frames[frames % 3 != 0] = 0
    tifffile.imwrite(name, frames, imagej=True, resolution=(50.0, 50.0), metadata={"unit": "nm"})
    np.save("mask.npy", frames > 0)
    done = stemscan("import", name, "--mask", "mask.npy", "--dose", "10", "-o", "a.zarr", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["pixel_size_nm"] == pytest.approx(0.02)
    assert Acquisition.open("a.zarr").pixel_size_nm == pytest.approx(0.02)
    given = ("--pixel-size", "0.05nm", "--overwrite")
    done = stemscan("import", name, "--mask", "mask.npy", "--dose", "10", "-o", "a.zarr", *given)
    assert done.code == 0
    assert "its pixel size is 0.02 nm, 0.05 nm was given and is taken" in done.err
    assert Acquisition.open("a.zarr").pixel_size_nm == pytest.approx(0.05)


def test_a_turned_picture_is_turned_and_reported(stemscan: Stemscan) -> None:
    """Frames and specimens alike, also where the turned picture does not fit the plan."""
    frames = np.random.default_rng(2).integers(0, 50, (20, 32)).astype(np.uint16)
    tifffile.imwrite("turned.tif", frames, extratags=[(274, "H", 1, 6, True)])
    np.save("mask.npy", np.ones((32, 20), bool))
    done = stemscan("import", "turned.tif", "--mask", "mask.npy", "--dose", "10", "-o", "a.zarr")
    assert (done.code, done.err) == (0, "")
    assert "turned as the file says (orientation 6)" in done.out
    np.testing.assert_array_equal(Acquisition.open("a.zarr").frames()[0], np.rot90(frames, -1))
    for shape, code in (("32x20", 0), ("20x32", 1)):
        assert stemscan("plan", "-o", "p.yaml", "--shape", shape, "--block", "4", "--overwrite").code == 0
        done = stemscan("simulate", "p.yaml", "turned.tif", "-o", "b.zarr", "--overwrite")
        assert done.code == code
        assert "turned as the file says (orientation 6)" in done.out + done.err


def test_several_detectors(stemscan: Stemscan, measured: None) -> None:
    frames = np.load("frames.npy")
    np.save("bf.npy", frames + 3)
    np.save("stack.npy", np.stack([frames, frames + 3], axis=1))
    rest = ("--mask", "mask.npy", "--dose", 10)
    done = stemscan("import", "frames.npy", "bf.npy", *rest, "--gain", 1, "--gain", 2, "--offset", 3, "-o", "a.zarr")
    assert done.code == 0
    assert "frames, bf" in done.out
    store = Acquisition.open("a.zarr")
    assert [(one.name, one.gain, one.offset) for one in store.channels] == [("frames", 1, 3), ("bf", 2, 3)]
    mask = np.load("mask.npy")
    np.testing.assert_array_equal(store.frames(channel=1), (frames + 3) * mask)
    named = ("--name", "haadf", "--name", "bf")
    assert stemscan("import", "stack.npy", "--channel-axis", 1, *named, *rest, "-o", "b.zarr").code == 0
    stacked = Acquisition.open("b.zarr")
    assert [one.name for one in stacked.channels] == ["haadf", "bf"]
    np.testing.assert_array_equal(stacked.frames(channel=0), frames)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["frames.npy", "frames.npy", "--gain", 1, "--gain", 2, "--gain", 3],
            "--gain: expected one, or one for each of 2",
        ),
        (["frames.npy", "nan.npy", "--name", "x"], "--name: expected one for each of 2 channels"),
        (["frames.npy", "--channel-axis", 5], "--channel-axis: expected an array"),
        (["frames.npy", "frames.npy", "--channel-axis", 0], "--channel-axis: expected one array"),
        (["frames.npy", "frames.npy", "--name", "x", "--name", "X"], "name of its own"),
    ],
)
def test_detectors_that_do_not_go_together(
    stemscan: Stemscan, measured: None, arguments: list[object], message: str
) -> None:
    done = stemscan("import", *arguments, "--mask", "mask.npy", "--dose", 10, "-o", "a.zarr")
    assert done.code == 2
    assert message in done.err


def test_detectors_of_other_places(stemscan: Stemscan, measured: None) -> None:
    frames = np.load("nan.npy")
    frames[0, :, :] = np.roll(frames[0], 1, axis=1)
    np.save("moved.npy", frames)
    done = stemscan("import", "nan.npy", "moved.npy", "--dose", 10, "-o", "a.zarr")
    assert done.code == 2
    assert "all channels at the same places" in done.err


def test_dead_time_is_kept_and_made_up_for(stemscan: Stemscan, measured: None) -> None:
    scan = ("frames.npy", "--mask", "mask.npy", "--dose", 10)
    assert stemscan("import", *scan, "--dead-time", 0.01, "-o", "a.zarr").code == 0
    store = Acquisition.open("a.zarr")
    assert store.detector.dead_share == 0.01
    np.testing.assert_array_equal(store.electrons() > store.counts(), store.counts() > 1)
    assert "dead for 1 % of a dwell" in stemscan("info", "a.zarr").out
    refused = stemscan("import", *scan, "--dead-time", -1, "-o", "b.zarr")
    assert (refused.code, "dead time of 0 to" in refused.err, Path("b.zarr").exists()) == (2, True, False)


def test_full_scans_need_no_mask_of_their_own(stemscan: Stemscan) -> None:
    frames = np.random.default_rng(1).poisson(5, (2, 16, 16)).astype(np.uint16)
    np.save("full.npy", frames)
    done = stemscan("import", "full.npy", "--mask", "all", "--dose", "5", "-o", "full.zarr", "--json")
    assert done.code == 0, done.err
    store = Acquisition.open("full.zarr")
    assert np.array_equal(store.frames(), frames)
    assert (store.visits() == 1).all()
    np.save("channels.npy", np.stack([frames, frames], axis=1))
    done = stemscan("import", "channels.npy", "--channel-axis", "1", "--mask", "all", "--dose", "5", "-o", "two.zarr")
    assert done.code == 0, done.err
    done = stemscan("import", "full.npy", "--dose", "5", "-o", "none.zarr")
    assert done.code == 2
    assert "--mask all of full scans" in done.err
