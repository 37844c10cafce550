"""Training runs: reproducible, resumable after kill -9 to the last bit, the same with several processes."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from stemscan.errors import InputNotFoundError, OutputExistsError, TrainingError, UsageError
from stemscan.interrupts import Interrupted
from stemscan.recon.inputs import Inputs
from stemscan.recon.methods import reconstruct
from stemscan.recon.training import loop
from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.loop import WEIGHTS, learning_rate, train
from stemscan.recon.training.scans import training_scan
from stemscan.recon.weights_file import load_weights
from tests.recon.training_kit import QUICK, small

ROOT = Path(__file__).resolve().parents[2]


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def run(folder: Path, config: TrainingConfig, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A run in a process of its own."""
    file = folder.parent / "config.json"
    file.write_text(config.model_dump_json())
    command = [sys.executable, "-m", "tests.recon.training_process", str(folder), str(file), *more]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("network", ["fshnet", "fshnet-full"])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, network: str, one_thread: None) -> None:
    config = small(network, average=0.9, precision="bfloat16" if network == "fshnet-full" else "float32")
    train(config, tmp_path / "whole", device="cpu", workers=0, pace=QUICK)
    killed = run(tmp_path / "killed", config, "5")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(curve(tmp_path / "killed")) == 4
    train(config, tmp_path / "killed", resume=True, device="cpu", workers=0, pace=QUICK)
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")
    assert len(curve(tmp_path / "whole")) == config.steps
    for name in (WEIGHTS, "checkpoint.safetensors"):
        one, other = (_tensors(tmp_path / folder / name) for folder in ("whole", "killed"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def test_two_processes_train_as_one(tmp_path: Path, one_thread: None) -> None:
    config = small(batch=3, epochs=1, steps_per_epoch=4, optimiser={"learning_rate": 1e-4})
    train(config, tmp_path / "one", device="cpu", workers=0, pace=QUICK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    file = tmp_path / "config.json"
    file.write_text(config.model_dump_json())
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.recon.training_process", str(tmp_path / "two"), str(file)],
            cwd=ROOT,
            env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert len(one) == len(two) == config.steps
    for name in ("loss", "gradient"):  # of the first step: a batch norm that is not joint gives other numbers at once
        assert float(one[0][name]) == pytest.approx(float(two[0][name]), rel=2e-4)
    for alone, together in zip(one, two, strict=True):
        assert float(alone["loss"]) == pytest.approx(float(together["loss"]), rel=1e-3)


def test_a_run_makes_what_it_promises(tmp_path: Path) -> None:
    config = small("csnet-mask", epochs=1, steps_per_epoch=2)
    seen: list[int] = []
    numbers = train(
        config, tmp_path / "run", device="cpu", workers=0, pace=QUICK, report=lambda done, total, _: seen.append(done)
    )
    assert seen == [1, 2]
    assert numbers["step"] == 2
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "card.md",
        "checkpoint.safetensors",
        "config.json",
        "metrics.csv",
        "metrics.png",
        "weights.safetensors",
    ]
    card = (tmp_path / "run" / "card.md").read_text()
    assert config.digest() in card
    assert "2 of 2" in card
    _, info = load_weights(tmp_path / "run" / WEIGHTS, "csnet")
    assert info.architecture == "csnet-mask"
    assert train(config, tmp_path / "run", resume=True, device="cpu", workers=0, pace=QUICK) == numbers


@pytest.mark.parametrize("network", ["fshnet", "csnet", "reconnet-mask"])
def test_weights_can_be_used_at_once(tmp_path: Path, network: str) -> None:
    config = small(network, epochs=1, steps_per_epoch=1)
    train(config, tmp_path / "run", device="cpu", workers=0, pace=QUICK)
    scan = training_scan(config.data, 1, 99)
    inputs = Inputs.from_arrays(scan.inputs.frames, scan.inputs.visits, scan.inputs.electrons_per_sample)
    done = reconstruct(inputs, network.removesuffix("-mask"), weights=tmp_path / "run" / WEIGHTS)
    assert done.image.shape == scan.truth.shape
    assert done.settings["architecture"] == network


def test_validation_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stemscan.recon.training import validation
    from stemscan.simulators.api import synthetic_specimen

    specimens = [synthetic_specimen((64, 64), seed=validation._SEED, index=0)]
    monkeypatch.setattr(loop, "validation_specimens", lambda folder: specimens)
    config = small("fshnet-full", epochs=1, steps_per_epoch=1)
    numbers = train(config, tmp_path / "run", device="cpu", workers=0, pace=loop.Pace(1, 1, 1))
    assert 5 < numbers["psnr_1_of_64"] < numbers["psnr_3_of_64"] < 60
    assert 0.3 < numbers["within_1_sd"] <= 1
    assert "psnr_3_of_64" in (tmp_path / "run" / "card.md").read_text()


def test_validation_without_images(tmp_path: Path) -> None:
    from stemscan.recon.training.validation import validation_specimens

    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "damaged.png").write_text("no image")
    with pytest.raises(TrainingError, match="expected images to validate on, got none that can be read"):
        validation_specimens(tmp_path)
    with pytest.raises(InputNotFoundError):
        validation_specimens(tmp_path / "none")


class _Poisoned(nn.Module):
    """A network whose output is no number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] * self.weight / 0


def test_a_nan_stops_the_run_and_names_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "build", lambda name, frames: _Poisoned())
    with pytest.raises(TrainingError, match=r"step 0, seed 1, scans 0 to 1; the last checkpoint is kept"):
        train(small("csnet"), tmp_path / "run", device="cpu", workers=0, pace=QUICK)
    assert not (tmp_path / "run" / WEIGHTS).exists()


def test_an_interrupt_leaves_a_checkpoint(tmp_path: Path) -> None:
    config = small("csnet", epochs=1, steps_per_epoch=4)

    def report(done: int, total: int, numbers: Mapping[str, float]) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(config, tmp_path / "run", device="cpu", workers=0, pace=QUICK, report=report)
    assert len(curve(tmp_path / "run")) == 3
    assert train(config, tmp_path / "run", resume=True, device="cpu", workers=0, pace=QUICK)["step"] == 4


def test_runs_that_cannot_begin_or_go_on(tmp_path: Path) -> None:
    config = small("csnet", epochs=1, steps_per_epoch=1)
    with pytest.raises(InputNotFoundError, match="does not exist; create it first"):
        train(config, tmp_path / "none" / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputExistsError, match="which is a file"):
        train(config, tmp_path / "file")
    folder = tmp_path / "run"
    train(config, folder, device="cpu", workers=0, pace=QUICK)
    with pytest.raises(OutputExistsError, match="which holds something; choose another, or --resume"):
        train(config, folder)
    with pytest.raises(TrainingError, match="expected the configuration that"):
        train(small("csnet", seed=2), folder, resume=True, device="cpu", workers=0)
    checkpoint = folder / "checkpoint.safetensors"
    whole = checkpoint.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\x80\x04pickle"):
        checkpoint.write_bytes(damaged)
        with pytest.raises(TrainingError, match="which is damaged or something else"):
            train(config, folder, resume=True, device="cpu", workers=0)


def test_more_processes_than_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UsageError, match="expected at most 2 processes for a batch of 2, got 3"):
        train(small("csnet"), tmp_path / "run", device="cpu", workers=0)


def test_schedules() -> None:
    step = small(epochs=100, steps_per_epoch=10, optimiser={"learning_rate": 1e-4, "halve_epochs": 50})
    assert learning_rate(step, 0) == learning_rate(step, 499) == 1e-4
    assert learning_rate(step, 500) == 5e-5
    cosine = small(optimiser={"learning_rate": 1e-3, "schedule": "cosine", "warmup_steps": 3})
    rates = [learning_rate(cosine, number) for number in range(cosine.steps)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[3] > rates[4] > rates[5] > 1e-5
