"""Synchronised batch norm: two processes train as one does with the joint batch; alone it is plain batch norm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn

from stemscan.recon.training import sync_norm
from stemscan.recon.training.sync_norm import SynchronisedBatchNorm2d, joint_moments, synchronised
from tests.recon.fshnet.fshnet_kit import seeded_network, uniform
from tests.recon.training.sync_norm_process import EMPTY, SPLITS, STEPS, train

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def joint() -> dict[str, Tensor]:
    """One process, plain batch norm, the joint batch."""
    return train(slice(None), group=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind."""
    place = tmp_path_factory.mktemp("processes")
    command = [sys.executable, "-m", "tests.recon.training.sync_norm_process"]
    processes = [
        subprocess.Popen([*command, str(rank), str(place)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    try:
        complaints = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], complaints
    return place


@pytest.mark.parametrize("split", SPLITS)
def test_two_processes_train_as_one_with_the_joint_batch(split: str, folder: Path, joint: dict[str, Tensor]) -> None:
    both = [torch.load(folder / f"{split}-{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, expected in (train(slice(None), group=False, small=True) if split == EMPTY else joint).items():
        if name.startswith("output"):
            found = torch.cat([one[name] for one in both])
        elif name.startswith("loss"):
            found = both[0][name] + both[1][name]
        else:  # the same in both processes, to the last bit
            found = both[0][name]
            assert torch.equal(found, both[1][name]), name
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-10, msg=f"{name} differs")


def test_the_comparison_would_notice_norms_of_their_own(joint: dict[str, Tensor]) -> None:
    """Without synchronisation the halves of the batch give other outputs: the test above has something to find."""
    half = train(slice(0, 2), group=False)
    assert (half["output 0"] - joint["output 0"][:2]).abs().max() > 1e-3
    assert (half["state shuffle.1.norm.running_var"] - joint["state shuffle.1.norm.running_var"]).abs().max() > 1e-6
    assert joint[f"loss {STEPS - 1}"] < joint["loss 0"]


def test_swapping_keeps_weights_names_and_mode() -> None:
    network = seeded_network().train()
    network.prior_end.eval()
    before = {name: tensor.data_ptr() for name, tensor in network.state_dict().items()}
    order = list(before)
    parameters = [id(parameter) for parameter in network.parameters()]
    swapped = synchronised(network)
    assert swapped is network
    assert list(swapped.state_dict()) == order
    assert {name: tensor.data_ptr() for name, tensor in swapped.state_dict().items()} == before
    assert [id(parameter) for parameter in swapped.parameters()] == parameters
    norms = [module for module in swapped.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(type(norm) is SynchronisedBatchNorm2d for norm in norms)
    modes = {name: module.training for name, module in swapped.named_modules()}
    assert not modes["prior_end.norm"]
    assert modes["shuffle.0.norm"]
    swapped.load_state_dict(seeded_network(seed=2).state_dict())


@pytest.mark.parametrize("options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}])
@pytest.mark.parametrize("training", [True, False])
def test_alone_it_is_plain_batch_norm_to_the_last_bit(options: dict[str, object], training: bool) -> None:
    compare(*pair(options, training), exact=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}])
def test_joint_arithmetic_is_that_of_batch_norm(
    options: dict[str, object], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of several processes, taken by one."""
    plain, ours = (norm.to(dtype) for norm in pair(options, True))
    pretend_two_processes(monkeypatch)
    compare(plain, ours, exact=False)


def test_moments_survive_a_mean_far_above_the_deviation() -> None:
    values = torch.from_numpy(uniform(3, (4, 2, 16, 16))).float() + 1000.0
    count, mean, variance = joint_moments(values)
    exact = values.double()
    assert count == 4 * 16 * 16
    torch.testing.assert_close(mean, exact.mean(dim=(0, 2, 3)), rtol=1e-7, atol=0)
    torch.testing.assert_close(variance, exact.var(dim=(0, 2, 3), correction=0), rtol=1e-3, atol=0)


def test_half_precision_stays_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, ours = pair({}, True)
    pretend_two_processes(monkeypatch)
    values = torch.from_numpy(uniform(9, (3, 4, 8, 8))).to(torch.bfloat16)
    output = ours(values)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output, plain(values), atol=0.03, rtol=0.03)
    assert ours.running_var is not None
    torch.testing.assert_close(ours.running_var, plain.running_var)


def pretend_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send norms the way of several processes, with a second one that has nothing to add."""
    monkeypatch.setattr(sync_norm, "_processes", lambda group: 2)
    monkeypatch.setattr(distributed, "all_reduce", lambda total, group: None)


def pair(options: dict[str, object], training: bool) -> tuple[nn.BatchNorm2d, nn.BatchNorm2d]:
    """Plain and synchronised batch norm with the same weights and statistics of their own."""
    norms = []
    for _ in range(2):
        norm = nn.BatchNorm2d(4, **options)  # type: ignore[arg-type]
        for index, tensor in enumerate(norm.state_dict().values()):
            if tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(0.5 + uniform(index + 20, (4,))))
        norms.append(norm.train(training))
    return norms[0], synchronised(norms[1])


def compare(plain: nn.BatchNorm2d, ours: nn.BatchNorm2d, exact: bool) -> None:
    """Two passes forward and backward through both."""
    assert isinstance(ours, SynchronisedBatchNorm2d)
    dtype = next((tensor.dtype for tensor in plain.state_dict().values() if tensor.is_floating_point()), torch.float32)
    tolerance = 0.0 if exact else 1e-4 if dtype == torch.float32 else 1e-9
    for seed in (30, 31):
        results = []
        for norm in (plain, ours):
            values = torch.from_numpy(uniform(seed, (3, 4, 5, 6))).to(dtype).requires_grad_()
            output = norm(values)
            inputs = [values, *norm.parameters()]
            gradients = torch.autograd.grad((output**3).sum(), inputs)
            results.append([output, *gradients, *(buffer.clone() for buffer in norm.buffers())])
        for one, other in zip(*results, strict=True):
            torch.testing.assert_close(other, one, rtol=tolerance, atol=tolerance)
