"""All tiles of a frame: which are wanting, in what order they are made and finished, here or by errands elsewhere."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stemscan.recon.contradiction.width import detail_width
from stemscan.recon.large.field import Field
from stemscan.recon.large.finishing import Finisher, Judge
from stemscan.recon.large.flight import Crew, Errand, Task
from stemscan.recon.large.layout import Layout, Tile
from stemscan.recon.large.making import Recipe, detail_samples
from stemscan.recon.large.scratch import Scratch
from stemscan.recon.output.zarr_folder import ZarrFolder

if TYPE_CHECKING:
    from stemscan.recon.method import Method
    from stemscan.recon.metrics import Metrics

__all__ = ["Progress", "TileWork"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class TileWork:
    """All tiles of a frame, made and finished; functions of a tile are tasks."""

    recipe: Recipe
    finisher: Finisher

    @classmethod
    def of(
        cls,
        field: Field,
        method: Method,
        layout: Layout,
        work: Path,
        arguments: Mapping[str, Any],
        contradictions: bool,
        compare: bool,
    ) -> TileWork:
        """The work in a folder."""
        scratch = Scratch(work / "tiles", layout)
        sums, visits = detail_samples(field, layout)
        recipe = Recipe(field, method, {**arguments, "threads": 1}, _unsampled(sums, visits))
        names = (*recipe.maps, "contradiction") if contradictions else recipe.maps
        folder = ZarrFolder(work / "image.zarr", field.shape, names, layout.chunk)
        detail = detail_width(sums, visits) if contradictions else None
        judge = Judge(field, layout, recipe.maps, detail, compare and field.has_truth)
        return cls(recipe, Finisher(judge, scratch, folder))

    def make(self, tile: Tile) -> None:
        """Reconstruct a tile's window."""
        self.finisher.scratch.put(tile, self.recipe.make(tile))

    def finish(self, tile: Tile) -> None:
        """Write a tile's core."""
        self.finisher.finish(tile)

    def scaled_ssim(self, tile: Tile, own: tuple[float, float], true: tuple[float, float]) -> float:
        """See `Judge.scaled_ssim`."""
        return self.finisher.judge.scaled_ssim(tile, self.finisher.written(tile), own, true)

    def errand(self, task: Task) -> Errand:
        """Work for a task that a process does which sees the frame at most, and not what was made."""
        tile, judge = task.tile, self.finisher.judge
        if task.name == "make":
            recipe = replace(self.recipe, field=self.recipe.field.alone(*tile.window))
            return Errand(recipe.make, (tile,))
        judge = replace(judge, field=judge.field.alone(*judge.around(tile)))
        if task.name == "finish":
            return Errand(judge.judged, (tile, self.finisher.wide(tile)))
        return Errand(judge.scaled_ssim, (tile, self.finisher.written(tile), *task.arguments))

    def keep(self, task: Task, result: Any) -> Any:
        """Keep what came of an errand; gives what the task itself would have given."""
        if task.name == "make":
            self.finisher.scratch.put(task.tile, result)
        elif task.name == "finish":
            self.finisher.keep(task.tile, *result)
        else:
            return result
        return None

    def do(self, hands: Crew, progress: Progress) -> None:
        """Make and finish all tiles that are wanting; those that can be finished first."""
        finisher, layout, scratch = self.finisher, self.finisher.layout, self.finisher.scratch
        written = {tile.place for tile in layout if scratch.figures(tile) is not None}
        wanting = deque(
            tile
            for tile in layout
            if not scratch.has(tile) and any(one.place not in written for one in layout.neighbours(tile))
        )
        ready = deque(tile for tile in layout if finisher.can_finish(tile))
        begun, under_way = {tile.place for tile in ready}, 0
        progress(len(written), len(layout))
        while ready or wanting or under_way:
            while hands.has_room() and (ready or wanting):
                hands.begin(Task("finish", ready.popleft()) if ready else Task("make", wanting.popleft()))
                under_way += 1
            task, _ = hands.wait()
            under_way -= 1
            if task.name == "make":
                found = [tile for tile in layout.neighbours(task.tile) if finisher.can_finish(tile)]
                ready.extend(tile for tile in found if tile.place not in begun)
                begun |= {tile.place for tile in found}
            else:
                written.add(task.tile.place)
                finisher.drop_around(task.tile)
                progress(len(written), len(layout))

    def metrics(self, hands: Crew) -> Metrics:
        """Likeness to the truth; reads the image again."""
        totals, layout = self.finisher.totals(), self.finisher.layout
        own, true = totals.scales()
        if not true[1] > 0:
            return totals.metrics(layout.shape, math.nan)
        waiting, found, under_way = deque(layout), list[tuple[tuple[int, int], float]](), 0
        while waiting or under_way:
            while hands.has_room() and waiting:
                hands.begin(Task("scaled_ssim", waiting.popleft(), (own, true)))
                under_way += 1
            task, value = hands.wait()
            under_way -= 1
            found.append((task.tile.place, value))
        return totals.metrics(layout.shape, sum(value for _, value in sorted(found)))


def _unsampled(sums: Any, visits: Any) -> tuple[float, float]:
    """Signal and its standard deviation where nothing was sampled: mean and spread of what was."""
    number = float(visits.sum())
    if number == 0:
        return 0.0, 1.0
    mean = float(sums.sum()) / number
    there = visits > 0
    return mean, float(np.sqrt(np.average((sums[there] / visits[there] - mean) ** 2, weights=visits[there])))
