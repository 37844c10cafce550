"""Small tiles, so that frames of a few hundred pixels have several."""

from __future__ import annotations

import pytest

from stemscan.recon.large import layout, run


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 32 pixels, cores of 96, a margin of 24; one tile at a time, in this process."""
    monkeypatch.setattr(layout, "SIZES", layout.Sizes(chunk=32, whole=128, margin=24, taper=4))
    monkeypatch.setattr(run, "tiles_at_once", lambda *_: 1)
