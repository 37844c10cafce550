"""Table of docs/exporters.md: `python -m stemscan.hardware.exporters.table` prints it; a test compares."""

from __future__ import annotations

import sys

from stemscan.hardware.exporters.formats import FORMATS
from stemscan.plan.tables import markdown_table

__all__ = ["format_table"]


def format_table() -> str:
    """All formats: files, contents and readers."""
    rows = (
        (f"`{name}`", ", ".join(f"`{end}`" for end in one.suffixes) or "a folder", one.title, f"`{one.read.__name__}`")
        for name, one in FORMATS.items()
    )
    return markdown_table(("`--to`", "writes", "holds", "reader"), rows)


if __name__ == "__main__":
    sys.stdout.write(format_table() + "\n")
