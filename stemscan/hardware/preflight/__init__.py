"""Pre-flight: what running a plan on a controller takes and does, told before anything is exposed."""

from stemscan.hardware.preflight.report import Duration, Finding, Maps, Preflight
from stemscan.hardware.preflight.walk import MOST_SAMPLES, check_flight

__all__ = ["MOST_SAMPLES", "Duration", "Finding", "Maps", "Preflight", "check_flight"]
