"""Exporting a plan for other programs and scan controllers: one module a format, each with a reader of its own.

`export` writes; `FORMATS` lists the formats; docs/exporters.md says what each file holds and what it cannot say.
"""

from stemscan.hardware.exporters.abtem import read_abtem
from stemscan.hardware.exporters.csv import read_csv
from stemscan.hardware.exporters.de_freescan import Freescan, read_de_freescan
from stemscan.hardware.exporters.fei_stream import StreamFile, read_fei_stream
from stemscan.hardware.exporters.nexus import NexusScan, read_nexus
from stemscan.hardware.exporters.npy import read_npy
from stemscan.hardware.exporters.odemis import read_odemis
from stemscan.hardware.exporters.py4dstem import read_py4dstem
from stemscan.hardware.exporters.registry import FORMATS, Format, export
from stemscan.hardware.exporters.report import ExportReport

__all__ = [
    "FORMATS",
    "ExportReport",
    "Format",
    "Freescan",
    "NexusScan",
    "StreamFile",
    "export",
    "read_abtem",
    "read_csv",
    "read_de_freescan",
    "read_fei_stream",
    "read_nexus",
    "read_npy",
    "read_odemis",
    "read_py4dstem",
]
