"""For the tests of those who build on stemscan; needs the extra `stemscan[testing]`.

`plans` and its parts are hypothesis strategies; `ControllerConformance` checks a scan controller.
"""

from stemscan.testing.conformance import ControllerConformance
from stemscan.testing.strategies import orders, patterns, plans, regions

__all__ = ["ControllerConformance", "orders", "patterns", "plans", "regions"]
