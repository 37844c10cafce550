"""Plan, simulate, acquire and reconstruct sparse multi-pass STEM scans."""

__version__ = "0.1.0"
