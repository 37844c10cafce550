"""Names beside points do not lie on each other."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.recon.evaluation.point_names import SIDES, _box, _overlap, sides_with_room

PLACES = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 200)), min_size=1, max_size=8)


def test_a_crowd_takes_different_sides() -> None:
    names = ["fourier-eb", "fshnet", "oracle"]
    chosen = sides_with_room(names, [(100, 100), (112, 106), (118, 98)])
    assert len(set(chosen)) == 3


def test_a_lone_name_is_above() -> None:
    assert sides_with_room(["far", "away"], [(0, 0), (200, 150)]) == [0, 0]


@given(PLACES)
@settings(max_examples=100)
def test_names_that_found_room_are_apart(places: list[tuple[float, float]]) -> None:
    names = [f"n{number}" for number in range(len(places))]
    chosen = sides_with_room(names, places)
    boxes = [
        _box(name, x + SIDES[side][0], y + SIDES[side][1], SIDES[side][2])
        for name, (x, y), side in zip(names, places, chosen, strict=True)
    ]
    for number, side in enumerate(chosen):
        if side:  # the first also serves where there is no room
            assert not any(_overlap(boxes[number], other) for other in boxes[:number])
