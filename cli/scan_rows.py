"""Lines about the specimen of a scan, for people, which `simulate` and `acquire` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stemscan.store.record_parts import SpecimenRecord

__all__ = ["specimen_rows"]


def specimen_rows(specimen: SpecimenRecord | None) -> list[tuple[str, str]]:
    """The specimen, what the reader of a picture did to it, and its pixel size where the plan has none."""
    if specimen is None:
        return []
    rows = [("specimen", specimen.name)]
    if notes := [note for step in specimen.record.get("steps", []) for note in step.get("notes", [])]:
        rows.append(("picture", ", ".join(notes)))
    if (size := specimen.record.get("pixel_size_taken_nm")) is not None:
        rows.append(("pixel size", f"{size:g} nm, as the specimen has it; the plan has none"))
    return rows
