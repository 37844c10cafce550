"""The protocol of the published code for all methods."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stemscan.recon.evaluation.cases import Case, Cell
from stemscan.recon.evaluation.contenders import parse_contender
from stemscan.recon.evaluation.images import folder_images
from stemscan.recon.evaluation.run import run_case
from stemscan.recon.metrics import compare
from stemscan.recon.paper.contender import binned, reconstruct_published, shifted_inputs
from stemscan.recon.paper.inference import infer
from stemscan.recon.paper.protocol import published_scan
from stemscan.recon.paper.published_weights import import_published, prior_input
from stemscan.recon.threads import limit_threads
from stemscan.recon.weights.file import WeightsInfo, save_weights
from tests.recon.evaluation.kit import images
from tests.recon.fshnet.fshnet_kit import seeded_network
from tests.recon.sampling_kit import lattice

DRAWN = published_scan(lattice((64, 64)), 6, 10.0, seed=1)


def test_shifted_samples_keep_their_values_and_their_relative_noise() -> None:
    shifted = shifted_inputs(DRAWN, 10.0)
    visited = DRAWN.visits > 0
    signal = shifted.inputs.frames[visited] / shifted.inputs.electrons_per_sample
    np.testing.assert_allclose(shifted.back(signal), DRAWN.frames[visited], atol=1e-5)
    assert (signal.min(), signal.max()) == (0, pytest.approx(1))
    noise = signal.mean() / shifted.inputs.electrons_per_sample * shifted.span**2
    truth = np.broadcast_to(DRAWN.fine_truth, DRAWN.frames.shape)[visited]
    assert noise == pytest.approx(float((DRAWN.frames[visited] - truth).var()), rel=0.15)


def test_a_method_for_counts_gives_what_it_gives_on_signed_samples() -> None:
    made = reconstruct_published(DRAWN, 10.0, parse_contender("constant"), threads=1)
    samples = DRAWN.frames[DRAWN.visits > 0]
    np.testing.assert_allclose(made.image, samples.mean(), atol=1e-4)
    assert made.image.shape == DRAWN.truth.shape


def test_binned_means() -> None:
    np.testing.assert_array_equal(binned(np.arange(16, dtype=np.float32).reshape(4, 4)), [[2.5, 4.5], [10.5, 12.5]])


def test_networks_by_their_convention(tmp_path: Path) -> None:
    network = seeded_network()
    save_weights(network, tmp_path / "published.safetensors", WeightsInfo(4, "published"))
    save_weights(network, tmp_path / "paper.safetensors", WeightsInfo(4, "paper"))
    alone = parse_contender(f"a=fshnet:{tmp_path}/published.safetensors,nonlocal_step=false")
    made = reconstruct_published(DRAWN, 10.0, alone, threads=1)
    with limit_threads(1):
        direct = infer(network, DRAWN.frames, prior_input(DRAWN.frames))
    np.testing.assert_array_equal(made.image, direct)
    stepped = reconstruct_published(DRAWN, 10.0, replace(alone, settings=()), threads=1)
    assert (stepped.image != made.image).any()
    other = reconstruct_published(
        DRAWN, 10.0, parse_contender(f"b=fshnet:{tmp_path}/paper.safetensors,nonlocal_step=false"), threads=1
    )
    assert other.image.shape == DRAWN.truth.shape
    assert other.factor == 2
    shipped = reconstruct_published(DRAWN, 10.0, parse_contender("fshnet"), threads=1)
    assert shipped.image.shape == DRAWN.truth.shape
    assert compare(shipped.image, DRAWN.truth).psnr_affine > compare(made.image, DRAWN.truth).psnr_affine


@pytest.mark.parametrize("method", ["fourier-eb", "nearest"])
def test_psnr_has_the_range_of_the_truth(method: str) -> None:
    outcome = run_case(Case(images()[0], Cell("published", 6, 25.0), 4, 1, parse_contender(method)), 1, keep_image=True)
    assert outcome.measured.error == ""
    assert outcome.measured.psnr_affine >= outcome.measured.psnr - 1e-6
    assert outcome.measured.psnr > 12
    assert outcome.image is not None
    assert outcome.image.shape == (32, 32)


def test_published_number_of_a_real_image_is_met(shared_dir: Path, tmp_path: Path) -> None:
    import_published(shared_dir / "reference" / "fshnet-published.safetensors", tmp_path / "w.safetensors")
    found, _ = folder_images(shared_dir / "images", ["aistem_673k"])
    contender = parse_contender(f"f=fshnet:{tmp_path}/w.safetensors,nonlocal_step=false")
    measured = run_case(Case(found[0], Cell("published", 3, 10.0), 4, 1, contender)).measured
    with (shared_dir / "reference" / "published-on-real.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["image"] == "aistem_673k" and row["dose"] == "10"]
    assert measured.psnr_affine == pytest.approx(float(rows[2]["psnr_affine"]), abs=0.35)
    assert measured.psnr_minmax == pytest.approx(float(rows[2]["psnr_minmax"]), abs=1.0)
