"""The parts of the generator against what they are in theory: choices, splines, probe, lattice, strain, regions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stemscan.simulators.instrument.probe import Probe
from stemscan.simulators.specimens.crystal_specimen import render_crystal
from stemscan.simulators.specimens.crystals import crystal_atoms
from stemscan.simulators.specimens.projection import project
from stemscan.simulators.specimens.synthetic.choices import Choices, site_normals, site_uniforms
from stemscan.simulators.specimens.synthetic.films import add_film, thickened
from stemscan.simulators.specimens.synthetic.grains import disordered, grow
from stemscan.simulators.specimens.synthetic.lattice import Sites, Stage, rotation, without_neighbours
from stemscan.simulators.specimens.synthetic.materials import Material, choose_material
from stemscan.simulators.specimens.synthetic.regions import Line
from stemscan.simulators.specimens.synthetic.scenes import KINDS, Film
from stemscan.simulators.specimens.synthetic.splines import Spline
from stemscan.simulators.specimens.synthetic.stamps import SyntheticProbe, probe_table, stamp
from stemscan.simulators.specimens.synthetic.strain import dislocated, strained

STAGE = Stage((200, 260), 0.02, 10.0)
SQUARE = Material(np.eye(2) * 10.0, np.zeros((1, 2)), np.ones(1), 10.0)


def sites_of(rows: list[float], columns: list[float]) -> Sites:
    count = len(rows)
    return Sites(np.array(rows), np.array(columns), np.ones(count), np.arange(count, dtype=np.uint64))


def choices_with(wanted: dict[str, object]) -> Choices:
    """Choices of an index where some names are chosen so."""
    for index in range(5000):
        choices = Choices(1, index)
        if all(found(choices, name) == value for name, value in wanted.items()):
            return choices
    raise AssertionError(wanted)


def found(choices: Choices, name: str) -> object:
    """What is chosen under a name that `choices_with` can ask for."""
    if name == "dislocations":
        return choices.one_of(name, (0, 1, 2), (8, 1.5, 0.5))
    return choices.chance(name, 0.5)


def test_a_choice_depends_on_its_name_only() -> None:
    first, second = Choices(9, 4), Choices(9, 4)
    second.chance("something else", 0.5)
    assert first.uniform("a", 0, 1) == second.uniform("a", 0, 1)
    assert first.uniform("a", 0, 1) != first.uniform("b", 0, 1)
    assert first.under("x").uniform("a", 0, 1) == first.uniform("x.a", 0, 1)
    assert first.key("a") != first.key("b")
    apart = first.apart("y")
    apart.integer("n", 3, 3)
    assert apart.made == {"y.n": 3}
    assert "y.n" not in first.made


def test_choices_are_distributed_as_they_say() -> None:
    made = [Choices(2, index) for index in range(4000)]
    uniform = np.array([one.uniform("u", 2, 5) for one in made])
    assert abs(uniform.mean() - 3.5) < 0.06
    assert (uniform.min(), uniform.max()) == pytest.approx((2, 5), abs=0.01)
    logarithms = np.log([one.log_uniform("l", 0.1, 10) for one in made])
    assert abs(logarithms.mean()) < 0.1
    counts = np.bincount([one.integer("i", 1, 3) for one in made], minlength=5)
    assert counts[0] == counts[4] == 0
    np.testing.assert_allclose(counts[1:4] / 4000, 1 / 3, atol=0.03)
    picked = [one.one_of("o", "abc", (1, 0, 3)) for one in made]
    assert abs(picked.count("a") / 4000 - 0.25) < 0.03
    assert picked.count("b") == 0


def test_numbers_of_sites_have_their_moments() -> None:
    sites = np.arange(100_000, dtype=np.uint64)
    normal, uniform = site_normals(np.uint64(5), sites), site_uniforms(np.uint64(5), sites)
    assert (normal.mean(), normal.var()) == pytest.approx((0, 1), abs=0.02)
    assert 0 < uniform.min() < uniform.max() < 1
    assert (uniform.mean(), uniform.var()) == pytest.approx((0.5, 1 / 12), abs=0.005)
    np.testing.assert_array_equal(site_normals(np.uint64(5), sites[7:9]), normal[7:9])


def test_noise_has_unit_variance_is_the_same_everywhere_and_in_a_larger_field() -> None:
    noise = Spline.noise(np.uint64(3), (512, 512), 4.0)
    field = noise.on_grid((512, 512))
    assert (field.mean(), field.var()) == pytest.approx((0, 1), abs=0.05)
    rows, columns = np.meshgrid(np.arange(5.0), np.arange(7.0), indexing="ij")
    places = noise.at(rows.ravel() - 255.5, columns.ravel() - 255.5)
    np.testing.assert_allclose(places.reshape(5, 7), field[:5, :7], atol=1e-5)
    small = Spline.noise(np.uint64(3), (100, 60), 4.0).on_grid((100, 60))
    np.testing.assert_allclose(small, field[206:306, 226:286], atol=1e-5)


def test_deposit_spreads_amounts_and_keeps_their_sum() -> None:
    sites = sites_of([3.3, -20.0], [-7.1, 11.0])
    field = Spline.deposit(sites.rows, sites.columns, np.array([2.0, 1.0]), (200, 200), 8.0).on_grid((200, 200))
    assert field.sum() == pytest.approx(3.0, rel=1e-3)
    assert field.min() >= 0
    middle = (field.sum(axis=1) @ (np.arange(200) - 99.5)) / field.sum()
    assert middle == pytest.approx((2 * 3.3 - 20) / 3, abs=0.02)


def test_the_table_is_the_probe() -> None:
    """Half maximum along the axes, whose product is the width given, and a peak of about one."""
    probe = SyntheticProbe(Probe(0.1, 1e-6, 0.2), 1.21, 0.0)
    table = probe_table(probe, 0.005, 40.0)
    profile = table[0, 0]
    radius = profile.shape[0] // 2
    widths = []
    for line in (profile[:, radius], profile[radius, :]):
        x = np.interp(-0.5, -line[radius:], np.arange(radius + 1.0))
        widths.append(2 * x * 0.005)
    assert widths == pytest.approx([0.11, 0.1 / 1.1], rel=0.02)
    assert profile[radius, radius] == pytest.approx(1, abs=1e-5)
    assert (
        probe_table(SyntheticProbe(Probe(0.1, 0.6, 0.2), 1.0, 0.0), 0.005, 40.0)[0, 0, radius, -30]
        > profile[radius, -30]
    )


def test_columns_are_drawn_where_they_stand() -> None:
    table = probe_table(SyntheticProbe(Probe(0.1, 0.3, 0.12), 1.0, 0.0), 0.02, 10.0)
    field = np.zeros((64, 64), np.float32)
    stamp(np.array([30.37]), np.array([33.81]), np.array([2.0]), table, field)
    total = field.sum()
    rows = field.sum(axis=1) @ np.arange(64) / total
    columns = field.sum(axis=0) @ np.arange(64) / total
    assert (rows, columns) == pytest.approx((30.37, 33.81), abs=0.06)
    edge = np.zeros((64, 64), np.float32)
    stamp(np.array([-500.0, 0.0, 70.0]), np.array([3.0, 63.0, 70.0]), np.ones(3), table, edge)
    assert edge[0, 63] == pytest.approx(float(table[0, 0].max()), abs=0.2)


def test_a_lattice_fills_the_field_once() -> None:
    material = SQUARE.mapped(rotation(0.3))
    sites = grow(Choices(1, 2), material, STAGE)
    assert np.unique(sites.numbers).size == sites.numbers.size
    extent = [2 * STAGE.margin + size for size in STAGE.shape]
    assert sites.rows.size == pytest.approx(extent[0] * extent[1] / 100, rel=0.05)
    distances, _ = cKDTree(np.stack([sites.rows, sites.columns], axis=1)).query(sites_array(sites), k=2)
    assert np.median(distances[:, 1]) == pytest.approx(10, rel=0.15)


def sites_array(sites: Sites) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.stack([sites.rows, sites.columns], axis=1)


def test_orientation_is_that_of_named_crystals() -> None:
    """A material drawn without its defects is the picture of the same crystal by its Fourier coefficients."""
    projection = project(crystal_atoms("SrTiO3"), (0, 0, 1), 1.7)
    cell = np.stack([-projection.cell[:, 1], projection.cell[:, 0]], axis=1) / 0.02
    probe = Probe(0.1, 1e-9, 0.1)
    table = probe_table(SyntheticProbe(probe, 1.0, 0.0), 0.02, 9.0)
    field = np.zeros((61, 61), np.float32)
    for i in range(-6, 7):
        for j in range(-6, 7):
            places = (projection.columns + np.array([i, j])) @ cell + 30.0
            stamp(places[:, 0].copy(), places[:, 1].copy(), projection.weights, table, field)
    expected = render_crystal("SrTiO3[001]", (61, 61), pixel_size_nm=0.02, probe=probe).signal
    assert np.corrcoef(field.ravel(), expected.ravel())[0, 1] > 0.999


def test_materials_are_resolvable_and_varied() -> None:
    made = [choose_material(Choices(4, index), 1.7, None) for index in range(60)]
    assert min(material.nearest for material in made) >= 0.09
    assert len({round(material.nearest, 6) for material in made}) == 60
    for material in made[:10]:
        columns = np.concatenate(
            [(material.columns + np.array([i, j])) @ material.cell for i in range(-2, 3) for j in range(-2, 3)]
        )
        distances, _ = cKDTree(columns).query(material.columns @ material.cell, k=2)
        assert distances[:, 1].min() == pytest.approx(material.nearest, rel=1e-9)


def test_a_dislocation_closes_around_its_burgers_vector() -> None:
    choices = choices_with({"dislocations": 1})
    angles = np.linspace(-math.pi, math.pi, 2000)
    shape = (100, 100)
    stage = Stage(shape, 0.02, 10.0)
    place = choices.under("dislocation 0")
    centre = place.uniform("row", -0.4, 0.4) * 100, place.uniform("column", -0.4, 0.4) * 100
    circle = sites_of(list(centre[0] + 25 * np.sin(angles)), list(centre[1] + 25 * np.cos(angles)))
    moved = dislocated(choices, circle, SQUARE.cell, stage)
    steps = np.stack([np.diff(moved.rows - circle.rows), np.diff(moved.columns - circle.columns)], axis=1)
    jump = np.hypot(*steps.T).argmax()
    smooth = np.delete(steps, jump, axis=0)
    assert np.hypot(*smooth.T).max() < 0.05
    assert np.hypot(*smooth.sum(axis=0)) == pytest.approx(10, rel=0.01)
    none = choices_with({"dislocations": 0})
    np.testing.assert_array_equal(dislocated(none, circle, SQUARE.cell, stage).rows, circle.rows)


def test_strain_moves_neighbours_together() -> None:
    sites = grow(Choices(1, 2), SQUARE, STAGE)
    moved = strained(choices_with({"smooth strain": True}), sites, STAGE)
    shift = moved.rows - sites.rows
    assert 0 < np.abs(shift).max() < 30
    near = cKDTree(sites_array(sites)).query(sites_array(sites), k=2)[1][:, 1]
    assert np.abs(shift - shift[near]).max() < 0.15 * np.hypot(10, 0)


def test_neighbours_are_found_as_by_brute_force() -> None:
    generator = np.random.default_rng(0)
    first = sites_of(list(generator.uniform(-50, 50, 300)), list(generator.uniform(-50, 50, 300)))
    second = sites_of(list(generator.uniform(-70, 70, 400)), list(generator.uniform(-70, 70, 400)))
    left = without_neighbours(second, first, 4.0)
    distances, _ = cKDTree(sites_array(first)).query(sites_array(second))
    np.testing.assert_array_equal(left.numbers, second.numbers[distances >= 4.0])
    empty = first.where(np.zeros(300, bool))
    assert without_neighbours(second, empty, 4.0).rows.size == 400
    assert without_neighbours(empty, second, 4.0).rows.size == 0


def test_grains_meet_without_crowding() -> None:
    for index in range(12):
        choices = Choices(8, index)
        scene = KINDS["boundary"][1](choices, SQUARE, STAGE)
        distances, _ = cKDTree(sites_array(scene.sites)).query(sites_array(scene.sites), k=2)
        assert np.mean(distances[:, 1] < 4.0) < 0.01, choices.made["boundary"]


def test_particles_stand_in_vacuum() -> None:
    for index in range(8):
        scene = KINDS["particle"][1](Choices(8, index), SQUARE, STAGE)
        whole = grow(Choices(1, 2), SQUARE, STAGE).rows.size
        assert 0 < scene.sites.rows.size < 0.9 * whole
        assert scene.sites.amounts.min() >= 0


def test_disorder_has_no_lattice() -> None:
    sites = disordered(Choices(1, 1), STAGE, 10.0, 2)
    power = abs(np.exp(2j * np.pi * sites.rows / 10.0).mean())
    assert power < 0.1
    assert abs(np.exp(2j * np.pi * grow(Choices(1, 1), SQUARE, STAGE).rows / 10.0).mean()) > 0.8


def test_columns_brighten_with_thickness_and_saturate() -> None:
    strengths = np.linspace(0.01, 1, 50)
    sites = Sites(np.zeros(50), np.zeros(50), strengths, np.arange(50, dtype=np.uint64))
    for index in range(30):
        heights = thickened(Choices(6, index), sites, STAGE).amounts
        assert (np.diff(heights) > 0).all()
        assert (np.diff(heights, 2) < 1e-12).all()
        assert heights.max() < 1.6


def test_films_begin_at_their_line() -> None:
    field = np.zeros((40, 60), np.float32)
    add_film(Film(0.5, Line((0.0, 1.0), 5.0), 2.0), field)
    assert (field[:, :30] == 0).all()
    assert (field[:, 40:] == 0.5).all()
    assert (np.diff(field, axis=1) >= 0).all()
    add_film(Film(0.25), field)
    assert (field.min(), field.max()) == (0.25, 0.75)
    wavy = Line((1.0, 0.0), 0.0, (3.0, 0.5, 0.0))
    np.testing.assert_allclose(wavy.beyond(np.zeros(4), np.arange(4.0)), -3.0 * np.sin(0.5 * np.arange(4.0)))
