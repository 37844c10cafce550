"""Order of the site: sections as newcomers read them, and the pages of each."""

from __future__ import annotations

__all__ = ["CONTENTS"]

CONTENTS = {
    "index": [
        "start",
        "tutorials/index",
        "howto/index",
        "gallery/index",
        "reference",
        "background",
        "measured",
        "about",
    ],
    "tutorials/index": ["tutorials/first-scan", "tutorials/columns", "tutorials/drift"],
    "howto/index": [
        "howto/dose-budget",
        "howto/full-scan-as-sparse",
        "howto/table-without-dose",
        "howto/drifting-scan",
        "howto/vacancy",
        "howto/columns-with-errors",
        "howto/unknown-gain",
        "howto/slurm",
        "howto/jupyter",
        "howto/other-programs",
    ],
    "reference": [
        "commands",
        "plan",
        "files",
        "specimens",
        "instrument",
        "controllers",
        "hardware",
        "obi",
        "exporters",
        "store",
        "methods",
        "columns",
        "drift",
        "calibrate",
        "watch",
        "training",
        "evaluate",
        "cluster",
        "notation",
        "api/index",
    ],
    "background": ["why-sparse", "fourier-eb", "fshnet", "limits", "project/fshnet-card", "project/fshnet-paper-card"],
    "measured": ["results", "real-images", "sparse-or-full", "performance", "reliability"],
    "about": ["cite", "project/contributing", "project/changelog"],
}
"""Pages below each page that lists others; the pages themselves are plain Markdown with links."""
