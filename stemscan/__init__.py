"""Plan, simulate, acquire and reconstruct sparse multi-pass STEM scans."""

from stemscan.runtime.checkout import require_rooms

__version__ = "0.1.0"

require_rooms(__path__[0])
