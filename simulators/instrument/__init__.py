"""Detector, probe and scan coils: one effect a module."""
