"""The public names, by the module in which each is: read by editors, type checkers and, lazily, by the package."""

from .acquisition.scan_controller import ScanController
from .acquisition.session import acquire
from .errors import PlanError, StemscanError
from .path.scan_path import ScanPath
from .plan.dose import Dose, Limits
from .plan.order import Order, SettleModel
from .plan.patterns.block_random import BlockRandom
from .plan.patterns.blue_noise import BlueNoise
from .plan.patterns.line_hop import LineHop
from .plan.patterns.lissajous import Lissajous
from .plan.patterns.point_list import PointList
from .plan.patterns.random_walk import RandomWalk
from .plan.patterns.raster import Hilbert, Interleaved, Raster, Serpentine
from .plan.patterns.spiral import Spiral
from .plan.patterns.uniform import Uniform
from .plan.region import ImageRegion, PolygonRegion
from .plan.scan_plan import ScanPlan
from .recon.calibration.calibration import calibrate
from .recon.columns.find import find_columns
from .recon.drift.find import Drift, find_drift, store_drift
from .recon.inputs.inputs import Inputs
from .recon.loading import load
from .recon.metrics import compare
from .recon.reconstruction import Reconstruction
from .recon.run import reconstruct
from .recon.view.notebook import view
from .simulators.session import simulate
from .store.batch import SampleBatch
from .store.reader import Acquisition

__version__: str

__all__ = [
    "Acquisition",
    "BlockRandom",
    "BlueNoise",
    "Dose",
    "Drift",
    "Hilbert",
    "ImageRegion",
    "Inputs",
    "Interleaved",
    "Limits",
    "LineHop",
    "Lissajous",
    "Order",
    "PlanError",
    "PointList",
    "PolygonRegion",
    "RandomWalk",
    "Raster",
    "Reconstruction",
    "SampleBatch",
    "ScanController",
    "ScanPath",
    "ScanPlan",
    "Serpentine",
    "SettleModel",
    "Spiral",
    "StemscanError",
    "Uniform",
    "acquire",
    "calibrate",
    "compare",
    "find_columns",
    "find_drift",
    "load",
    "reconstruct",
    "simulate",
    "store_drift",
    "view",
]
