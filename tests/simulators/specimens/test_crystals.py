"""Crystals: columns against ase's positions, and what the picture shows."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from stemscan.errors import SpecimenError, UsageError
from stemscan.simulators.instrument.probe import Probe
from stemscan.simulators.specimens.crystal_names import parse_crystal
from stemscan.simulators.specimens.crystal_specimen import DEFAULT_PIXEL_NM, render_crystal
from stemscan.simulators.specimens.crystals import CRYSTALS, Zone, crystal_atoms
from stemscan.simulators.specimens.projection import Z_EXPONENT, Projection, project

if TYPE_CHECKING:
    from ase import Atoms

ZONES: tuple[Zone, ...] = ((0, 0, 1), (1, 1, 0), (1, 0, 0))
ALL = [(name, zone) for name in CRYSTALS for zone in ZONES]
RENDERED = [(name, zone) for name in CRYSTALS for zone in ((0, 0, 1), (1, 1, 0))]


def frame_of(atoms: Atoms, zone: Zone, right: tuple[int, ...]) -> NDArray[np.float64]:
    """Unit vectors to the right, upwards and towards the eye, as rows, from ase's cell alone."""
    cell = np.asarray(atoms.cell.array)
    towards = np.array(zone) @ cell
    towards = towards / np.linalg.norm(towards)
    across = np.array(right) @ cell
    across = across - (across @ towards) * towards
    across = across / np.linalg.norm(across)
    return np.array([across, np.cross(towards, across), towards])


def projected(atoms: Atoms, zone: Zone, right: tuple[int, ...], half_width_nm: float) -> NDArray[np.float64]:
    """(right, up, Z**exponent) in nm of all atoms of one repeat along the zone whose projections lie in a square."""
    frame = frame_of(atoms, zone, right)
    cell = np.asarray(atoms.cell.array)
    period = np.linalg.norm(np.array(zone) @ cell)
    reach = [
        int(np.ceil((half_width_nm * 30 + period) / height)) + 1
        for height in 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    ]
    shifts = np.array(list(itertools.product(*(range(-n, n + 1) for n in reach)))) @ cell
    places = (np.asarray(atoms.positions)[None] + shifts[:, None]).reshape(-1, 3) @ frame.T
    weights = np.tile(np.asarray(atoms.numbers, float) ** Z_EXPONENT, len(shifts))
    depth = places[:, 2] / period
    keep = (np.abs(places[:, :2]) < half_width_nm * 10).all(axis=1) & (depth > -0.5 + 1e-7) & (depth < 0.5 + 1e-7)
    return np.column_stack([places[keep, :2] / 10, weights[keep]])


