"""Training runs: reproducible, resumable after kill -9 to the last bit, the same with several processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from stemscan.errors import InputNotFoundError, OutputExistsError, TrainingError, UsageError
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.networks.registry import build
from stemscan.recon.run import reconstruct
from stemscan.recon.training import loop
from stemscan.recon.training.card import card
from stemscan.recon.training.checkpoint import State, save_checkpoint
from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.log import History
from stemscan.recon.training.loop import WEIGHTS, learning_rate, train
from stemscan.recon.training.processes import own_device, speaks
from stemscan.recon.training.scans import training_scan
from stemscan.recon.weights.file import load_weights, read_tensors
from stemscan.runtime.interrupts import Interrupted
from tests.recon.training.training_kit import QUICK, small

ROOT = Path(__file__).resolve().parents[3]


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def run(folder: Path, config: TrainingConfig, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A run in a process of its own."""
    file = folder.parent / "config.json"
    file.write_text(config.model_dump_json())
    command = [sys.executable, "-m", "tests.recon.training.training_process", str(folder), str(file), *more]
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


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    killed = run(tmp_path / "run", small("csnet", epochs=9), "1", "1")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (worker,) = (tmp_path / "workers").read_text().split()
    until = time.monotonic() + 60
    while _runs(worker) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _runs(worker)


def _runs(process: str) -> bool:
    """Tell whether a process is there and no zombie."""
    told = subprocess.run(["ps", "-o", "stat=", "-p", process], capture_output=True, text=True, check=False)
    return told.stdout.strip()[:1] not in ("", "Z")


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
            [sys.executable, "-m", "tests.recon.training.training_process", str(tmp_path / "two"), str(file)],
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
    assert seen == [0, 1, 2]
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


def test_waiting_for_data_is_booked(tmp_path: Path) -> None:
    config = small("csnet-mask", epochs=1, steps_per_epoch=2)
    shares: list[float] = []

    def report(done: int, total: int, numbers: Mapping[str, float]) -> None:
        shares.extend(value for name, value in numbers.items() if name == "waiting")

    train(config, tmp_path / "run", device="cpu", workers=0, pace=QUICK, report=report)
    assert shares
    assert all(0 < share < 1 for share in shares)  # without workers every step waits for its data
    assert "h of waiting for data" in (tmp_path / "run" / "card.md").read_text()
    waited = json.loads(read_tensors(tmp_path / "run" / "checkpoint.safetensors")[1]["stemscan"])["waited"]
    assert waited > 0


def test_a_card_says_what_the_papers_generator_does(tmp_path: Path) -> None:
    network = build("csnet")
    state = State(1, 1.0, network, network, torch.optim.Adam(network.parameters()))
    for generator, said in (
        ("paper", "100% by equation 5, 100% smoothed"),
        ("physical", "30% by equation 5, 50% smoo"),
    ):
        config = small("csnet", data={"generator": generator})
        assert said in card(config, state, History(tmp_path, 0), on_images=False)


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
    monkeypatch.setattr(loop, "validation_specimens", lambda folder, variety: specimens)
    config = small("fshnet-full", epochs=1, steps_per_epoch=1)
    numbers = train(config, tmp_path / "run", device="cpu", workers=0, pace=loop.Pace(1, 1, 1))
    assert 5 < numbers["psnr_1_of_64"] < numbers["psnr_3_of_64"] < 60
    assert 0.3 < numbers["within_1_sd"] <= 1
    assert -3 < numbers["over_fourier_eb_dB"] < 3
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
    with pytest.raises(TrainingError, match=r"step 0, seed 1, scans 0 to 1; checkpoints from before are kept"):
        train(small("csnet"), tmp_path / "run", device="cpu", workers=0, pace=QUICK)
    assert not (tmp_path / "run" / WEIGHTS).exists()


class _PoisonedLater(_Poisoned):
    """A network whose third output is no number."""

    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x[:, :1] * self.weight / (self.calls != 3)


def test_a_nan_leaves_table_and_picture_of_what_led_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "build", lambda name, frames: _PoisonedLater())
    with pytest.raises(TrainingError, match="step 2, seed 1"):
        train(small("csnet"), tmp_path / "run", device="cpu", workers=0, pace=loop.Pace(1, 100, 0))
    assert len(curve(tmp_path / "run")) == 2
    assert (tmp_path / "run" / "metrics.png").is_file()


