"""Exporting a plan for other programs and scan controllers, each format with a reader of its own.

`export` writes; `FORMATS` lists the formats; docs/exporters.md says what each file holds and what it cannot say.
"""

from stemscan.hardware.exporters.exporting import export
from stemscan.hardware.exporters.format import Format
from stemscan.hardware.exporters.formats import FORMATS
from stemscan.hardware.exporters.formats.angstrom import read_angstrom
from stemscan.hardware.exporters.formats.csv import read_csv
from stemscan.hardware.exporters.formats.de_freescan import Freescan, read_de_freescan
from stemscan.hardware.exporters.formats.fei_stream import StreamFile, read_fei_stream
from stemscan.hardware.exporters.formats.nexus import NexusScan, read_nexus
from stemscan.hardware.exporters.formats.npy import read_npy
from stemscan.hardware.exporters.formats.odemis import read_odemis
from stemscan.hardware.exporters.report import ExportReport

__all__ = [
    "FORMATS",
    "ExportReport",
    "Format",
    "Freescan",
    "NexusScan",
    "StreamFile",
    "export",
    "read_angstrom",
    "read_csv",
    "read_de_freescan",
    "read_fei_stream",
    "read_nexus",
    "read_npy",
    "read_odemis",
]
