"""The part that all cells or all columns have in common is added to the drawn columns, and nothing else changes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import cKDTree

from stemscan.recon.columns.cell import repeated
from stemscan.recon.columns.errors import joint_errors
from stemscan.recon.columns.evidence import shrunk
from stemscan.recon.columns.find import find_columns, finding, pilot_image
from stemscan.recon.columns.finding import Finding
from stemscan.recon.columns.fitting import linearised
from stemscan.recon.columns.halo import halo
from stemscan.recon.columns.image import drawn_columns, paint, spread
from stemscan.recon.columns.lattice import find_lattices
from stemscan.recon.inputs.inputs import Inputs
from stemscan.types import Floats
from tests.recon.columns.columns_kit import Crystal, crystal, render, sparse_scan


class Drawn(NamedTuple):
    """A scan, its columns as they are drawn, and what the counts say beyond."""

    truth: Floats
    image: Floats
    found: Finding
    pull: Floats
    known: Floats


def drawn(truth: Floats, seed: int, *, add: Floats | float = 0.0) -> Drawn:
    """Columns of a scan; afterwards `add` is a part of the signal, so that the fit does not know of it."""
    inputs = sparse_scan(truth, seed=seed)
    found = finding(inputs, pilot_image(inputs))
    assert isinstance(found, Finding)
    image = paint(found, drawn_columns(found))[0].astype(np.float64)
    more = sparse_scan(truth + add, seed=seed)
    known = more.electrons_per_sample * more.V / np.maximum(image, 0.02)
    return Drawn(truth + add, image, found, known * (more.S / np.maximum(more.V, 1) - image), known)


def rms(values: npt.NDArray[Any]) -> float:
    return float(np.sqrt((values**2).mean()))


@pytest.fixture(scope="module")
def with_weak() -> tuple[Crystal, Floats, Drawn]:
    """Cells with a column of 0.07 between the others, in the middle of one side, that the fit does not know."""
    truth = crystal(size=320, seed=8)
    cell = truth.sites[truth.sublattice == 1] + 0.5 * (truth.sites[1] - truth.sites[0])
    weak = replace(truth, places=cell, amplitudes=np.full(len(cell), 0.07))
    signal = render(weak, background=0.0)
    return truth, signal, drawn(render(truth), 9, add=signal)


def test_the_evidence_tells_a_signal_from_nothing() -> None:
    """Coefficients of a group that is there are kept, those of one that is not are taken for zero."""
    random = np.random.default_rng(3)
    slopes, groups = random.normal(size=(4000, 60)), np.repeat([0, 1], 30)
    true = np.where(groups == 0, random.normal(0, 0.1, 60), 0.0)
    data = slopes @ true + random.normal(size=4000)
    found, covariance = shrunk(slopes.T @ slopes, slopes.T @ data, groups)
    plain = np.linalg.lstsq(slopes, data, rcond=None)[0]
    assert rms((found - true)[groups == 1]) < 0.5 * rms((plain - true)[groups == 1])
    assert rms((found - true)[groups == 0]) < 1.05 * rms((plain - true)[groups == 0])
    off = (found - true)[groups == 0] / np.sqrt(np.diagonal(covariance)[groups == 0])
    assert 0.75 < rms(off) < 1.25


def test_columns_too_weak_to_be_fitted_are_seen_in_all_cells(with_weak: tuple[Crystal, Floats, Drawn]) -> None:
    _, weak, scan = with_weak
    signal, variance = repeated(scan.found, scan.pull, scan.known)
    left = scan.truth - scan.image
    between = weak > 0.03
    assert rms((left - signal)[between]) < 0.6 * rms(left[between])
    off = ((left - signal) / np.sqrt(variance))[between & (variance > 0)]
    assert rms(off) < 4  # columns and background err as well


def test_exceptions_stay_what_they_are(with_weak: tuple[Crystal, Floats, Drawn]) -> None:
    """Vacancies are not filled, and displaced columns not moved to their sites."""
    truth, _, scan = with_weak
    signal, _ = repeated(scan.found, scan.pull, scan.known)
    gone = (truth.amplitudes == 0) & truth.inside(20)
    rows, columns = np.rint(truth.sites[gone]).astype(int).T
    assert len(rows) >= 2
    assert abs(signal[rows, columns].mean()) < 0.02
    moved = truth.displaced & truth.inside(20)
    shift = truth.places[moved] - truth.sites[moved]
    rows, columns = np.rint(truth.places[moved]).astype(int).T
    slopes = np.stack([np.gradient(signal, axis=axis)[rows, columns] for axis in (0, 1)], axis=1)
    assert abs((slopes * shift).sum() / (shift**2).sum()) < 2e-3  # a column of 0.9 has a curvature of 0.05


def test_where_cells_have_nothing_in_common_nothing_is_added() -> None:
    truth = render(crystal(size=256, seed=4))
    scan = drawn(truth, 5)
    signal, variance = repeated(scan.found, scan.pull, scan.known)
    assert rms(signal) < 0.3 * rms(scan.truth - scan.image)
    assert float(np.sqrt(variance.mean())) < 0.3 * rms(scan.truth - scan.image)


def test_rings_around_columns_are_found_at_an_edge() -> None:
    """Tails beyond the profile's reach go on into the vacuum beside a crystal."""
    whole = crystal(size=320, seed=6, displaced=0.1)
    left = whole.sites[:, 1] < 200
    half = replace(whole, places=whole.places[left], amplitudes=whole.amplitudes[left])
    rows, columns = np.indices(whole.shape)
    tails = np.zeros(whole.shape)
    for (row, column), amplitude in zip(half.places, half.amplitudes, strict=True):
        distance = np.hypot(rows - row, columns - column) / 4.25
        tails += 0.02 * amplitude * np.interp(distance, [5, 7, 10, 14, 20], [0, 1, 0.6, 0.3, 0])
    scan = drawn(render(half), 7, add=tails)
    signal, variance = halo(scan.found.model, drawn_columns(scan.found), scan.pull, scan.known)
    inner = (slice(30, -30), slice(205, 290))
    left_over = scan.truth - scan.image
    unlike = left_over - left_over[inner].mean()
    assert rms((unlike - signal)[inner] - (unlike - signal)[inner].mean()) < 0.7 * rms(unlike[inner])
    assert (variance > 0).all()


