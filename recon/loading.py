"""Whatever this package wrote, read back by what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stemscan.arguments import file_path
from stemscan.files.opening import require_file

if TYPE_CHECKING:
    from pathlib import Path

    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.recon.reconstruction import Reconstruction
    from stemscan.store.reader import Acquisition

__all__ = ["load"]


def load(path: str | Path) -> ScanPlan | Acquisition | Reconstruction:
    """Read a plan file, an acquisition store or the zarr form of a reconstruction.

    Returns
    -------
    ScanPlan, Acquisition or Reconstruction
        By what the path holds, not by its name.

    Raises
    ------
    UsageError
        When it is no path.
    InputNotFoundError
        When there is nothing.
    PlanError, StoreError
        When it is damaged or something else.
    """
    path = file_path(path, "a plan, a store or a reconstruction")
    if not path.is_dir():
        from stemscan.plan.scan_plan import ScanPlan

        require_file(path, "a plan, a store or a reconstruction")
        return ScanPlan.load(path)
    from stemscan.recon.output.zarr_image import is_reconstruction, read_reconstruction

    if is_reconstruction(path):
        return read_reconstruction(path)
    from stemscan.store.reader import Acquisition

    return Acquisition.open(path)
