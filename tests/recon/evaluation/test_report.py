"""Tables in the layout of the paper, and figures."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stemscan.recon.evaluation.averages import Averages
from stemscan.recon.evaluation.cache import Cache
from stemscan.recon.evaluation.cases import Grid, all_cases
from stemscan.recon.evaluation.contenders import BESIDE, parse_contender
from stemscan.recon.evaluation.report import means, write_report
from stemscan.recon.evaluation.rows import Measured, row_of
from stemscan.recon.evaluation.session import Evaluation, Request
from stemscan.recon.evaluation.styles import styles_of
from stemscan.recon.evaluation.tables import markdown
from stemscan.recon.paper.numbers import PARAMETERS, SECONDS, TABLE_1, TABLE_3, TABLE_4
from stemscan.recon.registry import built_in
from tests.recon.evaluation.kit import images, request, run

LABELS = ("fourier-eb", "narrow=normconv,width=1", "ablation:flat=lowpass", "spectral-oracle", "constant", "normconv")


@pytest.fixture
def made_up(tmp_path: Path) -> Evaluation:
    """Two images, two ratios, two doses, six contenders, with values that can be told from each other."""
    grid = Grid(("eq5",), (1, 3), (10.0, 25.0))
    asked = Request(images(), grid, tuple(parse_contender(label) for label in LABELS))
    cases = all_cases(asked.images, grid, asked.contenders)
    rows = []
    for case in cases:
        psnr = 20.0 + LABELS.index(next(one for one in LABELS if one.startswith(case.contender.label)))
        psnr += case.cell.samples_per_block + case.cell.dose / 100 + 2 * images().index(case.image)
        within = 0.7 if case.contender.method == "fourier-eb" else float("nan")
        rows.append(row_of(case, Measured(psnr, psnr + 10, psnr - 10, 0.5, 0.4, within, within, 2.5, 1)))
    return Evaluation(asked, tuple(cases), tuple(rows), (1,), len(rows), (), Cache(tmp_path / "cache"))


def table(text: str, title: str, kind: str) -> list[list[str]]:
    """Cells of a table."""
    section = text.split(f"### {title}")[1].split("\n### ")[0]
    lines = section.split(f"{kind} PSNR")[1].split("\n\n")[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_table_1_has_a_line_for_each_ratio_and_dose(made_up: Evaluation) -> None:
    text = markdown(made_up, ["stemscan evaluate"])
    absolute = table(text, "Table 1", "Absolute")
    assert absolute[0] == ["ratio", "dose", "fourier-eb", "narrow", "spectral-oracle", "constant", "normconv"]
    assert [line[:2] for line in absolute[2:]] == [
        ["1.56 %", "10"],
        ["1.56 %", "25"],
        ["4.69 %", "10"],
        ["4.69 %", "25"],
    ]
    assert absolute[2][2] == "22.10/0.500"
    assert absolute[2][6] == "**27.10/0.500**"
    assert absolute[2][4] == "25.10/0.500"
    assert table(text, "Table 1", "Affine")[2][2] == "32.10"
    minmax = table(text, "Table 1", "Min-max")
    assert minmax[0][-1] == "FSHNet, paper"
    assert (minmax[2][2], minmax[2][-1], minmax[5][-1]) == ("12.10/0.400", "25.22/0.818", "26.67/0.868")
    assert "stemscan evaluate" in text


def test_no_scores_of_the_paper_beside_micrographs_of_one_s_own(made_up: Evaluation, tmp_path: Path) -> None:
    own = tuple(replace(image, set="real") for image in made_up.request.images)
    asked = replace(made_up.request, images=own)
    text = markdown(replace(made_up, request=asked, rows=tuple(replace(row, set="real") for row in made_up.rows)))
    assert "paper |" not in text
    assert "published code" not in text
    assert "paper |" in markdown(made_up)


def test_a_method_keeps_its_colour_and_marker_and_variants_their_method_s(made_up: Evaluation) -> None:
    alone = styles_of([parse_contender("fourier-eb")])["fourier-eb"]
    beside = styles_of(
        [parse_contender(text) for text in ("mine=fourier-eb,factor=1", "blend", "fourier-eb", "linear")]
    )
    assert beside["fourier-eb"] == alone
    assert (beside["mine"]["color"], beside["mine"]["marker"]) == (alone["color"], alone["marker"])
    assert (beside["mine"]["ls"], beside["mine"]["mfc"]) != (alone["ls"], alone["mfc"])
    plain = parse_contender("fourier-eb")
    names = set(built_in()) - set(BESIDE) - {"csnet", "reconnet"}  # which need weights
    every = styles_of([replace(plain, label=name, method=name) for name in sorted(names)])
    for key in ("color", "marker"):
        assert len({style[key] for style in every.values()}) == len(every)


def test_the_oracle_is_never_the_best(made_up: Evaluation) -> None:
    contenders = tuple(one for one in made_up.request.contenders if one.label in ("fourier-eb", "spectral-oracle"))
    text = markdown(replace(made_up, request=replace(made_up.request, contenders=contenders)))
    assert table(text, "Table 1", "Absolute")[2][2:] == ["**22.10/0.500**", "25.10/0.500"]


def test_tables_2_to_4(made_up: Evaluation) -> None:
    text = markdown(made_up)
    assert "| fourier-eb | 2.5 |  |  |  | 70.0% | 70.0% |" in text
    robust = table(text, "Table 3", "Min-max")
    assert [line[0] for line in robust[2:]] == ["1.56 %", "4.69 %"]
    assert robust[3][-1] == "26.72/0.866"
    variants = table(text, "Table 4", "Absolute")
    assert variants[0] == ["ratio", "narrow", "ablation:flat", "normconv", "constant"]
    plain = replace(made_up.request, contenders=made_up.request.contenders[:1])
    assert "Table 4" not in markdown(replace(made_up, request=plain))


def test_ablations_of_fshnet_stand_beside_the_paper_s(made_up: Evaluation) -> None:
    ablation = replace(made_up.request.contenders[2], method="fshnet")
    contenders = tuple(ablation if one.is_ablation else one for one in made_up.request.contenders)
    minmax = table(
        markdown(replace(made_up, request=replace(made_up.request, contenders=contenders))), "Table 4", "Min-max"
    )
    assert minmax[0][-2:] == ["without frequency initialisation, paper", "linear initialisation, paper"]
    assert minmax[2][-2:] == ["21.05/0.663", "19.02/0.634"]


def test_failures_are_marked_and_not_averaged(made_up: Evaluation) -> None:
    rows = list(made_up.rows)
    broken = Measured(error="broken")
    rows[0] = replace(rows[0], measured=broken)
    text = markdown(replace(made_up, rows=tuple(rows)))
    assert table(text, "Table 1", "Absolute")[2][2] == "23.10/0.500†"
    assert text.rstrip().endswith("says why.")
    all_broken = [replace(row, measured=broken) if row.contender == "narrow" else row for row in rows]
    text = markdown(replace(made_up, rows=tuple(all_broken)))
    assert table(text, "Table 1", "Absolute")[2][3] == "†"
    assert Averages(all_broken).overall("narrow", "psnr") is not None
    assert np.isnan(Averages(all_broken).median_seconds("narrow"))


def test_means_for_programs(made_up: Evaluation) -> None:
    entries = means(made_up)
    assert len(entries) == 4 * len(LABELS)
    assert entries[0] == {
        "set": "synthetic",
        "noise": "eq5",
        "samples_per_block": 1,
        "dose": 10.0,
        "contender": "fourier-eb",
        "psnr": pytest.approx(22.1),
        "psnr_affine": pytest.approx(32.1),
        "psnr_minmax": pytest.approx(12.1),
        "ssim": 0.5,
        "ssim_minmax": 0.4,
        "seconds": 2.5,
    }


def test_report_of_a_run(tmp_path: Path) -> None:
    done = run(request("nearest", "constant", noises=("poisson", "published")), tmp_path)
    names = {path.name for path in write_report(done, tmp_path)}
    assert names == {
        "tables.md",
        *(f"psnr-{what}-synthetic-{noise}.png" for what in ("ratio", "seconds") for noise in ("poisson", "published")),
        *(f"panel-synthetic-000-{noise}.png" for noise in ("poisson", "published")),
    }
    for name in names - {"tables.md"}:
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 300
            assert np.ptp(np.asarray(picture.convert("L"))) > 100
    before = (tmp_path / "tables.md").read_text()
    write_report(run(request("nearest", "constant", noises=("poisson", "published")), tmp_path), tmp_path)
    assert (tmp_path / "tables.md").read_text() == before


def test_paper_numbers_are_those_of_the_paper(shared_dir: Path) -> None:
    text = re.sub("</?b>", "", (shared_dir / "reference" / "000_dc039bdf08ed5033.txt").read_text())
    rows = [line.split("\t") for line in text.splitlines() if "\t" in line]
    percents = {"1.56%": 1, "3.125%": 2, "5%": 3, "6.25%": 4, "8%": 5, "9.375%": 6}
    scores = [
        [tuple(map(float, cell.split("/"))) for cell in row if re.fullmatch(r"[\d.]+/[\d.]+", cell)] for row in rows
    ]
    ratio = 0
    found_1: dict[tuple[str, int, float], tuple[float, ...]] = {}
    found_3: dict[tuple[str, int], tuple[float, ...]] = {}
    found_4: dict[tuple[str, int], tuple[float, ...]] = {}
    for row, values in zip(rows, scores, strict=True):
        ratio = percents.get(row[0], ratio)
        if len(values) == 5:
            found_4 |= {
                (name, ratio): value for name, value in zip(dict.fromkeys(n for n, _ in TABLE_4), values, strict=True)
            }
        elif len(values) == 4 and row[1] in ("10", "25"):
            found_1 |= {(name, ratio, float(row[1])): value for name, value in zip(SECONDS_ORDER, values, strict=True)}
        elif len(values) == 4:
            found_3 |= {(name, ratio): value for name, value in zip(SECONDS_ORDER, values, strict=True)}
    assert (found_1, found_3, found_4) == (TABLE_1, TABLE_3, TABLE_4)
    costs = {row[0]: row[1:] for row in rows if row[0] in SECONDS and len(row) == 3}
    assert {name: float(cells[0]) for name, cells in costs.items()} == SECONDS
    assert {name: int(cells[1]) for name, cells in costs.items() if cells[1].isdigit()} == PARAMETERS


SECONDS_ORDER = ("BPFA", "CSNet", "ReconNet", "FSHNet")


def test_figures_of_an_earlier_request_do_not_stay(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    first = write_report(run(request(noises=("eq5",)), folder), folder)
    (folder / "panel-of-mine.png").write_text("mine")
    run(request(), folder)  # interrupted before its report
    second = write_report(run(request(), folder), folder)
    pictures = {path.name for path in folder.glob("*.png")}
    assert pictures == {path.name for path in second if path.suffix == ".png"} | {"panel-of-mine.png"}
    assert not pictures & {path.name for path in first}
    mark = folder / "evaluation.json"
    (tmp_path / "other.png").write_text("mine")
    mark.write_text(mark.read_text().replace('"figures": [', '"figures": ["../other.png", 3, "rows.csv", '))
    write_report(run(request(), folder), folder)
    assert (tmp_path / "other.png").exists()
    assert (folder / "rows.csv").exists()
