"""For the tests of those who build on stemscan; needs the extra `stemscan[testing]`.

`plans`, its parts and `profiles` are hypothesis strategies; `ControllerConformance` checks a scan controller.
"""

from stemscan.acquisition.conformance import ControllerConformance
from stemscan.testing.strategies import orders, patterns, plans, profiles, regions

__all__ = ["ControllerConformance", "orders", "patterns", "plans", "profiles", "regions"]
