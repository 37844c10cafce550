"""The campaign file: what it may say, and what is told of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from stemscan.errors import DoseLimitError, InputNotFoundError, StemscanError, UsageError
from stemscan.plan.dose import Dose
from stemscan.recon.evaluation.campaign.design import design_of
from stemscan.recon.evaluation.campaign.settings import Campaign, template_text
from tests.recon.evaluation.campaign.kit import PLAN, campaign_text, design


def test_template_is_a_campaign_that_can_be_run() -> None:
    made = design_of(Campaign.from_yaml(template_text()), Path())
    assert len(made) == 16
    assert len(list(made.jobs())) == 16
    assert made.check() == []


def test_template_names_every_key_with_its_default() -> None:
    text = template_text()
    for name, field in Campaign.model_fields.items():
        assert f"\n{name}:" in text or f"\n# {name}:" in text, name
        if f"\n# {name}:" in text and not text.count(f"\n{name}:"):
            shown = text.split(f"\n# {name}:")[1].split("\n")[0]
            assert Campaign.from_yaml(campaign_text(**{name: shown})).model_dump()[name] == (
                field.default.model_dump() if name == "reading" else field.default
            )


BAD = [
    ({"seed": "3"}, r"seed \(line 6\): expected one of version, .*, got 'seed'; did you mean 'seeds'\?"),
    ({"version": "2"}, r"version \(line 1\): expected 1, got 2"),
    ({"specimens": "crystal:Si"}, r"specimens \(line 2\): expected a list in brackets"),
    ({"specimens": "[]"}, "at least 1 item"),
    ({"specimens": "[crystal:Si, 3]"}, r"specimens.1 \(line 2\): expected an image file, crystal:NAME or"),
    ({"specimens": "['synthetic:{5..1}/0']"}, r"specimens.0 \(line 2\): expected numbers as FIRST..LAST, got 5..1"),
    ({"specimens": "[crystal:Si, crystal:Si]"}, r"specimens \(line 2\): expected each once, got 'crystal:Si' twice"),
    ({"plans": "[3]"}, r"plans.0 \(line 3\): expected the path of a plan file or the keys of a plan, got 3"),
    ({"plans": f"[{PLAN.replace('passes: 2', 'passes: 0')}]"}, r"plans.0.passes \(line 3\): expected greater than"),
    ({"plans": f"[{PLAN.replace('passes:', 'pases:')}]"}, r"plans.0.pases \(line 3\): .*did you mean 'passes'\?"),
    ({"plans": f"[{PLAN.replace('block-random', 'blok-random')}]"}, "did you mean 'block-random'"),
    ({"doses": "[10, -1]"}, r"doses.1.electrons_per_sample \(line 4\): expected greater than 0, got -1"),
    ({"doses": "[1e3]"}, "which YAML 1.1 reads as text; write it without quotes, as 1000"),
    ({"doses": "[{}]"}, r"doses.0 \(line 4\): expected exactly one of electrons_per_sample"),
    ({"doses": "[10, 10.0]"}, "expected each once"),
    ({"seeds": "9..1"}, r"seeds \(line 6\): expected numbers as FIRST..LAST"),
    ({"seeds": "[1, x]"}, r"seeds.1 \(line 6\): expected a seed, or FIRST..LAST, got 'x'"),
    ({"seeds": "[1..3, 2]"}, "expected each once, got 2 twice"),
    ({"noise": "gauss"}, r"noise \(line 6\): expected 'poisson' or 'eq5', got 'gauss'"),
    ({"methods": "[]"}, "expected a method, or acquisitions among keep"),
    ({"methods": "[3]"}, r"methods.0 \(line 5\): expected a name, got 3"),
    ({"keep": "[pictures]"}, r"keep.0 \(line 6\): expected 'acquisitions' or 'images', got 'pictures'"),
    ({"reading": "{smoth: paper}"}, r"reading.smoth \(line 6\): .*did you mean 'smooth'\?"),
]


@pytest.mark.parametrize(("keys", "words"), BAD, ids=[str(one[0])[:40] for one in BAD])
def test_mistakes_are_one_sentence(keys: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        Campaign.from_yaml(campaign_text(**keys), source="c.yaml")
    assert str(caught.value).startswith("c.yaml: ")
    assert "\n" not in str(caught.value)


MISSING = [
    ({"plans": "[none.yaml]"}, InputNotFoundError, "none.yaml"),
    ({"specimens": "[none.tif]"}, InputNotFoundError, "none.tif"),
    ({"specimens": "['*.tif']"}, InputNotFoundError, r"expected files '\*.tif'"),
    ({"specimens": "['synthetic:5/{0..1}', 'synthetic:5/0']"}, UsageError, "got 'synthetic:5/0' twice"),
    ({"instruments": "[driftin]"}, InputNotFoundError, "driftin"),
    ({"methods": "[magic]"}, UsageError, "magic"),
    ({"methods": "[nearest, 'nearest=linear']"}, UsageError, "each label once"),
    ({"plans": f"[{PLAN[:-1]}, limits: {{max_dose_e_per_A2: 100}}}}]"}, DoseLimitError, "plan 1: "),
]


@pytest.mark.parametrize(("keys", "error", "words"), MISSING, ids=[str(one[0])[:40] for one in MISSING])
def test_what_is_missing_is_told_at_once(
    tmp_path: Path, keys: dict[str, object], error: type[StemscanError], words: str
) -> None:
    with pytest.raises(error, match=words):
        design(tmp_path, **keys)


def test_specimens_that_none_can_draw_are_told_before_anything_is_scanned() -> None:
    with pytest.raises(StemscanError, match=r"^crystal:Unobtainium\[001\] by plan 1: "):
        design(specimens="['crystal:Unobtainium[001]']").check()


def test_doses_are_numbers_or_as_in_plans() -> None:
    made = design(doses="[10, {total_electrons: 7680}]")
    assert [one.plan.electrons_per_sample for one in made.planned] == [10, 10]
    assert made.campaign.doses[0] == Dose(electrons_per_sample=10)
    assert [one.plan.electrons_per_sample for one in design(doses="[]").planned] == [20]


def test_files_are_found_from_the_folder_of_the_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    (tmp_path / "mine.py").write_text("def flat(inputs):\n    return inputs.V * 0 + inputs.mean\n")
    (tmp_path / "still.yaml").write_text("name: still\nversion: 1\n")
    made = design(tmp_path, plans="[plan.yaml]", methods="['mine.py:flat']", instruments="[still.yaml]")
    assert [one.label for one in made.planned] == ["plan.yaml", "plan.yaml"]
    assert made.common.contenders[0].method == "mine.py:flat"
    assert made.instruments[0][1].is_ideal


def test_digests_are_those_of_acquisitions(tmp_path: Path) -> None:
    """Everything that changes an acquisition changes its digest; names do not."""
    (tmp_path / "plan.yaml").write_text(PLAN)
    usual = {job.digest for job in design(tmp_path).jobs()}
    assert len(usual) == 4
    assert {job.digest for job in design(tmp_path, plans="[plan.yaml]", methods="[linear]").jobs()} == usual
    others: list[dict[str, object]] = [
        {"seeds": "2"}, {"paths": "seed"}, {"noise": "eq5"}, {"instruments": "[drifting]"}, {"doses": "[11, 41]"},
        {"specimens": "['synthetic:6/{0..1}']"}, {"plans": f"[{PLAN.replace('seed: 7', 'seed: 8')}]"},
    ]  # fmt: skip
    for keys in others:
        assert not usual & {job.digest for job in design(tmp_path, **keys).jobs()}, keys
