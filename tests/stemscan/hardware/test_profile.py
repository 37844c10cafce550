"""Controller profiles: those that come with the package, people's own, and mistakes in them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import InputNotFoundError, ProfileError
from stemscan.hardware.profile import (
    ControllerProfile,
    DwellSteps,
    Grid,
    Link,
    ProgramLimits,
    Settle,
    load_profile,
    profile_names,
    profile_text,
)

GOOD = """
version: 1
name: mine
grid: {bits: 12, columns: 4096, rows: 4096}
dwell: {quantum_ns: 50, largest: 1000}
"""


def test_profiles_that_come_with_the_package() -> None:
    assert set(profile_names()) >= {"obi", "fei-stream", "fei-stream-12", "de-freescan", "ideal", "template"}
    for name in profile_names():
        assert load_profile(name).name == name
    obi = load_profile("obi")
    assert (obi.grid.bits, obi.grid.columns, obi.dwell.quantum_ns) == (14, 16384, 125)
    assert obi.dwell.largest * obi.dwell.quantum_ns == 8_191_875
    assert (obi.dwell.offset, obi.dwell.averaging, obi.blanker) == (1, "first-power-of-two", "inline")
    fei = load_profile("fei-stream")
    assert (fei.grid.columns, fei.grid.rows) == (65536, 56576)


def test_the_template_explains_every_key() -> None:
    text = profile_text("template")
    parts = (ControllerProfile, Grid, DwellSteps, Settle, Link, ProgramLimits)
    keys = [field for model in parts for field in model.model_fields]
    assert not [key for key in keys if not re.search(rf"(?<!\w){key}:", text)]
    optional = [name for model in parts for name, field in model.model_fields.items() if not field.is_required()]
    unmarked = {"version", "time_constant_ns", "tolerance_px", "per_jump"}  # version is there to be written
    assert not [key for key in optional if key not in unmarked and f"[{key}]" not in text]


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    assert load_profile(file) == load_profile(str(file))
    assert load_profile(file).park is None


def test_shipped_names_go_before_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("obi", "mine"):
        Path(name).write_text(GOOD)
    assert load_profile("obi").grid.bits == 14
    assert load_profile("mine").name == load_profile(Path("obi")).name == "mine"


BAD = {
    "no profile": ("- 1", "mapping"),
    "unknown key": (GOOD + "colour: red", "colour (line 6)"),
    "missing key": (GOOD.replace("name: mine", ""), "name"),
    "wrong type": (GOOD.replace("50", "fast"), "dwell.quantum_ns (line 5)"),
    "nan": (GOOD + "settle: {time_constant_ns: .nan}", "settle.time_constant_ns"),
    "more codes than bits": (GOOD.replace("12", "11"), "2048"),
    "two settles": (GOOD + "settle: {time_constant_ns: 1.0, per_jump: [[0, 0]]}", "keep one"),
    "jumps unsorted": (GOOD + "settle: {per_jump: [[1, 0], [1, 5]]}", "ascending"),
    "park outside": (GOOD + "park: [0, 4096]", "park"),
    "smallest above largest": (GOOD.replace("largest", "smallest: 2000, largest"), "smallest <= largest"),
    "line of a rule": (GOOD.replace("largest", "smallest: 2000, largest"), "dwell (line 5): expected smallest"),
    "line of a rule of two parts": (GOOD + "park: [0, 4096]", "park (line 6): expected a code"),
    "long value": (GOOD + f"blanker: {'x' * 500}", "xxx...; correct it"),
    "endlessly slow link": (GOOD + "link: {bytes_per_second: 1.0e-300, bytes_per_step: 6}", "bytes_per_second"),
    "endlessly long steps": (GOOD + "link: {bytes_per_second: 1000, bytes_per_step: 1.0e+300}", "bytes_per_step"),
    "no tolerance": (GOOD + "settle: {time_constant_ns: 5, tolerance_px: 1.0e-300}", "tolerance_px"),
    "free transform": (GOOD.replace("4096}", "4096, transform: flipped}"), "'none' or 'transpose'"),
    "free origin": (GOOD.replace("4096}", "4096, origin: centre}"), "'top-left', 'top-right'"),
    "alias": (GOOD + "park: &a [0, 0]", "anchor"),
    "object": (GOOD + "park: !!python/object:os.system {}", "tag"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_one_sentence(tmp_path: Path, name: str) -> None:
    text, words = BAD[name]
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ProfileError) as caught:
        load_profile(file)
    assert words in str(caught.value)
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_profile(tmp_path: Path) -> None:
    for name in ("obo", str(tmp_path / "none.yaml")):
        with pytest.raises(InputNotFoundError, match=r"obo|none\.yaml"):
            load_profile(name)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="UTF-8"):
        load_profile(tmp_path / "bytes.yaml")


def test_waiting_by_time_constant_and_by_table() -> None:
    jumps = np.array([0.0, 0.5, 0.5 * np.e, 100.0])
    np.testing.assert_allclose(Settle(time_constant_ns=5000.0).wait_ns(jumps), [0, 0, 5000, 5000 * np.log(200)])
    table = Settle(per_jump=((1.0, 0.0), (11.0, 1000.0)))
    np.testing.assert_allclose(table.wait_ns(np.array([0.0, 1.0, 6.0, 11.0, 500.0])), [0, 0, 500, 1000, 1000])
