"""`stemscan recon`, `info` on a reconstruction, `weights import` and `demo` through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.large.layout import Sizes
from stemscan.recon.output.zarr_image import read_reconstruction
from stemscan.recon.registry import DEFAULT_METHOD, ready_methods
from stemscan.recon.run import reconstruct
from stemscan.store.reader import Acquisition
from tests.cli.conftest import Stemscan


@pytest.fixture
def acquired(stemscan: Stemscan) -> None:
    """A small acquisition in acq.zarr."""
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "96x80", "--pixel-size", "0.02nm").code == 0
    assert stemscan("simulate", "plan.yaml", "crystal:SrTiO3", "-o", "acq.zarr").code == 0


@pytest.mark.parametrize("method", ready_methods())
def test_every_method_gives_the_library_s_image(stemscan: Stemscan, acquired: None, method: str) -> None:
    done = stemscan("recon", "acq.zarr", "-o", "image.npy", "--method", method)
    assert (done.code, done.err) == (0, "")
    assert "PSNR absolute" in done.out
    image = np.load("image.npy")
    assert (image.shape, image.dtype) == ((96, 80), np.float32)
    np.testing.assert_array_equal(image, reconstruct(load_inputs("acq.zarr"), method).image)


def test_every_suffix(stemscan: Stemscan, acquired: None) -> None:
    for suffix in ("zarr", "tif", "npy", "png"):
        assert stemscan("recon", "acq.zarr", "-o", f"image.{suffix}", "-q").code == 0
    image = np.load("image.npy")
    stored = read_reconstruction("image.zarr")
    assert stored.contradiction is not None
    np.testing.assert_array_equal(tifffile.imread("image.tif"), [image, stored.std, stored.contradiction])
    np.testing.assert_array_equal(stored.image, image)
    assert stored.std is not None
    assert Path("image.png").read_bytes().startswith(b"\x89PNG")
    told = [json.loads(stemscan("info", f"image.{suffix}", "--json").out) for suffix in ("zarr", "tif", "png")]
    assert told[0] == told[1] == told[2]


def test_two_equal_runs_write_the_same_bytes(stemscan: Stemscan, acquired: None) -> None:
    for name in ("image.zarr", "image.tif", "image.ome.tif", "image.npy", "image.png"):
        found = []
        for _ in range(2):
            report = json.loads(stemscan("recon", "acq.zarr", "-o", name, "--overwrite", "--json").out)
            assert report["seconds"] > 0
            path = Path(name)
            files = [path] if path.is_file() else sorted(path.rglob("*"))
            found.append({str(file): file.read_bytes() for file in files if file.is_file()})
        assert found[0] == found[1], name


def test_json_and_info(stemscan: Stemscan, acquired: None) -> None:
    report = json.loads(stemscan("recon", "acq.zarr", "-o", "image.zarr", "--json").out)
    assert report["method"] == DEFAULT_METHOD == "blend"
    assert report["metrics"]["psnr"] > 20
    assert report["source"]["store_digest"] == Acquisition.open("acq.zarr").digest()
    told = json.loads(stemscan("info", "image.zarr", "--json").out)
    assert told["type"] == "reconstruction"
    assert told["metrics"] == report["metrics"]
    assert "blend" in stemscan("info", "image.zarr").out


def test_contradictions_are_counted_and_listed(stemscan: Stemscan, acquired: None) -> None:
    for method, some in (("nearest", False), ("constant", True)):
        options = ("--method", method, "--overwrite")
        said = stemscan("recon", "acq.zarr", "-o", "image.zarr", *options).out
        report = json.loads(stemscan("recon", "acq.zarr", "-o", "image.zarr", *options, "--json").out)
        found = report["contradictions"]
        assert (found["count"] > 0) == some
        assert f"{found['count']} places where the counts contradict the image" in said
        assert found["places"] == sorted(found["places"], key=lambda place: -abs(place[2]))
        assert all(abs(z) >= found["threshold"] - 0.01 for _, _, z in found["places"])
        told = stemscan("info", "image.zarr").out
        assert f"{found['count']} places where the counts contradict the image" in told
        assert (f"({found['places'][0][0]}, {found['places'][0][1]}) by" in told) if some else "by" not in told


def test_native_grid_and_settings(stemscan: Stemscan, acquired: None) -> None:
    options = (
        "--method",
        "fourier-eb",
        "--grid",
        "native",
        "--set",
        "factor=2",
        "--set",
        "windows=false",
        "--threads",
        1,
        "--json",
    )
    report = json.loads(stemscan("recon", "acq.zarr", "-o", "image.npy", *options).out)
    assert np.load("image.npy").shape == (48, 40)
    assert report["settings"]["windows"] is False
    assert report["metrics"] is None


BAD = [
    (["missing.zarr", "-o", "a.tif"], 2, "missing.zarr"),
    (["plan.yaml", "-o", "a.tif"], 1, "plan.yaml"),
    (["folder", "-o", "a.tif"], 1, "folder"),
    (["acq.zarr", "-o", "a.bmp"], 2, ".zarr, .tif"),
    (["acq.zarr", "-o", "none/a.tif"], 2, "none"),
    (["acq.zarr", "-o", "a.tif", "--method", "magic"], 2, "fourier-eb"),
    (["acq.zarr", "-o", "a.tif", "--method", "csnet"], 1, "stemscan train"),
    (["acq.zarr", "-o", "a.tif", "--method", "fshnet", "--weights", "none.safetensors"], 2, "none.safetensors"),
    (["acq.zarr", "-o", "a.tif", "--method", "fshnet", "--weights", "plan.yaml"], 1, "plan.yaml"),
    (["acq.zarr", "-o", "a.tif", "--method", "normconv", "--weights", "plan.yaml"], 2, "weights"),
    (["acq.zarr", "-o", "a.tif", "--weights", "plan.yaml"], 1, "plan.yaml"),
    (["acq.zarr", "-o", "a.tif", "--device", "abacus"], 2, "abacus"),
    (["acq.zarr", "-o", "a.tif", "--grid", "fine"], 2, "plan, native"),
    (["acq.zarr", "-o", "a.tif", "--threads", "0"], 2, "0"),
    (["acq.zarr", "-o", "a.tif", "--variant", "half"], 2, "full, paper"),
    (["acq.zarr", "-o", "a.tif", "--variant", "paper", "--method", "bpfa"], 2, "bpfa"),
    (["acq.zarr", "-o", "a.tif", "--variant", "paper", "--weights", "fshnet"], 2, "--weights"),
    (["acq.zarr", "-o", "a.tif", "--set", "color=red"], 2, "color"),
    (["acq.zarr", "-o", "a.tif", "--method", "fourier-eb", "--set", "windows"], 2, "NAME=VALUE"),
    (["acq.zarr", "-o", "a.tif", "--method", "fourier-eb", "--set", "windows=[1"], 2, "windows"),
    (["acq.zarr", "-o", "a.tif", "--method", "fourier-eb", "--set", "windows=maybe"], 2, "windows"),
    (["acq.zarr", "-o", "a.tif", "--method", "fourier-eb", "--set", "factor=3"], 1, "factor"),
    (["acq.zarr", "-o", "acq.zarr", "--overwrite"], 2, "acq.zarr"),
    (["acq.zarr", "-o", "plan.yaml"], 2, "plan.yaml"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=[" ".join(arguments) for arguments, _, _ in BAD])
def test_bad_use_is_one_sentence(
    stemscan: Stemscan, acquired: None, arguments: list[str], code: int, words: str
) -> None:
    Path("folder").mkdir()
    before = sorted(Path().iterdir())
    done = stemscan("recon", *arguments)
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert sorted(Path().iterdir()) == before


def test_damaged_store_is_one_sentence(stemscan: Stemscan, acquired: None) -> None:
    chunk = next(path for path in Path("acq.zarr/samples/counts/c").rglob("*") if path.is_file())
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    for path in Path("acq.zarr/frames/c").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-3])
    done = stemscan("recon", "acq.zarr", "-o", "a.tif")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert not Path("a.tif").exists()


def test_weights_from_the_authors_file(stemscan: Stemscan, acquired: None, shared_dir: Path) -> None:
    published = shared_dir / "reference" / "fshnet-published.safetensors"
    done = stemscan("weights", "import", published, "-o", "w.safetensors")
    assert done.code == 0
    report = json.loads(
        stemscan("recon", "acq.zarr", "-o", "f.npy", "--method", "fshnet", "--weights", "w.safetensors", "--json").out
    )
    assert report["metrics"]["psnr_affine"] > 15
    assert stemscan("weights", "import", published, "-o", "w.safetensors").code == 2


def test_variants_are_the_shipped_weights(stemscan: Stemscan, acquired: None) -> None:
    for variant, network in (("full", "fshnet-full"), ("paper", "fshnet")):
        done = stemscan("recon", "acq.zarr", "-o", f"{variant}.npy", "--variant", variant, "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["settings"]["architecture"] == network
    np.testing.assert_array_equal(np.load("paper.npy"), _reconstructed(stemscan, "p.npy", "--weights", "fshnet-paper"))
    np.testing.assert_array_equal(np.load("full.npy"), _reconstructed(stemscan, "f.npy", "--method", "fshnet"))


def _reconstructed(stemscan: Stemscan, name: str, *options: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    assert stemscan("recon", "acq.zarr", "-o", name, *options).code == 0
    image: np.ndarray[tuple[int, int], np.dtype[np.float32]] = np.load(name)
    return image


def test_weights_that_are_none(stemscan: Stemscan) -> None:
    Path("w.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    Path("w.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    for name in ("w.pkl", "w.safetensors"):
        done = stemscan("weights", "import", name, "-o", "out.safetensors")
        assert done.code == 1
        assert done.err.count("\n") == 1
    assert not Path("out.safetensors").exists()


@pytest.mark.parametrize(
    "options", [("--specimen", "none.tif"), ("--weights", "none.safetensors"), ("--pixel-size", "1"), ("--shape", "9")]
)
def test_a_demo_that_cannot_be_made_leaves_nothing(stemscan: Stemscan, options: tuple[str, str]) -> None:
    done = stemscan("demo", "show", *options)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert not Path("show").exists()


def test_demo(stemscan: Stemscan) -> None:
    done = stemscan("demo", "show", "--shape", "128x128", "--pixel-size", "0.02nm")
    assert (done.code, done.err) == (0, "")
    methods = ready_methods()
    files = {"plan.yaml", "acq.zarr", "panel.png", "metrics.csv", *(f"{name}.tif" for name in methods)}
    assert {path.name for path in Path("show").iterdir()} == files
    for name in ("panel.png", "metrics.csv", "acq.zarr", "Next:", *methods):
        assert name in done.out
    table = Path("show/metrics.csv").read_text().splitlines()
    assert len(table) == len(methods) + 1
    assert stemscan("demo", "show", "--shape", "128x128").code == 2
    report = json.loads(stemscan("demo", "show", "--shape", "128x128", "--overwrite", "--json").out)
    assert set(report["methods"]) == set(methods)


def test_positions_are_the_actual_ones_unless_told(stemscan: Stemscan, acquired: None) -> None:
    assert stemscan("simulate", "plan.yaml", "crystal:SrTiO3", "--coil-tau", "3us", "-o", "lag.zarr").code == 0
    scores = {}
    for name, options in (("actual", ()), ("commanded", ("--positions", "commanded"))):
        told = json.loads(
            stemscan("recon", "lag.zarr", "-o", f"{name}.npy", "--method", "fourier-eb", "--json", *options).out
        )
        assert told["source"]["positions"] == name
        scores[name] = told["metrics"]["psnr"]
    assert scores["actual"] > scores["commanded"] + 1
    done = stemscan("recon", "acq.zarr", "-o", "c.npy", "--positions", "actual")
    assert done.code == 1
    assert "expected a store with actual positions" in done.err
    done = stemscan("recon", "acq.zarr", "-o", "c.npy", "--positions", "real")
    assert done.code == 2


def test_a_large_frame_is_made_in_tiles(stemscan: Stemscan, acquired: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = Sizes(chunk=32, whole=64, margin=16, taper=4)
    monkeypatch.setattr("stemscan.recon.large.layout.SIZES", sizes)
    monkeypatch.setattr("stemscan.recon.large.run.tiles_at_once", lambda *_: 1)
    asked = ("recon", "acq.zarr", "-o", "large.zarr", "--method", "fourier-eb", "--memory", "2GiB", "--resume")
    done = stemscan(*asked)
    assert (done.code, done.err) == (0, "")
    assert "tiles of 96 x 96 pixels" in done.out
    assert "PSNR absolute" in done.out
    stored = read_reconstruction("large.zarr")
    np.testing.assert_array_equal(stored.image, reconstruct("acq.zarr", "fourier-eb").image)
    again = stemscan(*asked)
    assert (again.code, again.out) == (0, "large.zarr: is made already, nothing was done\n")
    other = stemscan("recon", "acq.zarr", "-o", "large.zarr", "--method", "columns", "--resume")
    assert other.code == 1
    assert "expected 'large.zarr' to be made of these samples in this way, got another" in other.err
    assert stemscan(*asked, "--set", "regression=false").code == 1
    assert stemscan(*asked, "--grid", "native").code == 2
    assert stemscan(*asked, "--overwrite").code == 0
    assert stemscan(*asked[:-1]).code == 2  # never overwritten unasked
    assert not list(Path().glob(".*.tiles"))


def test_a_wrong_size_of_memory_is_told(stemscan: Stemscan, acquired: None) -> None:
    done = stemscan("recon", "acq.zarr", "-o", "r.zarr", "--memory", "2 gigs")
    assert done.code == 2
    assert "expected a size with a unit" in done.err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "--scheduler: expected a frame that is made in tiles, beyond 2048 x 2048 pixels, got "),
        (("--memory", "2GiB"), "--memory: expected no --scheduler beside it, got tcp://127.0.0.1:9"),
    ],
)
def test_a_cluster_for_what_it_cannot_do(stemscan: Stemscan, acquired: None, more: tuple[str, ...], told: str) -> None:
    done = stemscan("recon", "acq.zarr", "-o", "image.npy", "--scheduler", "tcp://127.0.0.1:9", *more)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert told in done.err
