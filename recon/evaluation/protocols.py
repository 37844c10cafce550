"""Protocols by which images are scanned and reconstructions judged, named by their noise: each is declared here once.

Two scan with a plan on the absolute scale (`stemscan.recon.evaluation.scans`). That of the published code lives in
`stemscan.recon.paper` and is imported when a case of it is run or drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["NOISES", "PROTOCOLS", "ScanProtocol"]


class ScanProtocol(NamedTuple):
    """A protocol.

    Attributes
    ----------
    title : str
        For headings.
    module : str
        Module of its `SCANS`, see `stemscan.recon.evaluation.scans.Scans`.
    passes : int or None
        The only number of passes that it has; None where any will do.
    has_oracle : bool
        True if the spectral oracle is defined.
    """

    title: str
    module: str = "stemscan.recon.evaluation.scans"
    passes: int | None = None
    has_oracle: bool = True


PROTOCOLS: Final[Mapping[str, ScanProtocol]] = MappingProxyType(
    {
        "poisson": ScanProtocol("Poisson counts"),
        "eq5": ScanProtocol("equation 5 on [0, 1]"),
        "published": ScanProtocol("the protocol of the published code", "stemscan.recon.paper.cases", 4, False),
    }
)
"""By noise: counts by Poisson's law, by equation 5 of the paper on [0, 1], and as the published code makes them."""

NOISES: Final = tuple(PROTOCOLS)