def test_a_column_at_no_site_keeps_its_amplitude() -> None:
    """It is an exception: the columns of a class say nothing of it."""
    truth = crystal(size=256, seed=2, vacancies=0.0)
    middle = np.abs(truth.sites - 128).sum(axis=1).argmin()
    step = 0.5 * (truth.sites[1] - truth.sites[0])
    added = replace(
        truth,
        places=np.concatenate([truth.places, [truth.sites[middle] + step]]),
        amplitudes=np.concatenate([truth.amplitudes, [0.6]]),
    )
    found = finding(inputs := sparse_scan(render(added), seed=3), pilot_image(inputs))
    assert isinstance(found, Finding)
    strange = np.flatnonzero((found.columns["kind"] == "added") & found.inside)
    assert len(strange) >= 1
    assert np.array_equal(found.columns["eb_amplitude"][strange], found.columns["amplitude"][strange])
    assert np.array_equal(found.columns["eb_amplitude_std"][strange], found.columns["amplitude_std"][strange])
    regular = found.columns["lattice"] >= 0
    assert (found.columns["eb_amplitude_std"][regular] < found.columns["amplitude_std"][regular]).mean() > 0.8


def test_the_background_is_known_better_where_no_column_is() -> None:
    """Far from columns its error is that of a smooth signal alone."""
    whole = crystal(size=384, seed=6)
    kept = whole.sites[:, 1] < 180
    half = replace(whole, places=whole.places[kept], amplitudes=whole.amplitudes[kept])
    off, claimed = [], []
    for seed in range(4):
        inputs: Inputs = sparse_scan(render(half), seed=seed)
        found = finding(inputs, pilot_image(inputs))
        assert isinstance(found, Finding)
        image, variance = paint(found, drawn_columns(found))
        std = spread(found, variance)
        empty = (slice(40, -40), slice(280, 350))
        off.append(rms((image - 0.1)[empty]))
        claimed.append(rms(std[empty]))
    assert 0.5 < rms(np.array(claimed)) / rms(np.array(off)) < 2


def test_the_background_is_known_as_well_where_the_frame_cuts_its_cells() -> None:
    """A background that may vary, of whose last cells most lies beyond the frame."""
    whole = crystal(size=384, seed=6)
    kept = whole.sites[:, 1] < 180
    inputs = sparse_scan(render(replace(whole, places=whole.places[kept], amplitudes=whole.amplitudes[kept])), seed=1)
    found = finding(inputs, pilot_image(inputs))
    assert isinstance(found, Finding)
    spacing = 100.0  # the last cell begins at 300
    model = replace(found.model, spacing=spacing, nodes=np.full((5, 5), 0.1), stiffness=100.0)
    errors = joint_errors(linearised(model, found.scan.points(found.scan.tiles[0]), profiles=True), inputs.shape)
    std = np.sqrt(errors.nodes[1:-1])
    assert (std[:, -1] < 2.5 * std[:, -2]).all()


def test_heights_of_empty_sites_allow_for_what_they_scatter_by() -> None:
    """Signal that no model has, small patches of it at vacancies, is a part of the heights' errors."""
    truth = crystal(size=384, seed=8, displaced=0.0, vacancies=0.12)
    gone = np.nonzero((truth.amplitudes == 0) & truth.inside(20))[0]
    signs = np.random.default_rng(2).choice([-0.07, 0.07], len(gone))
    patches = replace(truth, places=truth.sites[gone], amplitudes=signs)
    ratios = []
    for image in (render(truth), render(truth) + render(patches, background=0.0)):
        table = find_columns(sparse_scan(image, seed=3))
        empty = np.nonzero(table.of_kind("empty"))[0]
        distance, nearest = cKDTree(np.stack([table["row"][empty], table["col"][empty]], 1)).query(truth.sites[gone])
        rows = empty[nearest[distance < 2]]
        assert len(rows) > 10
        ratios.append(rms(table["amplitude"][rows] / table["amplitude_std"][rows]))
    assert 0.6 < ratios[0] < 1.3
    assert 0.8 < ratios[1] < 1.3


def test_a_lattice_is_not_taken_for_one_of_twice_the_cell() -> None:
    """Where the columns around a seed are bad ones, those farther off say how large the cell is."""
    random = np.random.default_rng(1)
    index = np.stack(np.meshgrid(np.arange(14), np.arange(14), indexing="ij"), axis=-1).reshape(-1, 2)
    places = 20.0 * index + random.normal(0, 0.3, (196, 2))
    corner = (index < 5).all(axis=1)
    places = places[~(corner & (index[:, 1] % 2 == 1) & (index[:, 0] != 2))]
    dense = np.array([[10.0, 0.0], [0.0, 10.0], [10.0, 20.0], [0.0, 31.0], [4.0, 14.0]])  # draws the first seeds here
    places = np.concatenate([places, dense])
    found = find_lattices(places, np.ones(len(places)), np.full(len(places), 0.05))
    assert abs(math.hypot(*found[0].basis[0]) * math.hypot(*found[0].basis[1]) - 400) < 20
    assert len(found[0].members) > 170
