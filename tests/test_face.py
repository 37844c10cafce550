"""The public names: all there, lazy, documented; and the README's example."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import stemscan as ss

ROOT = Path(__file__).resolve().parents[1]


def test_every_public_name_is_there_and_documented() -> None:
    assert set(ss.__all__) <= set(dir(ss))
    for name in ss.__all__:
        assert getattr(ss, name).__doc__, name


def test_the_stub_lists_what_the_package_exports() -> None:
    listed = re.search(r"__all__ = \[(.*?)\]", (ROOT / "stemscan" / "__init__.pyi").read_text(), re.DOTALL)
    assert listed is not None
    assert re.findall(r'"(\w+)"', listed[1]) == sorted(ss.__all__)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        getattr(ss, "nothing_here")  # noqa: B009


def test_every_public_name_can_be_imported_alone() -> None:
    code = "import sys, stemscan\nfor name in stemscan.__all__: getattr(stemscan, name)\nprint(len(stemscan.__all__))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) == len(ss.__all__)


def test_the_example_of_the_readme_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    example = next(block for block in blocks if "import stemscan as ss" in block)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert isinstance(names["acq"], ss.Acquisition)
    reconstruction = names["rec"]
    assert isinstance(reconstruction, ss.Reconstruction)
    assert reconstruction.compare(names["acq"].truth).psnr > 25
    assert (tmp_path / "small.tif").stat().st_size > 4 * 256 * 256
    assert isinstance(ss.load("small.zarr"), ss.Acquisition)


def made(std: bool = True) -> ss.Reconstruction:
    image = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    return ss.Reconstruction(image, np.float32(0.1) * image if std else None, "linear", {}, 0.25, pixel_size_nm=0.02)


def test_a_reconstruction_shows_itself() -> None:
    lines = repr(made()).splitlines()
    assert lines[0] == "Reconstruction by linear"
    assert "  pixel size          0.02 nm" in lines
    html = made()._repr_html_()
    assert html.startswith("<div><b>Reconstruction by linear</b><img ")
    assert "data:image/png;base64,iVBOR" in html


def test_a_reconstruction_is_its_image_for_numpy() -> None:
    assert np.array_equal(np.asarray(made()), made().image)
    assert ss.compare(made(), made().image).psnr == np.inf


def test_compare_without_a_truth_says_so() -> None:
    with pytest.raises(ss.StemscanError, match="expected the truth, got None"):
        made().compare(None)


def test_saved_and_loaded_again(tmp_path: Path) -> None:
    path = made().save(tmp_path / "a.zarr")
    again = ss.load(path)
    assert isinstance(again, ss.Reconstruction)
    assert again.method == "linear"
    assert "time" not in repr(again)
    with pytest.raises(ss.StemscanError, match="exists"):
        made().save(path)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x: 1")])
def test_what_cannot_be_loaded_is_said_in_a_sentence(tmp_path: Path, make: object) -> None:
    path = tmp_path / "thing"
    assert callable(make)
    make(path)
    with pytest.raises(ss.StemscanError, match="expected "):
        ss.load(path)
