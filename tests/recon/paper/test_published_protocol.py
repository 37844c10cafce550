"""The published evaluation protocol: what it draws, and the numbers it was measured to give."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import ReconError
from stemscan.recon.paper.inference import infer
from stemscan.recon.paper.protocol import published_scan
from stemscan.recon.paper.published_weights import import_published, load_fshnet, prior_input
from tests.recon.fshnet.fshnet_kit import lattice, uniform

TRUTH = lattice((96, 64)).astype(np.float64)


@pytest.mark.parametrize("count", [1, 3, 64])
def test_every_block_has_its_samples(count: int) -> None:
    scan = published_scan(TRUTH, count)
    assert scan.visits.shape == scan.frames.shape == (4, 192, 128)
    blocks = scan.visits.reshape(4, 24, 8, 16, 8).sum(axis=(2, 4))
    assert (blocks == count).all()
    assert scan.visits.max() == 1
    assert not scan.frames[scan.visits == 0].any()


def test_truth_is_standardised_and_doubled_about_block_centres() -> None:
    scan = published_scan(TRUTH)
    assert scan.truth.mean() == pytest.approx(0, abs=1e-6)
    assert scan.truth.std() == pytest.approx(1, abs=1e-6)
    binned = scan.fine_truth.reshape(96, 2, 64, 2).mean(axis=(1, 3))
    assert np.abs(binned - scan.truth)[4:-4, 4:-4].max() < 0.05


def test_noise_is_equation_5_on_signed_values() -> None:
    scan = published_scan(TRUTH, 16, dose=10.0, seed=3)
    signal = np.broadcast_to(scan.fine_truth, scan.frames.shape)[scan.visits > 0]
    samples = scan.frames[scan.visits > 0]
    clear = np.abs(signal) > 0.05
    factors = samples[clear] / signal[clear] * 10
    np.testing.assert_allclose(factors, np.round(factors), atol=1e-3)
    assert factors.mean() == pytest.approx(10, abs=0.1)
    assert factors.var() == pytest.approx(10, rel=0.05)
    assert (samples < 0).any()


def test_seed_decides_everything() -> None:
    first, again, other = (published_scan(TRUTH, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.frames, again.frames)
    assert (first.visits != other.visits).any()


@pytest.mark.parametrize(
    ("truth", "settings", "message"),
    [
        (uniform(1, (10, 16)), {}, r"multiples of 4, got shape \(10, 16\)"),
        (uniform(1, (4, 8, 8)), {}, "multiples of 4"),
        (np.ones((8, 8)), {}, "not constant"),
        (TRUTH, {"samples_per_block": 0}, "1 to 64 samples per block, got 0"),
        (TRUTH, {"samples_per_block": 65}, "got 65"),
        (TRUTH, {"dose": 0.0}, "dose above 0, got 0.0"),
    ],
)
def test_what_cannot_be_sampled_is_refused(truth: np.ndarray, settings: dict[str, float], message: str) -> None:
    with pytest.raises(ReconError, match=message):
        published_scan(truth, **settings)  # type: ignore[arg-type]


def test_published_number_of_a_real_image_is_met(shared_dir: Path, tmp_path: Path) -> None:
    from scipy.ndimage import gaussian_filter, median_filter
    from tifffile import imread

    name = "aistem_673k"
    image = imread(shared_dir / "images" / f"{name}.tif").astype(np.float64)[:512, :512]
    scan = published_scan(median_filter(gaussian_filter(image, 1.5), 3), 3, 10.0, seed=1)
    import_published(shared_dir / "reference" / "fshnet-published.safetensors", tmp_path / "w.safetensors")
    output = infer(load_fshnet(tmp_path / "w.safetensors")[0], scan.frames, prior_input(scan.frames))
    correlation = np.corrcoef(output.ravel(), scan.truth.ravel())[0, 1]
    psnr = 10 * np.log10(np.ptp(scan.truth) ** 2 / (scan.truth.var() * (1 - correlation**2)))
    with (shared_dir / "reference" / "published-on-real.csv").open() as table:
        wanted = [row for row in csv.DictReader(table) if row["image"] == name and row["dose"] == "10"]
    assert psnr == pytest.approx(float(wanted[2]["psnr_affine"]), abs=0.35)
