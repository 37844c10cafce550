"""Pre-flight: what running a plan on a controller takes and does, told before anything is exposed."""

from stemscan.preflight.report import Duration, Finding, Maps, Preflight
from stemscan.preflight.walk import check_flight

__all__ = ["Duration", "Finding", "Maps", "Preflight", "check_flight"]
