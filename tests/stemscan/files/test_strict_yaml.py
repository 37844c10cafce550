"""YAML that asks for more than plain data, in every kind of file that is read as YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemscan.errors import StemscanError
from stemscan.files.strict_yaml import YamlProblem, parse
from stemscan.hardware.profile import load_profile
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.training.config import TrainingConfig

TAGS = ["int", "float", "bool", "null", "timestamp", "binary", "str", "set", "omap", "pairs", "python/name:os.system"]
TAGGED = [f"!!{tag} {value}" for tag in TAGS for value in ("", '""', "_", "maybe", "x", "7", "[]", "{a: 1}")]
TAGGED += ["! 7", "!mine 7", "!<tag:yaml.org,2002:int> 7", "!<> 7"]
SCALARS = ["0b_", "2001-02-31", "2001-01-01 25:00:00", "=", "<<", '"\\UFFFFFFFF"', '"\\uD800"', '"\\xZZ"', "9" * 500]
READERS: list[Callable[[Path], object]] = [ScanPlan.load, load_profile, TrainingConfig.load]


@pytest.mark.parametrize("text", TAGGED)
def test_tags_are_refused_with_their_line(text: str) -> None:
    with pytest.raises(YamlProblem, match=r"line 2"):
        parse(f"a: 1\nb: {text}")


@pytest.mark.parametrize("text", ["!!str a: 1", "? !!int 3\n: 1", "!!map {a: 1}", "- !!seq [1]"])
def test_tags_of_keys_and_lists_are_refused(text: str) -> None:
    with pytest.raises(YamlProblem, match=r"expected plain values, got the tag '.*' in line 1; remove it"):
        parse(text)


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_that_are_no_values_are_refused(text: str) -> None:
    for document in (f"a: 1\nb: {text}", f"- {text}"):
        with pytest.raises(YamlProblem, match="expected"):
            parse(document)


@pytest.mark.parametrize("read", READERS, ids=["plan", "profile", "training"])
@pytest.mark.parametrize("text", ["!!int x", *SCALARS])
def test_every_reader_says_it_in_one_sentence(tmp_path: Path, read: Callable[[Path], object], text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"version: 1\nname: {text}\n")
    with pytest.raises(StemscanError, match=r"a\.yaml: ") as caught:
        read(file)
    assert "\n" not in str(caught.value)


def test_keys_of_half_characters_are_refused() -> None:
    with pytest.raises(YamlProblem, match="half of one in line 1"):
        parse('"\\uD800": 1')


@pytest.mark.parametrize("text", ["[" + "1," * 300_000 + "]", "- 1\n" * 200_000])
def test_long_lists_are_refused_before_all_of_them_is_read(text: str) -> None:
    with pytest.raises(YamlProblem, match="at most 50000 keys and values, got more in line"):
        parse(text)


def test_the_longest_polygon_is_no_long_list() -> None:
    text = "a: [" + ", ".join(f"[{i}.5, 2]" for i in range(10_000)) + "]"
    assert len(parse(text)[0]["a"]) == 10_000


@given(
    st.text(
        alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Z"])
        | st.sampled_from("\n!&*:-[]{}\"'\\"),
        max_size=60,
    )
)
def test_no_text_is_a_traceback(text: str) -> None:
    try:
        parse(text)
    except YamlProblem as problem:
        assert str(problem)
