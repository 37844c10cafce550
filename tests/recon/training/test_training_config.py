"""Training configurations: what they hold, and what is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemscan.errors import InputNotFoundError, StemscanError, TrainingError
from stemscan.recon.networks.registry import ARCHITECTURES
from stemscan.recon.training.config import (
    TEST_SEEDS_FROM,
    LossSettings,
    TrainingConfig,
    configuration_names,
    configuration_text,
)


def test_the_papers_settings() -> None:
    paper = TrainingConfig.load("paper")
    assert (paper.network, paper.epochs, paper.batch, paper.data.specimens) == ("fshnet", 100, 4, 800)
    assert paper.steps_per_epoch * paper.batch == 800
    assert (paper.optimiser.learning_rate, paper.optimiser.halve_epochs) == (1e-4, 50)
    assert (paper.loss.guidance, paper.loss.variation) == (0.2, 0.01)
    assert (paper.data.generator, paper.data.crop, paper.data.passes) == ("paper", 1024, (4,))


@pytest.mark.parametrize("name", configuration_names())
def test_every_configuration_can_be_read(name: str, tmp_path: Path) -> None:
    config = TrainingConfig.load(name)
    assert config.network in ARCHITECTURES
    mine = tmp_path / "mine.yaml"
    mine.write_text(configuration_text(name))
    assert TrainingConfig.load(mine).digest() == config.digest()


def test_younger_settings_leave_older_digests_as_they_were() -> None:
    default = TrainingConfig.load("default")
    assert default.digest().startswith("78d08708d509")  # as the shipped weights name it
    for change in (
        {"data": default.data.model_copy(update={"variety": "wide"})},
        {"loss": LossSettings(exceptions=2.0)},
    ):
        assert default.model_copy(update=change).digest() != default.digest()


def test_the_wide_training_is_known_by_its_network() -> None:
    wide = TrainingConfig.load("wide")
    assert (wide.data.variety, wide.loss.exceptions, wide.network) == ("wide", 4.0, "fshnet-regressed")


def test_no_training_on_test_specimens() -> None:
    TrainingConfig.from_yaml(f"network: csnet\nseed: {TEST_SEEDS_FROM - 1}")
    with pytest.raises(TrainingError, match=r"seed \(line 2\): expected less than"):
        TrainingConfig.from_yaml(f"network: csnet\nseed: {TEST_SEEDS_FROM}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping, the keys of a training configuration, got NoneType"),
        ("seed: 1", "network: expected this key, got none"),
        ("network: unet", r"network \(line 1\): expected one of .*fshnet, .* got 'unet'"),
        ("network: csnet\nepoch: 3", r"\(line 2\): expected one of .*, got 'epoch'; did you mean 'epochs'\?"),
        ("network: csnet\nbatch: many", r"batch \(line 2\): expected a valid integer, got 'many'"),
        ("network: csnet\ndata: {size: 100}", r"data.size \(line 2\): expected a multiple of 64, got 100"),
        ("network: csnet\ndata: {size: 64, crop: 128}", r"data.crop \(line 2\): expected at most the size 64, got 128"),
        ("network: csnet\ndata: {dose: [20.0, 5.0]}", r"data.dose \(line 2\): expected the least and the largest"),
        ("network: csnet\ndata: {passes: []}", r"data.passes \(line 2\): expected at least 1 item, got \[\]"),
        ("network: csnet\ndata: {passes: 4}", r"data.passes \(line 2\): expected a list in brackets, got 4"),
        ("network: csnet\ndata: {dose: [5]}", r"data.dose.1 \(line 2\): expected this number, got none"),
        (
            "network: csnet\ndata: {dose: [1.0e-9, 1]}",
            r"data.dose.0 \(line 2\): expected greater than or equal to 0.001",
        ),
        ("network: csnet\ndata: {smoothed: 1, micrograph_dose: [1.0e-300, 1]}", r"data.micrograph_dose.0 \(line 2\)"),
        ("network: csnet\ndata:", r"data \(line 2\): expected a mapping of keys, got None"),
        (
            "network: csnet\noptimiser: {learning_rate: 1e-3}",
            r"learning_rate \(line 2\): expected a valid number, got '1e-3', which YAML 1.1 reads as text; .* as 0.001",
        ),
        (
            "network: fshnet\ndata: {passes: [1, 4]}",
            r"data.passes \(line 2\): expected at least the 4 frames of the network",
        ),
        ("network: &x csnet", "anchor"),
        ("network: !!python/object/apply:os.system [ls]", "configuration: "),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        TrainingConfig.from_yaml(text)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="which does not exist"):
        TrainingConfig.load(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TrainingError, match="expected a readable text file"):
        TrainingConfig.load(tmp_path / "binary.yaml")


@given(st.text(max_size=200))
def test_hostile_text_is_one_sentence(text: str) -> None:
    try:
        TrainingConfig.from_yaml(text)
    except StemscanError as problem:
        assert str(problem).startswith("configuration: ")
