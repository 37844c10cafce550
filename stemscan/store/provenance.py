"""Provenance: where the counts of a store come from, one value from the command to the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stemscan.store.batch import DetectorInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stemscan.store.record_parts import InstrumentRecord, SpecimenRecord
    from stemscan.store.true_columns import TrueColumns
    from stemscan.types import Noise

__all__ = ["Provenance"]


@dataclass(frozen=True, eq=False)
class Provenance:
    """Origin and meaning of the counts of a store. A resumption must have the same, apart from the session.

    Parameters
    ----------
    channels : tuple of DetectorInfo
        Meaning of the counts of each channel.
    noise : {"poisson", "eq5"}
        Statistics of the counts.
    seed : int, optional
        Of the virtual detector.
    specimen : SpecimenRecord, optional
        Name, sha256 and record of a simulation's specimen.
    instrument : InstrumentRecord, optional
        Settings of a simulation's instrument, where it is not ideal.
    truth : ndarray, optional
        The specimen's signal, real, (H, W); that of each channel, (C, H, W), of several.
    truth_columns : TrueColumns, optional
        Its atomic columns, where it knows them.
    actual_positions : bool
        True if batches carry the positions where the beam was.
    coil_tau_ns : float, optional
        Time constant of the scan coils that these positions follow, where it is known.
    coil_waits : str, optional
        Digest of the waits before dwells that they follow too (`ControllerProfile.waits_digest`).
    follow : mapping, optional
        Rule by which drift is followed between passes, as plain data.
    session : mapping, optional
        Notes of the operator for the history, such as operator or kV.
    """

    channels: tuple[DetectorInfo, ...] = (DetectorInfo(),)
    noise: Noise = "poisson"
    seed: int | None = None
    specimen: SpecimenRecord | None = None
    instrument: InstrumentRecord | None = None
    truth: NDArray[Any] | None = None
    truth_columns: TrueColumns | None = None
    actual_positions: bool = False
    coil_tau_ns: float | None = None
    coil_waits: str | None = None
    follow: Mapping[str, object] | None = None
    session: Mapping[str, object] | None = None
