"""Every command that could be killed for memory refuses in one sentence and leaves nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemscan.recon.registry import built_in
from stemscan.runtime import memory
from stemscan.runtime.memory import Room
from tests.cli.conftest import Stemscan
from tests.cli.test_train_command import CONFIG


@pytest.fixture
def store(stemscan: Stemscan) -> str:
    """A store in the folder where commands run."""
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64").code == 0
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr").code == 0
    return "a.zarr"


COMMANDS = [
    ("recon", "a.zarr", "-o", "r.tif"),
    ("simulate", "plan.yaml", "crystal:Si", "-o", "b.zarr"),
    ("simulate", "plan.yaml", "f.npy", "-o", "b.zarr"),
    ("acquire", "plan.yaml", "--specimen", "crystal:Si", "-o", "b.zarr"),
    ("acquire", "plan.yaml", "--specimen", "crystal:Si", "-o", "b.zarr", "--image", "r.npy"),
    ("import", "f.npy", "--mask", "m.npy", "--dose", "10", "-o", "b.zarr"),
    ("plan", "check", "plan.yaml"),
    ("train", "config.yaml", "-o", "run", "--workers", "0"),
    ("evaluate", "-o", "ev", "--methods", "lowpass", "--synthetic", "1", "--size", "64", "--processes", "2"),
    ("demo", "folder"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=[" ".join(command[:2]) for command in COMMANDS])
def test_commands(
    stemscan: Stemscan, store: str, tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("f.npy", np.arange(4096, dtype=np.uint16).reshape(64, 64))
    np.save("m.npy", np.ones((64, 64), np.uint8))
    Path("config.yaml").write_text(CONFIG)
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(memory, "room", lambda: Room(1, "limit of 4 GB of the control group"))
    monkeypatch.setattr(memory, "_SMALL", 2)
    done = stemscan(*command)
    assert done.code == 1
    assert done.err.startswith("error: expected ")
    assert done.err.endswith("\n")
    assert done.err.count("\n") == 1
    assert "of free memory" in done.err
    assert "control group" in done.err
    if command[0] not in ("evaluate", "train", "demo"):  # whose folder is begun
        assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("method", sorted(built_in()))
def test_methods(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from stemscan.errors import TooLittleMemoryError
    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.recon.run import reconstruct

    inputs = Inputs.from_arrays(np.ones((4, 16, 16)), np.ones((4, 16, 16), int), 10.0)
    monkeypatch.setattr(memory, "room", lambda: Room(1, "of the whole machine"))
    monkeypatch.setattr(memory, "_SMALL", 2)
    with pytest.raises(TooLittleMemoryError, match=f"by {method}, got .*; take a"):
        reconstruct(inputs, method, device="cpu")


def test_needs_grow_with_the_grid() -> None:
    for name, method in built_in().items():
        assert method.bytes_needed((2048, 2048)) > 2 * method.bytes_needed((1024, 1024)) > 0, name
