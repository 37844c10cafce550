"""What other rooms may use of the virtual world: specimens, sampled frames, the virtual microscope. Nothing else."""

from __future__ import annotations

from stemscan.simulators.corner import image_paths, load_corner
from stemscan.simulators.crystal_specimen import render_crystal
from stemscan.simulators.crystals import CRYSTALS
from stemscan.simulators.detector import Noise, detect, poisson
from stemscan.simulators.frames import sampled_frames
from stemscan.simulators.microscope import VirtualMicroscope
from stemscan.simulators.probe import Probe
from stemscan.simulators.smoothing import paper_smoothed, resampled
from stemscan.simulators.specimen import Specimen, load_specimen, resample_specimen, specimen_from_array
from stemscan.simulators.synthetic.generator import synthetic_specimen

__all__ = [
    "CRYSTALS",
    "Noise",
    "Probe",
    "Specimen",
    "VirtualMicroscope",
    "detect",
    "image_paths",
    "load_corner",
    "load_specimen",
    "paper_smoothed",
    "poisson",
    "render_specimen",
    "resample_specimen",
    "resampled",
    "sampled_frames",
    "specimen_from_array",
    "synthetic_specimen",
]

render_specimen = render_crystal
