"""Scenes without a lattice for `benchmarks/non_lattices.py`, by other means than those that networks are trained on.

    python -m benchmarks.non_lattice_scenes SHEET.png [--size 512 --seed 1]      draws them all

A maker takes a random generator and the grid and returns any field; `scene` brings it to 0.05 to 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

Field = npt.NDArray[np.float64]
Maker = Callable[[np.random.Generator, Field, Field], Field]


def scene(name: str, size: int, seed: int) -> npt.NDArray[np.float32]:
    """A scene on size x size pixels, with values from 0.05 to 1."""
    random = np.random.Generator(np.random.Philox(key=[seed, list(SCENES).index(name)]))
    y, x = np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij")
    field = SCENES[name](random, y, x)
    low, high = np.percentile(field, (0.05, 99.95))
    return np.asarray(0.05 + 0.95 * np.clip((field - low) / (high - low), 0, 1), np.float32)


def _soft(depth: Field, width: float) -> Field:
    """Step from 0 to 1 about depth 0."""
    return np.asarray(0.5 * (1 + np.tanh(depth / width)))


def _noise(random: np.random.Generator, like: Field, sigma: float) -> Field:
    """Smooth noise of variance 1; sigma as a share of the side."""
    made = gaussian_filter(random.standard_normal(like.shape), sigma * like.shape[0], mode="wrap")
    return np.asarray(made / made.std())


def _cells(random: np.random.Generator, y: Field, x: Field, count: int) -> tuple[Field, Field, Field]:
    """Distances to the nearest and the second nearest of random seeds, and a number of the nearest."""
    tree = cKDTree(random.uniform(-1.2, 1.2, (count, 2)))
    distances, which = tree.query(np.stack([y, x], axis=-1), k=2)
    return distances[..., 0], distances[..., 1], random.random(count)[which[..., 0]]


def _step(random: np.random.Generator, y: Field, x: Field) -> Field:
    angle = random.uniform(0, 2 * np.pi)
    return _soft(y * np.cos(angle) + x * np.sin(angle) - random.uniform(-0.3, 0.3), 0.004)


def _ridge(random: np.random.Generator, y: Field, x: Field) -> Field:
    return np.where(x > 0.2 * y, 0.3 + 0.4 * y, 1 - 0.5 * np.abs(x))


def _star(random: np.random.Generator, y: Field, x: Field) -> Field:
    turn = random.uniform(0, 2 * np.pi)
    return _soft(np.sin(18 * np.arctan2(y, x) + turn) * np.hypot(y, x), 0.03) * (np.hypot(y, x) < 0.95)


def _letters(random: np.random.Generator, y: Field, x: Field) -> Field:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1), dpi=y.shape[0])
    canvas = FigureCanvasAgg(figure)
    for row in range(7):
        text = "".join(random.choice(list("ABCDEFGHKLMNPRSTUVXYZaegkmnqrs2345789"), 7))
        figure.text(0.03, 0.86 - 0.14 * row, text, size=9.5, family="monospace")
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., 0].astype(np.float64)  # type: ignore[no-untyped-call]


def _core_shell(random: np.random.Generator, y: Field, x: Field) -> Field:
    field = np.zeros_like(y)
    for _ in range(14):
        radius, (row, column) = random.uniform(0.08, 0.25), random.uniform(-1, 1, 2)
        square = (y - row) ** 2 + (x - column) ** 2
        thick = [np.sqrt(np.maximum(r * r - square, 0)) for r in (radius, 0.6 * radius)]
        field += thick[0] + 2 * thick[1]
    return field


def _cubes(random: np.random.Generator, y: Field, x: Field) -> Field:
    field = np.zeros_like(y)
    for _ in range(25):
        turn, side, (row, column) = random.uniform(0, np.pi), random.uniform(0.06, 0.14), random.uniform(-1, 1, 2)
        u = np.cos(turn) * (y - row) + np.sin(turn) * (x - column)
        v = np.cos(turn) * (x - column) - np.sin(turn) * (y - row)
        field = np.maximum(field, random.uniform(0.5, 1) * _soft(side - (u**4 + v**4) ** 0.25, 0.006))
    return field


def _chain(random: np.random.Generator, y: Field, x: Field) -> Field:
    field, place = np.zeros_like(y), np.zeros(2)
    for _ in range(160):
        place = np.clip(place + 0.1 * random.standard_normal(2), -1, 1)
        field += np.sqrt(np.maximum(0.05**2 - (y - place[0]) ** 2 - (x - place[1]) ** 2, 0))
    return field


def _mud_cracks(random: np.random.Generator, y: Field, x: Field) -> Field:
    near, far, tone = _cells(random, y, x, 40)
    return _soft(far - near - 0.02, 0.008) * (0.8 + 0.2 * tone)


def _foam(random: np.random.Generator, y: Field, x: Field) -> Field:
    near, far, _ = _cells(random, y, x, 90)
    return np.asarray(np.exp(-(((far - near) / 0.03) ** 2)) + 0.06 * _noise(random, y, 0.1))


def _tiles(random: np.random.Generator, y: Field, x: Field) -> Field:
    return _cells(random, y, x, 60)[2]


def _labyrinth(random: np.random.Generator, y: Field, x: Field) -> Field:
    return _soft(_noise(random, y, 0.012) - 0.8 * _noise(random, y, 0.024), 0.1)


def _tree(random: np.random.Generator, y: Field, x: Field) -> Field:
    field, tips = np.zeros_like(y), [(-0.95, 0.0, 0.0, 0.045)]
    for _ in range(7):
        grown = []
        for row, column, heading, width in tips:
            length = 9 * width
            down, right = length * np.cos(heading), length * np.sin(heading)
            along = np.clip(((y - row) * down + (x - column) * right) / length**2, 0, 1)
            away = np.hypot(y - row - along * down, x - column - along * right)
            field = np.maximum(field, _soft(width * (1 - 0.3 * along) / 2 - away, 0.004))
            turns = [heading + side * random.uniform(0.2, 0.7) for side in (-1, 1)]
            grown += [(row + down, column + right, turn, 0.72 * width) for turn in turns]
        tips = grown
    return field


def _zone_plate(random: np.random.Generator, y: Field, x: Field) -> Field:
    return np.sin(35 * (y**2 + x**2) + random.uniform(0, 2 * np.pi))


def _nanotubes(random: np.random.Generator, y: Field, x: Field) -> Field:
    field = np.zeros_like(y)
    for _ in range(9):
        turn, bend, phase = random.uniform(0, np.pi), random.uniform(0, 0.15), random.uniform(0, 6)
        u, v = np.cos(turn) * y + np.sin(turn) * x, np.cos(turn) * x - np.sin(turn) * y
        away = np.abs(v - random.uniform(-1, 1) - bend * np.sin(3 * u + phase))
        field += np.exp(-(((away - 0.04) / 0.012) ** 2)) + 0.3 * (away < 0.04)
    return field


def _pinholes(random: np.random.Generator, y: Field, x: Field) -> Field:
    field = 1 + 0.1 * _noise(random, y, 0.15)
    for _ in range(30):
        row, column = random.uniform(-1, 1, 2)
        field *= _soft(np.hypot(y - row, x - column) - random.uniform(0.01, 0.09), 0.01)
    return field


def _adatoms(random: np.random.Generator, y: Field, x: Field) -> Field:
    field = np.zeros_like(y)
    for row, column in random.uniform(-1, 1, (60, 2)):
        field += random.choice([0.4, 1.0]) * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 0.01**2))
    return field + 0.1 * (x > 0.3)


def _vesicles(random: np.random.Generator, y: Field, x: Field) -> Field:
    field = np.zeros_like(y)
    for _ in range(16):
        row, column = random.uniform(-1, 1, 2)
        stretch, radius = random.uniform(0.8, 1.25), random.uniform(0.06, 0.3)
        off = np.hypot((y - row) * stretch, (x - column) / stretch) - radius
        field -= np.exp(-((off / 0.012) ** 2)) + 0.2 * (off < 0)
    return field


def _terrain(random: np.random.Generator, y: Field, x: Field) -> Field:
    return sum((s * _noise(random, y, s / 10) for s in (1, 0.5, 0.25, 0.12, 0.06)), np.zeros_like(y))


SCENES: dict[str, Maker] = {
    "step": _step, "ridge": _ridge, "star": _star, "letters": _letters, "core-shell spheres": _core_shell,
    "cubes": _cubes, "chain of spheres": _chain, "mud cracks": _mud_cracks, "foam": _foam, "tiles": _tiles,
    "labyrinth": _labyrinth, "tree": _tree, "zone plate": _zone_plate, "nanotubes": _nanotubes, "pinholes": _pinholes,
    "adatoms": _adatoms, "vesicles": _vesicles, "terrain": _terrain,
}  # fmt: skip
"""Makers of the scenes by name."""


def main() -> None:
    """Draw all scenes on one sheet."""
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheet")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sheet = Figure(figsize=(18, 9.5), layout="constrained")
    for axes, name in zip(sheet.subplots(3, 6).flat, SCENES, strict=True):
        axes.imshow(scene(name, asked.size, asked.seed), cmap="gray", vmin=0, vmax=1)
        axes.set_title(name)
        axes.axis("off")
    sheet.savefig(asked.sheet, dpi=60)


if __name__ == "__main__":
    main()
