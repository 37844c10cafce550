"""Measurements: figures and ratios for docs/, printed by commands that anyone can run."""

from stemscan.runtime.openmp import wait_politely

wait_politely()  # as the command line does
