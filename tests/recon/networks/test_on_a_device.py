"""Everything that can run on a GPU, on one that is pretended: nothing is made or left on the wrong device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from stemscan.recon.fourier_eb.spectral_oracle import spectral_oracle
from stemscan.recon.fshnet import full_grid
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.networks.registry import build
from stemscan.recon.run import reconstruct
from stemscan.recon.training.config import TrainingConfig
from stemscan.recon.training.loop import Pace, train
from stemscan.recon.weights.file import WeightsInfo, save_weights
from tests.recon.fshnet.fshnet_kit import lattice, sparse_scan
from tests.recon.networks.pretended_device import pretended_gpu


def scan() -> Inputs:
    return sparse_scan(lattice((128, 96)))


def test_the_pretended_gpu_finds_what_is_on_the_wrong_device() -> None:
    with pretended_gpu():
        there, here = torch.ones(3, device="cuda"), torch.ones(3)
        assert there.device.type == "cuda"
        assert (there.to("cpu").device.type, there.cpu().device.type, here.to(there).device.type) == (
            "cpu",
            "cpu",
            "cuda",
        )
        assert float((there + torch.tensor(1.0)).sum()) == 6
        wrongs: list[Callable[[], object]] = [
            lambda: there + here,
            lambda: torch.stack([here, there]),
            lambda: here[there.bool()],
        ]
        for wrong in wrongs:
            with pytest.raises(RuntimeError, match="on the GPU and on the CPU"):
                wrong()
        with pytest.raises(TypeError, match="of a tensor on the GPU"):
            there.numpy()
        layer = torch.nn.Linear(3, 2).to("cuda")
        assert layer(there).device.type == "cuda"
        with pytest.raises(RuntimeError, match="on the GPU and on the CPU"):
            layer(here)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("fourier-eb", {}),
        ("fourier-eb", {"windows": False}),
        ("fshnet", {}),
        ("fshnet", {"nonlocal_step": True}),
        ("fshnet", {"weights": "fshnet-paper"}),
    ],
)
def test_methods(method: str, options: dict[str, Any]) -> None:
    inputs = scan()
    here = reconstruct(inputs, method, device="cpu", **options)
    with pretended_gpu():
        there = reconstruct(inputs, method, device="cuda", **options)
    apart = np.abs(there.image - here.image)  # the non-local step may take another of two patches alike
    assert apart.max() < (0.02 if options.get("nonlocal_step") else 2e-3)
    assert np.quantile(apart, 0.99) < 2e-3
    if here.std is not None:
        assert there.std is not None
        np.testing.assert_allclose(there.std, here.std, rtol=0.02)


def test_the_default_takes_the_gpu_and_goes_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_grid, "_WHOLE", 0)
    monkeypatch.setattr(full_grid, "_TILE", 64)
    inputs = scan()
    here = reconstruct(inputs, "fshnet", device="cpu")
    with pretended_gpu():
        there = reconstruct(inputs, "fshnet", device="auto")
    assert there.settings["device"] == "cuda"
    np.testing.assert_allclose(there.image, here.image, atol=2e-3)


@pytest.mark.parametrize("name", ["csnet", "csnet-mask", "reconnet", "reconnet-mask"])
def test_baselines(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    method = name.removesuffix("-mask")
    info = WeightsInfo(frames=4, convention="paper", origin="a test", architecture=name)
    save_weights(build(name, 4), tmp_path / "w.safetensors", info)
    inputs = scan()
    here = reconstruct(inputs, method, device="cpu", weights=tmp_path / "w.safetensors")
    with pretended_gpu():
        there = reconstruct(inputs, method, device="cuda", weights=tmp_path / "w.safetensors")
    np.testing.assert_allclose(there.image, here.image, atol=1e-4)


def test_spectral_oracle() -> None:
    inputs = scan()
    assert inputs.truth is not None
    given = inputs.S, inputs.V, inputs.electrons_per_sample, inputs.truth
    with pretended_gpu():
        there = spectral_oracle(*given, device="cuda")
    np.testing.assert_allclose(there, spectral_oracle(*given), atol=1e-5)


@pytest.mark.parametrize("network", ["fshnet-full", "fshnet", "fshnet-linear-initial", "csnet", "reconnet-mask"])
def test_training_and_going_on_with_it(network: str, tmp_path: Path) -> None:
    """Steps, history, checkpoint, weights and card; the losses are those of the CPU."""
    data = {"generator": "physical", "size": 128, "crop": 64, "crops_per_scan": 2, "samples_per_block": [3]}
    shared: dict[str, Any] = {
        "version": 1,
        "network": network,
        "seed": 1,
        "epochs": 1,
        "steps_per_epoch": 4,
        "batch": 2,
        "precision": "float32",
        "data": data | {"passes": [4], "dose": [10.0, 10.0]},
    }
    if not network.startswith("fshnet-full"):
        shared["frames"] = 4
    config = TrainingConfig.from_yaml(yaml.safe_dump(shared))
    pace = Pace(log=1, save=2, validate=0)

    class Enough(Exception):
        """What stops the first part of the run."""

    def stop(done: int, total: int, numbers: Mapping[str, float]) -> None:
        if done == 3:
            raise Enough

    here = train(config, tmp_path / "here", device="cpu", workers=0, pace=pace)
    with pretended_gpu():
        with pytest.raises(Enough):
            train(config, tmp_path / "there", device="cuda", workers=0, pace=pace, report=stop)
        there = train(config, tmp_path / "there", resume=True, device="cuda", workers=0, pace=pace)
    assert there["loss"] == pytest.approx(here["loss"], rel=1e-4)
    assert "a pretended GPU" in (tmp_path / "there" / "card.md").read_text(encoding="utf-8")
