"""Tables of docs/plan.md, made of what patterns, regions and orders declare.

`python -m stemscan.plan.tables` prints them; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from stemscan.plan.declared import field_texts, sentence_of
from stemscan.plan.order import ORDERS, SETTINGS
from stemscan.plan.patterns import PATTERNS
from stemscan.plan.region import RegionBase
from stemscan.plan.value import PlanValue, by_kind

__all__ = ["markdown_table", "order_table", "pattern_notes", "pattern_table", "region_table"]


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as markdown has them.

    Examples
    --------
    >>> print(markdown_table(("a", "b"), [("1", "")]))
    | a | b |
    |---|---|
    | 1 | |
    """
    lines = (f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in row)}|" for row in rows)
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])


def pattern_table() -> str:
    """All patterns: parameters, pixels of a pass, order."""
    rows = (
        (f"`{kind}`", _fields(pattern), sentence_of(pattern).removesuffix("."), f"`{pattern.default_order}`")
        for kind, pattern in PATTERNS.items()
    )
    return markdown_table(("kind", "parameters", "visits in one pass", "default order"), rows)


def pattern_notes() -> str:
    """Patterns that differ from the others in something that all have."""
    never = ", ".join(f"`{kind}`" for kind, pattern in PATTERNS.items() if not pattern.exclusive)
    repeats = ", ".join(f"`{kind}`" for kind, pattern in PATTERNS.items() if pattern.repeats_pixels)
    stated = ", ".join(f"`{kind}`" for kind, pattern in PATTERNS.items() if not pattern.by_area)
    return "\n".join(
        [
            f"- without `repeat: exclusive`: {never}",
            f"- may visit a pixel several times in a pass: {repeats}",
            f"- state their number of `samples` in a `region`, where those inside are visited: {stated}",
        ]
    )


def region_table() -> str:
    """All regions: parameters and pixels."""
    rows = (
        (f"`{kind}`", _fields(region, leave_out=("samples",)), sentence_of(region).removesuffix("."))
        for kind, region in by_kind(RegionBase).items()
    )
    return markdown_table(("kind", "parameters", "pixels"), rows)


def order_table() -> str:
    """All orders: settings, and what they do."""
    rows = (
        (f"`{kind}`", ", ".join(f"`{name}`" for name, order in SETTINGS.items() if order == kind), text)
        for kind, text in ORDERS.items()
    )
    return markdown_table(("kind", "settings", "what it does"), rows)


def _fields(value: type[PlanValue], leave_out: Sequence[str] = ()) -> str:
    """Parameters of a class with their defaults and texts."""
    texts = field_texts(value)
    shown = ((name, field) for name, field in value.model_fields.items() if name not in ("kind", *leave_out))
    return "; ".join(
        f"`{name}`{'' if field.is_required() else f' ({field.default})'}: {texts[name]}" for name, field in shown
    )


if __name__ == "__main__":
    tables = (pattern_table(), pattern_notes(), region_table(), order_table())
    sys.stdout.write("\n\n".join(tables) + "\n")
