"""The network: the published numbers, the committed ones, sizes, counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stemscan.errors import ReconError
from stemscan.recon.paper.inference import infer
from stemscan.recon.paper.network import FSHNet, multiply_accumulates, parameter_count_paper
from stemscan.recon.paper.published_weights import import_published, load_fshnet, prior_input
from stemscan.recon.paper.scale import sample_scale, standardised_frames
from tests.recon.fshnet.fshnet_kit import lattice, seeded_network, sparse_scan, uniform

GOLDEN = Path(__file__).with_name("data") / "fshnet-seeded.npz"


def network_inputs(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    inputs = sparse_scan(lattice(shape))
    frames = standardised_frames(inputs, 4, sample_scale(inputs))
    return frames, prior_input(frames)


def test_published_weights_give_the_published_output(shared_dir: Path, tmp_path: Path) -> None:
    reference = shared_dir / "reference"
    import_published(reference / "fshnet-published.safetensors", tmp_path / "weights.safetensors")
    network, info = load_fshnet(tmp_path / "weights.safetensors")
    assert info.convention == "published"
    with np.load(reference / "fshnet-golden.npz") as golden:
        frames = np.zeros(golden["shape"], dtype=np.float32)
        frames.flat[golden["index"]] = golden["value"]
        np.testing.assert_allclose(prior_input(frames), golden["prior_input"], atol=1e-5)
        output = infer(network, frames, golden["prior_input"])
        assert np.abs(output - golden["output"]).max() <= 1e-5


@pytest.mark.parametrize("shape", [(64, 96), (45, 50)])
def test_seeded_weights_give_the_committed_output(shape: tuple[int, int]) -> None:
    """The numbers were made by a plain functional transcription of the published table, padded by mirror images."""
    frames, prior = network_inputs(shape)
    with np.load(GOLDEN) as golden:
        name = f"{shape[0]}x{shape[1]}"
        np.testing.assert_allclose(prior, golden[f"prior_{name}"], atol=1e-5)
        output = infer(seeded_network(), frames, golden[f"prior_{name}"])
        assert output.dtype == np.float32
        np.testing.assert_allclose(output, golden[f"output_{name}"], atol=1e-5)


def test_parameters_are_as_many_as_published() -> None:
    assert parameter_count_paper() == 161_761
    trainable = sum(p.numel() for p in FSHNet().parameters() if p.requires_grad)
    assert trainable == 160_718
    assert parameter_count_paper(FSHNet()) == 161_761


def test_all_trainable_parameters_are_used() -> None:
    network = seeded_network()
    frames, prior = network_inputs((32, 32))
    output = network(torch.from_numpy(frames)[None], torch.from_numpy(prior)[None, None])
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(output.square().sum(), list(parameters.values()))
    idle = [name for name, grad in zip(parameters, gradients, strict=True) if not grad.abs().max() > 0]
    assert idle == []


def test_operations_are_as_many_as_published() -> None:
    counts = multiply_accumulates((1024, 1024))
    expected = {"shuffle": 10.72, "prior": 2.61, "decoder": 2.38, "fusion": 1.89, "middle": 0.27, "blocks": 0.04}
    assert {part: round(counts[part] / 1e9, 2) for part in expected} == {**expected, "prior": 2.6}
    assert counts["prior"] == 2_604_662_784  # 2.605 G: 2.60 or 2.61, as one rounds
    assert round(counts["total"] / 1e9, 2) == 17.91
    assert counts["total"] == sum(count for part, count in counts.items() if part != "total")
    assert multiply_accumulates((512, 1024))["total"] * 2 == counts["total"]


@pytest.mark.parametrize("shape", [(413, 469), (48, 1000), (16, 16), (17, 31), (5, 3), (1, 1)])
def test_any_grid(shape: tuple[int, int]) -> None:
    output = infer(seeded_network(), uniform(1, (4, *shape)).astype(np.float32), np.zeros(shape, dtype=np.float32))
    assert output.shape == ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
    assert np.isfinite(output).all()


def test_grids_beyond_the_stages_are_continued_by_their_mirror_image() -> None:
    frames, prior = network_inputs((40, 58))
    pads = ((0, 8), (0, 6))
    wide = infer(seeded_network(), np.pad(frames, ((0, 0), *pads), "symmetric"), np.pad(prior, pads, "symmetric"))
    np.testing.assert_allclose(infer(seeded_network(), frames, prior), wide[:20, :29], atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_other_numbers_of_frames(count: int) -> None:
    frames = uniform(count, (count, 32, 32)).astype(np.float32)
    assert infer(seeded_network(count), frames, frames[0]).shape == (16, 16)


def test_repeats_are_bit_identical_and_leave_the_global_generator_alone() -> None:
    frames, prior = network_inputs((64, 64))
    network = seeded_network()
    state = torch.get_rng_state()
    first = infer(network, frames, prior)
    np.testing.assert_array_equal(infer(network, frames, prior), first)
    assert parameter_count_paper() > 0
    multiply_accumulates((64, 64))
    assert torch.equal(torch.get_rng_state(), state)


def test_inference_ignores_training_mode_and_leaves_the_statistics() -> None:
    frames, prior = network_inputs((32, 32))
    network = seeded_network()
    expected = infer(network, frames, prior)
    before = network.state_dict()["shuffle.0.norm.running_mean"].clone()
    network.train()
    np.testing.assert_array_equal(infer(network, frames, prior), expected)
    assert torch.equal(network.state_dict()["shuffle.0.norm.running_mean"], before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu() -> None:
    frames, prior = network_inputs((96, 80))
    on_cpu = infer(seeded_network(), frames, prior)
    np.testing.assert_allclose(infer(seeded_network(), frames, prior, "cuda"), on_cpu, atol=1e-4)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_missing_device_is_said(device: str) -> None:
    frames, prior = network_inputs((16, 16))
    with pytest.raises(ReconError, match=f"device '{device}', got: .*; try device 'cpu'"):
        infer(seeded_network(), frames, prior, device)


@pytest.mark.parametrize(
    ("frames", "prior"), [((1, 3, 16, 16), (1, 1, 16, 16)), ((1, 4, 16, 16), (1, 1, 16, 8)), ((4, 16, 16), (1, 16, 16))]
)
def test_shapes_that_do_not_fit_are_refused(frames: tuple[int, ...], prior: tuple[int, ...]) -> None:
    with pytest.raises(ReconError, match="expected frames of shape"):
        seeded_network()(torch.zeros(frames), torch.zeros(prior))
