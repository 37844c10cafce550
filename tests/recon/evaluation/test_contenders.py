"""Contenders: how they are written, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from stemscan.errors import InputNotFoundError, UsageError, WeightsError
from stemscan.recon.evaluation.contenders import (
    ORACLE,
    all_contenders,
    parameter_count,
    parse_contender,
    with_those_beside,
)
from stemscan.recon.registry import ready_methods
from stemscan.recon.weights.file import WeightsInfo, save_weights
from tests.recon.fshnet.fshnet_kit import seeded_network


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "w.safetensors"
    save_weights(seeded_network(), path, WeightsInfo(4, "paper"))
    return path


def test_label_method_weights_settings(weights: Path) -> None:
    one = parse_contender(f"ablation: alone=fshnet:{weights},nonlocal_step=false,h=0.5")
    assert (one.label, one.method, one.weights, one.is_ablation) == ("ablation: alone", "fshnet", weights, True)
    assert one.settings == (("h", 0.5), ("nonlocal_step", False))
    assert one.weights_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_weights_of_a_method_are_for_those_that_name_none(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_weights(seeded_network(seed=2), other, WeightsInfo(4, "paper"))
    plain, named = (
        parse_contender("fshnet", {"fshnet": weights}),
        parse_contender(f"b=fshnet:{other}", {"fshnet": weights}),
    )
    assert (plain.weights, named.weights) == (weights, other)
    assert plain.weights_sha256 != named.weights_sha256


def test_a_plugin_under_a_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("def flat(inputs, level: float = 0.5, weights=None): return inputs.S\n")
    (tmp_path / "w.bin").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    plain, full = parse_contender("mine.py:flat"), parse_contender("a=mine.py:flat:w.bin,level=0.25")
    assert (plain.label, plain.method, plain.folder, plain.weights) == ("mine.py:flat", "mine.py:flat", tmp_path, None)
    assert (full.label, full.method, full.settings) == ("a", "mine.py:flat", (("level", 0.25),))
    assert full.weights_sha256 == hashlib.sha256(b"1").hexdigest()
    assert len(full.code) == 64
    assert full.find().plugin is not None
    with pytest.raises(UsageError, match="that is no built-in method, got 'fshnet=mine.py:flat'"):
        parse_contender("fshnet=mine.py:flat")
    with pytest.raises(UsageError, match="setting level of method mine.py:flat"):
        parse_contender("a=mine.py:flat,level=high")
    with pytest.raises(InputNotFoundError, match="none.bin"):
        parse_contender("a=mine.py:flat:none.bin")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("magic", "magic"),
        ("=nearest", "LABEL=METHOD"),
        ("a|b=nearest", "LABEL=METHOD"),
        ("normconv,width=2", "LABEL=METHOD"),
        ("a=normconv,width", "NAME=VALUE"),
        ("a=normconv,width=[1", "plain value"),
        ("a=normconv,color=1", "color"),
        ("a=normconv,width=wide", "width"),
        ("a=normconv,width=.nan", "setting width of method normconv to be finite"),
        ("a=nearest:w.safetensors", "no weights"),
        (f"a={ORACLE},steps=3", ORACLE),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("[", r"\[")):
        parse_contender(text)


def test_missing_weights_are_found_out_at_once() -> None:
    with pytest.raises(InputNotFoundError, match="nowhere"):
        parse_contender("a=fshnet:nowhere.safetensors")


def test_weights_of_another_method_or_damaged_are_found_out_at_once(weights: Path) -> None:
    with pytest.raises(WeightsError, match="expected csnet or csnet-mask weights"):
        parse_contender(f"a=csnet:{weights}")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="expected a whole safetensors file"):
        parse_contender(f"a=fshnet:{weights}")


def test_all_methods_that_have_what_they_need(weights: Path) -> None:
    without = {one.method for one in all_contenders()}
    assert without == {*ready_methods(), ORACLE}
    chosen = {one.label: one for one in all_contenders({"fshnet": weights})}["fshnet"]
    assert chosen.weights_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match="none is shipped"):
        parse_contender("csnet")


def test_constant_and_normconv_stand_beside() -> None:
    assert [one.label for one in with_those_beside([parse_contender("nearest")])] == ["nearest", "constant", "normconv"]
    both = [parse_contender("normconv"), parse_contender("constant")]
    assert with_those_beside(both) == both
    tuned = with_those_beside([parse_contender("narrow=normconv,width=1")])
    assert [one.label for one in tuned] == ["narrow", "constant", "normconv"]
    with pytest.raises(UsageError, match="twice"):
        with_those_beside([parse_contender("nearest"), parse_contender("nearest=linear")])
    with pytest.raises(UsageError, match="constant"):
        with_those_beside([parse_contender("constant=nearest")])


def test_parameters_are_those_of_the_network(weights: Path, tmp_path: Path) -> None:
    assert parameter_count(parse_contender("nearest")) is None
    contender = parse_contender(f"f=fshnet:{weights}")
    assert parameter_count(contender) == sum(one.numel() for one in seeded_network().parameters())
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        parameter_count(contender)
