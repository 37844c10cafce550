"""Cases: the images, what the digest depends on, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import InputNotFoundError, SpecimenError, UsageError
from stemscan.recon.evaluation.cases import Case, Cell, Grid, all_cases, percent
from stemscan.recon.evaluation.contenders import ORACLE, parse_contender
from stemscan.recon.evaluation.images import TEST_SEED, folder_images, loaded, synthetic_images
from stemscan.recon.evaluation.run import run_case
from stemscan.recon.evaluation.scans import scanned
from stemscan.simulators.api import synthetic_specimen
from tests.recon.evaluation.kit import images
from tests.recon.sampling_kit import lattice


def case() -> Case:
    return Case(images()[0], Cell("poisson", 3, 10.0), 4, 1, parse_contender("nearest"))


def test_test_set_is_beyond_the_seeds_of_training() -> None:
    assert TEST_SEED >= 2**63
    first = loaded(synthetic_images(1, 64)[0])
    np.testing.assert_array_equal(first.fine, synthetic_specimen((64, 64), seed=TEST_SEED, index=0).signal)
    np.testing.assert_allclose(first.coarse, first.fine.reshape(32, 2, 32, 2).mean(axis=(1, 3)), atol=1e-6)


def test_digest_names_what_decides_the_row_and_nothing_else() -> None:
    one = case()
    same = replace(one, contender=replace(one.contender, label="other name"))
    assert same.digest == one.digest
    others = [
        replace(one, image=images()[1]),
        replace(one, cell=Cell("eq5", 3, 10.0)),
        replace(one, cell=Cell("poisson", 4, 10.0)),
        replace(one, cell=Cell("poisson", 3, 11.0)),
        replace(one, passes=5),
        replace(one, seed=2),
        replace(one, device="cuda"),
        replace(one, contender=parse_contender("constant")),
        replace(one, contender=replace(one.contender, weights_sha256="a")),
        replace(one, contender=parse_contender("nearest=normconv,width=1")),
        replace(one, contender=parse_contender("nearest=normconv,width=2")),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == len(others) + 1


def test_images_have_independent_scans_and_contenders_the_same() -> None:
    one = case()
    other = replace(one, image=images()[1])
    assert (scanned(one).visits != scanned(other).visits).any()
    again = scanned(replace(one, contender=parse_contender("constant")))
    np.testing.assert_array_equal(scanned(one).frames, again.frames)
    assert scanned(one).truth is None


def test_order_and_where_the_oracle_is_defined() -> None:
    grid = Grid(("poisson", "published"), (1, 2), (10.0, 25.0))
    contenders = [parse_contender("nearest"), parse_contender(ORACLE)]
    cases = all_cases(images(), grid, contenders, "cuda")
    assert len(cases) == 2 * (2 * 2 * 2 + 2 * 2)
    assert not any(one.contender.method == ORACLE and one.cell.noise == "published" for one in cases)
    assert {one.device for one in cases} == {"cpu"}
    assert all_cases(images(), grid, [parse_contender("fourier-eb")], "cuda")[0].device == "cuda"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"noises": ()}, "noise"),
        ({"noises": ("gauss",)}, "gauss"),
        ({"samples_per_block": (0,)}, "1 to 64"),
        ({"samples_per_block": (3, 3)}, "once"),
        ({"doses": (0.0,)}, "doses"),
        ({"doses": (float("nan"),)}, "doses"),
        ({"passes": 0}, "passes"),
        ({"noises": ("published",), "passes": 5}, "4 passes"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_grids_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Grid(**values)  # type: ignore[arg-type]


def test_ratios_as_the_paper_writes_them() -> None:
    assert [percent(n) for n in range(1, 7)] == ["1.56 %", "3.12 %", "4.69 %", "6.25 %", "7.81 %", "9.38 %"]


def test_folder_of_images(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", lattice((40, 48)))
    np.save(tmp_path / "flat.npy", np.ones((40, 40)))
    (tmp_path / "notes.txt").write_text("no image")
    found, left_out = folder_images(tmp_path)
    assert [one.name for one in found] == ["a"]
    assert left_out[0] == "left out 1 file of no format of pictures: notes.txt"
    assert left_out[1].startswith("flat.npy was left out")
    assert len(left_out) == 2
    image = loaded(found[0])
    assert (image.fine.shape, image.coarse.shape, found[0].shape) == ((80, 96), (40, 48), (80, 96))
    corner = loaded(folder_images(tmp_path, ["a"], 16)[0][0])
    assert corner.fine.shape == (32, 32)
    np.save(tmp_path / "a.npy", lattice((40, 48), 9.0))
    loaded.cache_clear()
    with pytest.raises(SpecimenError, match="another"):
        loaded(found[0])
    assert "another" in run_case(replace(case(), image=found[0])).measured.error


def test_folders_that_cannot_be_meant(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="nowhere"):
        folder_images(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="none"):
        folder_images(tmp_path)
    with pytest.raises(UsageError, match="missing"):
        folder_images(tmp_path, ["missing"])
    with pytest.raises(UsageError, match="multiple of 8"):
        synthetic_images(1, 60)
    with pytest.raises(UsageError, match="-1"):
        synthetic_images(-1, 64)
