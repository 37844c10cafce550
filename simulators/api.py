"""The part of the virtual world that other rooms may use: specimens, sampled frames, the virtual microscope."""

from __future__ import annotations

from stemscan.simulators.frames import sampled_frames
from stemscan.simulators.instrument.detector import Noise, detect, poisson
from stemscan.simulators.instrument.probe import Probe
from stemscan.simulators.instrument.settings import Instrument, instrument_of
from stemscan.simulators.microscope import VirtualMicroscope
from stemscan.simulators.session import simulate, virtual_microscope
from stemscan.simulators.specimens.corner import image_paths, load_corner
from stemscan.simulators.specimens.crystal_specimen import render_crystal
from stemscan.simulators.specimens.crystals import CRYSTALS
from stemscan.simulators.specimens.defects import Defects
from stemscan.simulators.specimens.kinds import kind_of
from stemscan.simulators.specimens.loading import load_specimen, resample_specimen, specimen_from_array
from stemscan.simulators.specimens.smoothing import paper_smoothed, resampled
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.simulators.specimens.synthetic.generator import synthetic_specimen

__all__ = [
    "CRYSTALS",
    "Defects",
    "Instrument",
    "Noise",
    "Probe",
    "Specimen",
    "VirtualMicroscope",
    "detect",
    "image_paths",
    "instrument_of",
    "kind_of",
    "load_corner",
    "load_specimen",
    "paper_smoothed",
    "poisson",
    "render_crystal",
    "resample_specimen",
    "resampled",
    "sampled_frames",
    "simulate",
    "specimen_from_array",
    "synthetic_specimen",
    "virtual_microscope",
]
