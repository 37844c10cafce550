"""The weights that come with the package: small, loadable by name, each with its card."""

from __future__ import annotations

from pathlib import Path

import pytest

from stemscan.errors import WeightsError
from stemscan.recon.paper.network import parameter_count_paper
from stemscan.recon.paper.published_weights import load_fshnet
from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.weights import SHIPPED, find_weights
from stemscan.recon.weights.file import load_weights


def test_they_are_small() -> None:
    assert sum(find_weights(name, "fshnet").stat().st_size for name in SHIPPED) <= 2_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_each_has_a_card_that_is_its_own(name: str) -> None:
    path = find_weights(name, "fshnet")
    _, info = load_weights(path)
    card = path.with_suffix(".md").read_text()
    assert card.startswith(f"# {info.architecture}\n")
    assert info.origin.split("configuration ")[1].split(",")[0] in card
    for word in ("data", "steps", "time", "psnr_3_of_64", "## Limits"):
        assert word in card


def test_the_papers_network_is_the_papers() -> None:
    network, info = load_fshnet(find_weights("fshnet-paper", "fshnet"))
    assert parameter_count_paper(network) == 161_761
    assert info.convention == "paper"


def test_a_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fshnet").write_bytes(b"")
    assert find_weights("fshnet", "fshnet") == Path("fshnet")
    with pytest.raises(WeightsError, match="none is shipped"):
        find_weights(None, "csnet")
    assert find_weights(None, "fshnet").suffix == ".safetensors"  # nobody asked for the file


def test_a_folder_does_not_hide_shipped_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fshnet").mkdir()  # a run of that name
    for weights in (None, "fshnet"):
        assert find_weights(weights, "fshnet").is_file()


@pytest.mark.parametrize(("weights", "configuration"), [("fshnet", "default"), ("fshnet-paper", "fshnet-paper")])
def test_cards_name_the_configurations_that_are_there(weights: str, configuration: str) -> None:
    card = find_weights(weights, "fshnet").with_suffix(".md").read_text()
    assert TrainingConfig.load(configuration).digest() in card