@pytest.mark.usefixtures("usual_signals")
def test_an_interrupt_leaves_a_checkpoint(tmp_path: Path) -> None:
    config = small("csnet", epochs=1, steps_per_epoch=4)

    def report(done: int, total: int, numbers: Mapping[str, float]) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(config, tmp_path / "run", device="cpu", workers=0, pace=QUICK, report=report)
    assert len(curve(tmp_path / "run")) == 3
    assert (tmp_path / "run" / "metrics.png").is_file()
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
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(TrainingError, match="expected the configuration that"):
        train(small("csnet", seed=2), folder, resume=True, device="cpu", workers=0)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    checkpoint = folder / "checkpoint.safetensors"
    whole = checkpoint.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\x80\x04pickle"):
        checkpoint.write_bytes(damaged)
        with pytest.raises(TrainingError, match="which is damaged or something else"):
            train(config, folder, resume=True, device="cpu", workers=0)


def test_more_processes_than_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "3"), ("RANK", "0"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="expected at most 2 processes for a batch of 2, got 3"):
        train(small("csnet"), tmp_path / "run", device="cpu", workers=0)


@pytest.mark.parametrize("size", ["2", "many", "-1"])
def test_an_environment_that_is_not_torchruns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(UsageError, match=f"expected the environment that torchrun makes, got WORLD_SIZE={size}, RANK="):
        train(small("csnet"), tmp_path / "run", device="cpu", workers=0)


def test_one_of_several_processes_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")  # of something else
    assert speaks()
    for name, value in (("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    assert not speaks()
    monkeypatch.setenv("RANK", "0")
    assert speaks()


def test_every_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_device(torch.device("cuda")) == torch.device("cuda")
    environment = {"WORLD_SIZE": "8", "RANK": "6", "LOCAL_RANK": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert own_device(torch.device("cuda")) == torch.device("cuda", 2)
    for device in ("cpu", "cuda:1"):
        assert own_device(torch.device(device)) == torch.device(device)


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_a_device_that_is_not_there(tmp_path: Path, device: str) -> None:
    with pytest.raises(UsageError, match="expected a device of this machine"):
        train(small("csnet"), tmp_path / "run", device=device, workers=0)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else_is_not_resumed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "photo.tif").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"expected a run to resume, .* holds other files"):
        train(small("csnet"), mine, resume=True, device="cpu", workers=0, pace=QUICK)
    (mine / "config.json").write_text('{"mine": true}')
    with pytest.raises(TrainingError, match="expected the configuration of a run"):
        train(small("csnet"), mine, resume=True, device="cpu", workers=0, pace=QUICK)
    assert (mine / "config.json").read_text() == '{"mine": true}'
    assert len(list(mine.iterdir())) == 2


def test_what_a_killed_run_had_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / f".{'0' * 32}.partial.json").write_text("{")
    train(small("csnet", epochs=1, steps_per_epoch=1), folder, device="cpu", workers=0, pace=QUICK)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_bad_images_are_found_before_the_first_step(tmp_path: Path) -> None:
    pace = loop.Pace(1, 1, 1)
    with pytest.raises(InputNotFoundError, match="expected a folder of images"):
        train(small("csnet"), tmp_path / "run", device="cpu", workers=0, pace=pace, images=tmp_path / "none")
    with pytest.raises(TrainingError, match="got none that can be read"):
        train(small("csnet"), tmp_path / "run", device="cpu", workers=0, pace=pace, images=tmp_path)
    with pytest.raises(UsageError, match="no validation is wanted"):
        train(small("csnet"), tmp_path / "run", device="cpu", workers=0, pace=QUICK, images=tmp_path)
    assert not (tmp_path / "run").exists()


def test_rows_are_there_before_the_checkpoint_that_goes_on_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watched(state: State, folder: Path, digest: str) -> None:
        assert len(curve(folder)) == state.step  # a kill between the two writes must lose no row
        save_checkpoint(state, folder, digest)

    monkeypatch.setattr(loop, "save_checkpoint", watched)
    train(small("csnet", epochs=1, steps_per_epoch=4), tmp_path / "run", device="cpu", workers=0, pace=QUICK)


def test_a_table_that_was_changed(tmp_path: Path) -> None:
    config = small("csnet", epochs=1, steps_per_epoch=1)
    train(config, tmp_path / "run", device="cpu", workers=0, pace=QUICK)
    for text in ("step,loss\n1,many\n", "a,b\n1,2\n", "step,loss\n1,2,3\n"):
        (tmp_path / "run" / "metrics.csv").write_text(text)
        with pytest.raises(TrainingError, match="expected the table of a run"):
            train(config, tmp_path / "run", resume=True, device="cpu", workers=0, pace=QUICK)


def test_schedules() -> None:
    step = small(epochs=100, steps_per_epoch=10, optimiser={"learning_rate": 1e-4, "halve_epochs": 50})
    assert learning_rate(step, 0) == learning_rate(step, 499) == 1e-4
    assert learning_rate(step, 500) == 5e-5
    cosine = small(optimiser={"learning_rate": 1e-3, "schedule": "cosine", "warmup_steps": 3})
    rates = [learning_rate(cosine, number) for number in range(cosine.steps)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[3] > rates[4] > rates[5] > 1e-5