def merged(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Atoms behind one another added up."""
    columns: dict[tuple[int, int], NDArray[np.float64]] = {}
    for x, y, weight in points:
        key = (round(x * 1e4), round(y * 1e4))
        near = [(key[0] + i, key[1] + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        found = next((k for k in near if k in columns), None)
        if found is None:
            columns[key] = np.array([x, y, weight])
        else:
            columns[found][2] += weight
    return np.array(list(columns.values()))


def from_projection(projection: Projection, half_width_nm: float) -> NDArray[np.float64]:
    """The columns of a projection inside a square, as `merged` gives them."""
    reach = int(np.ceil(3 * half_width_nm / np.linalg.norm(projection.cell, axis=1).min())) + 2
    shifts = np.array(list(itertools.product(range(-reach, reach + 1), repeat=2)))
    places = ((projection.columns[None] + shifts[:, None]) @ projection.cell).reshape(-1, 2)
    keep = (np.abs(places) < half_width_nm).all(axis=1)
    return np.column_stack([places[keep], np.tile(projection.weights, len(shifts))[keep]])


@pytest.mark.parametrize(("name", "zone"), [*ALL, ("Si", (1, 1, 2)), ("SrTiO3", (1, -1, 1)), ("GaN", (2, 1, -3))])
def test_columns_are_the_projected_atoms_of_ase(name: str, zone: Zone) -> None:
    atoms = crystal_atoms(name)
    projection = project(atoms, zone, Z_EXPONENT)
    half_width = 0.4123
    expected = merged(projected(atoms, zone, projection.right, half_width))
    got = from_projection(projection, half_width)
    assert len(got) == len(expected) > 0
    apart = np.linalg.norm(got[:, None, :2] - expected[None, :, :2], axis=2)
    assert apart.min(axis=1).max() < 1e-6
    np.testing.assert_allclose(got[:, 2], expected[apart.argmin(axis=1), 2], rtol=1e-9)


def sub_pixel_maximum(image: NDArray[np.float32], row: int, column: int) -> tuple[float, float]:
    """Summit near a pixel, by parabolas through the logarithm: exact for a Gaussian that stands alone."""
    window = image[row - 2 : row + 3, column - 2 : column + 3]
    up, left = np.unravel_index(int(window.argmax()), window.shape)
    r, c = row - 2 + int(up), column - 2 + int(left)

    def offset(before: float, at: float, after: float) -> float:
        b, m, a = np.log([before, at, after])
        return float((b - a) / (2 * (b - 2 * m + a)))

    return (
        r + offset(image[r - 1, c], image[r, c], image[r + 1, c]),
        c + offset(image[r, c - 1], image[r, c], image[r, c + 1]),
    )


@pytest.mark.parametrize(("name", "zone"), RENDERED)
def test_rendered_columns_stand_within_a_tenth_of_a_pixel(name: str, zone: Zone) -> None:
    """A fine probe, so that columns stand alone; the picture is compared with positions from ase."""
    atoms = crystal_atoms(name)
    pixel, size = 0.01, 121
    spec = f"crystal:{name}[{zone[0]},{zone[1]},{zone[2]}]"
    specimen = render_crystal(spec, (size, size), pixel_size_nm=pixel, probe=Probe(fwhm_nm=0.028, tail=0))
    right = tuple(specimen.record["steps"][0]["right"])
    columns = merged(projected(atoms, zone, right, 0.62))
    apart = np.linalg.norm(columns[:, None, :2] - columns[None, :, :2], axis=2)
    np.fill_diagonal(apart, np.inf)
    alone = columns[(apart.min(axis=1) > 0.07) & (columns[:, 2] > 0.02 * columns[:, 2].max())]
    checked = 0
    for x, y, _ in alone:
        row, column = (size - 1) / 2 - y / pixel, (size - 1) / 2 + x / pixel
        if 4 <= row <= size - 5 and 4 <= column <= size - 5:
            found = sub_pixel_maximum(specimen.signal, round(row), round(column))
            assert np.hypot(found[0] - row, found[1] - column) < 0.1
            checked += 1
    assert checked >= 4


@pytest.mark.parametrize("name", ["SrTiO3", "Au", "MoS2-monolayer", "GaAs", "CeO2", "YBa2Cu3O7", "graphene"])
def test_the_brightest_columns_stay_in_place_under_the_usual_probe(name: str) -> None:
    pixel, size = DEFAULT_PIXEL_NM, 161
    specimen = render_crystal(name, (size, size), pixel_size_nm=pixel)
    step = specimen.record["steps"][0]
    columns = merged(projected(crystal_atoms(name), tuple(step["zone_axis"]), tuple(step["right"]), 0.7))
    brightest = columns[columns[:, 2] > 0.999 * columns[:, 2].max()]
    assert len(brightest) >= 2
    for x, y, _ in brightest:
        row, column = (size - 1) / 2 - y / pixel, (size - 1) / 2 + x / pixel
        found = sub_pixel_maximum(specimen.signal, round(row), round(column))
        assert np.hypot(found[0] - row, found[1] - column) < 0.1


@pytest.mark.parametrize(("name", "zone"), [("MoS2-monolayer", (0, 0, 1)), ("Si", (1, 1, 2)), ("TiO2", (0, 0, 1))])
def test_the_picture_is_the_sum_of_the_columns_probes(name: str, zone: Zone) -> None:
    """Fourier synthesis and interpolation against a plain sum of Gaussians, in an oblique cell too."""
    pixel, shape = 0.013, (40, 53)
    probe = Probe(fwhm_nm=0.1, tail=0)
    spec = f"{name}[{zone[0]}{zone[1]}{zone[2]}]"
    specimen = render_crystal(spec, shape, pixel_size_nm=pixel, probe=probe)
    columns = merged(projected(crystal_atoms(name), zone, tuple(specimen.record["steps"][0]["right"]), 0.9))
    y = ((shape[0] - 1) / 2 - np.arange(shape[0]))[:, None] * pixel
    x = (np.arange(shape[1]) - (shape[1] - 1) / 2)[None] * pixel
    summed = sum(w * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * probe.sigma_nm**2)) for cx, cy, w in columns)
    fitted = np.vdot(summed, specimen.signal) / np.vdot(summed, summed)
    np.testing.assert_allclose(specimen.signal, fitted * summed, atol=1e-4)


def test_the_tail_has_its_share_and_its_shape() -> None:
    """Transform of the tail against its closed form: g / (2 pi (r^2 + g^2)^(3/2)) by a Hankel transform."""
    from scipy.integrate import quad
    from scipy.special import j0

    probe = Probe(fwhm_nm=1e-6, tail=1, tail_nm=0.15)
    for frequency in (0.3, 1.0, 2.5):
        integral, _ = quad(
            lambda r, q=frequency: r * 0.15 / (r * r + 0.15**2) ** 1.5 * j0(2 * np.pi * q * r), 0, 60, limit=2000
        )
        assert float(probe.transfer(np.array(frequency), np.array(0.0))) == pytest.approx(integral, abs=3e-3)
    mixed = Probe(tail=0.4)
    assert float(mixed.transfer(np.array(0.0), np.array(0.0))) == 1
    assert float(mixed.transfer(np.array(3.0), np.array(0.0))) < float(
        Probe(tail=0).transfer(np.array(3.0), np.array(0.0))
    )


def test_column_intensities_are_z_contrast() -> None:
    specimen = render_crystal("SrTiO3[001]", (41, 41), pixel_size_nm=0.009763, probe=Probe(fwhm_nm=0.03, tail=0))
    strontium, titanium, oxygen = (specimen.signal[place] for place in ((20, 20), (0, 0), (20, 0)))
    assert strontium == pytest.approx(1, abs=1e-4)
    assert titanium == pytest.approx((22**1.7 + 8**1.7) / 38**1.7, abs=2e-3)
    assert oxygen == pytest.approx(8**1.7 / 38**1.7, abs=2e-3)


def test_the_picture_is_seen_from_the_side_that_the_zone_axis_points_to() -> None:
    """PbTiO3 along [100]: [010] to the right and [001] up, so titanium stands above the middle of the cell."""
    specimen = render_crystal("PbTiO3[100]", (61, 61), pixel_size_nm=0.01, probe=Probe(fwhm_nm=0.03, tail=0))
    assert specimen.record["steps"][0]["right"] == [0, 1, 0]
    middle = round(30 - 0.5 * 0.4156 / 0.01)
    row, _ = sub_pixel_maximum(specimen.signal, round(30 - 0.5377 * 41.56), round(30 + 0.5 * 39.02))
    assert row < middle - 1
    reversed_zone = render_crystal("MoS2-monolayer[00-1]", (65, 65), pixel_size_nm=0.01)
    forward = render_crystal("MoS2-monolayer[001]", (65, 65), pixel_size_nm=0.01)
    np.testing.assert_allclose(reversed_zone.signal, forward.signal[::-1], atol=1e-5)


def test_a_larger_field_holds_the_smaller_one_unchanged() -> None:
    large = render_crystal("GaN[11-20]", (256, 200), pixel_size_nm=0.02)
    small = render_crystal("GaN[11-20]", (64, 100), pixel_size_nm=0.02)
    np.testing.assert_array_equal(large.signal[96:160, 50:150], small.signal)


@pytest.mark.parametrize("name", CRYSTALS)
def test_every_crystal_fills_the_range_and_rendering_repeats(name: str) -> None:
    first = render_crystal(name, (300, 300), pixel_size_nm=0.0123)
    again = render_crystal(f"crystal:{name}", (300, 300), pixel_size_nm=0.0123)
    assert first.sha256 == again.sha256
    assert first.signal.min() >= 0
    assert 0.95 < first.signal.max() <= 1
    assert first.warnings == ()


def test_specimens_are_the_same_on_every_machine() -> None:
    specimen = render_crystal("SrTiO3", (128, 96), pixel_size_nm=0.02)
    assert specimen.sha256[:16] == GOLDEN


GOLDEN = "79af75012c148b30"


def test_what_was_done_is_recorded() -> None:
    specimen = render_crystal("crystal:si[2,-2,0]", (64, 64))
    assert specimen.name == "crystal:Si[1-10]"
    assert specimen.pixel_size_nm == DEFAULT_PIXEL_NM
    assert "no pixel size" in specimen.warnings[0]
    step = specimen.record["steps"][0]
    assert (step["crystal"], step["zone_axis"], step["pixel_size_from"]) == ("Si", [1, -1, 0], "default")
    assert step["probe"] == asdict(Probe())
    coarse = render_crystal("Si", (64, 64), pixel_size_nm=0.2)
    assert "undersampled" in coarse.warnings[0]
    assert render_crystal("Si[12,1,1]", (8, 8), pixel_size_nm=0.01).name == "crystal:Si[12,1,1]"


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("[001]", (0, 0, 1)),
        ("[1-10]", (1, -1, 0)),
        ("[-1-10]", (-1, -1, 0)),
        ("[1, -1, 0]", (1, -1, 0)),
        ("[1 -1 0]", (1, -1, 0)),
        ("[10 1 1]", (10, 1, 1)),
        ("[220]", (1, 1, 0)),
        ("[0 0 -2]", (0, 0, -1)),
        ("[0001]", (0, 0, 1)),
        ("[11-20]", (1, 1, 0)),
        ("[1-100]", (1, -1, 0)),
        ("[10-10]", (2, 1, 0)),
        ("[2,-1,-1,0]", (1, 0, 0)),
    ],
)
def test_zone_axes_are_read(text: str, zone: Zone) -> None:
    assert parse_crystal(f"crystal:GaN{text}") == ("GaN", zone)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("crystal:SrTiO4", "did you mean SrTiO3"),
        ("crystal:nothing", "known are SrTiO3, KTaO3"),
        ("crystal:", "known crystal"),
        ("crystal:Si[11-20]", "not hexagonal"),
        ("crystal:GaN[1120]", "u \\+ v \\+ t = 0"),
        ("crystal:Si[000]", "not all zero"),
        ("crystal:Si[11]", "three indices"),
        ("crystal:Si[abc]", "integers"),
        ("crystal:Si[]", "integers"),
        ("crystal:Si[1.5,0,0]", "integers"),
        ("crystal:Si[99,1,1]", "-12 to 12"),
        ("crystal:Si[001", "crystal:SrTiO3"),
        ("crystal:Si]001[", "crystal:SrTiO3"),
    ],
)
def test_what_is_no_crystal_is_refused(spec: str, problem: str) -> None:
    with pytest.raises(SpecimenError, match=problem):
        parse_crystal(spec)


def test_impossible_probes_and_pixels_are_refused() -> None:
    for wrong in ({"fwhm_nm": 0}, {"tail": 1.5}, {"tail_nm": float("nan")}):
        with pytest.raises(UsageError, match="probe"):
            Probe(**wrong)
    for pixel in (0.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="pixel size"):
            render_crystal("Si", (8, 8), pixel_size_nm=pixel)
