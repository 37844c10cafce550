"""Small tiles, so that frames of a few hundred pixels have several."""

from __future__ import annotations

import pytest

from stemscan.recon.large import layout, run


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 32 pixels, cores of 96, a margin of 24; one tile at a time, in this process."""
    for name, value in (("CHUNK", 32), ("WHOLE", 128), ("MARGIN", 24), ("_TAPER", 4)):
        monkeypatch.setattr(layout, name, value)
    monkeypatch.setattr(run, "tiles_at_once", lambda *_: 1)
