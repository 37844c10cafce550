"""`stemscan train` through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stemscan.recon.training.config import TrainingConfig
from tests.cli.conftest import Stemscan

CONFIG = """\
network: csnet-mask
epochs: 1
steps_per_epoch: 2
batch: 1
data: {size: 64, crop: 64, crops_per_scan: 1}
"""
QUICKLY = ("--workers", "0", "--log-every", "1", "--save-every", "1", "--validate-every", "0", "--device", "cpu")


def test_train_and_use_the_weights(stemscan: Stemscan) -> None:
    Path("config.yaml").write_text(CONFIG)
    done = stemscan("train", "config.yaml", "-o", "run", *QUICKLY, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["run"] == "run"
    assert said["step"] == 2
    again = stemscan("train", "config.yaml", "-o", "run", *QUICKLY)
    assert again.code == 2
    assert "--resume" in again.err
    resumed = stemscan("train", "config.yaml", "-o", "run", *QUICKLY, "--resume")
    assert resumed.code == 0, resumed.err
    assert "run/weights.safetensors" in resumed.out


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [(None, 2, "does not exist"), ("network: unet", 1, "expected one of fshnet"), ("network: [", 1, "config.yaml")],
)
def test_bad_configurations(stemscan: Stemscan, text: str | None, code: int, words: str) -> None:
    if text is not None:
        Path("config.yaml").write_text(text)
    done = stemscan("train", "config.yaml", "-o", "run", *QUICKLY)
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert not Path("run").exists()


def test_too_little_memory_is_one_sentence(stemscan: Stemscan, monkeypatch: pytest.MonkeyPatch) -> None:
    from stemscan.recon.training import loop

    def build(name: str, frames: int) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: 1 TB")

    monkeypatch.setattr(loop, "build", build)
    Path("config.yaml").write_text(CONFIG)
    done = stemscan("train", "config.yaml", "-o", "run", *QUICKLY)
    assert done.code == 1
    assert done.err.startswith("error: expected enough memory, got too little")
    assert done.err.count("\n") == 1


def test_a_process_that_does_not_lead_says_nothing(stemscan: Stemscan, monkeypatch: pytest.MonkeyPatch) -> None:
    from stemscan.recon.training import loop, processes

    monkeypatch.setattr(processes, "speaks", lambda: False)
    monkeypatch.setattr(loop, "train", lambda *_, **__: {"loss": 1.0})
    Path("config.yaml").write_text(CONFIG)
    done = stemscan("train", "config.yaml", "-o", "run", "--json")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_configurations_of_the_package(stemscan: Stemscan, tmp_path: Path) -> None:
    listed = json.loads(stemscan("train", "--configurations", "--json").out)
    assert listed["default"].startswith("The shipped weights fshnet")
    (tmp_path / "mine.yaml").write_text(stemscan("train", "paper", "--template").out)
    assert TrainingConfig.load(tmp_path / "mine.yaml") == TrainingConfig.load("paper")


def test_training_without_a_configuration_or_a_folder(stemscan: Stemscan) -> None:
    for given in ((), ("quick",), ("-o", "run")):
        done = stemscan("train", *given)
        assert done.code == 2
        assert "run 'stemscan train CONFIG -o RUN'" in done.err
