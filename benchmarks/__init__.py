"""Measurements: figures and ratios for docs/, printed by commands that anyone can run."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does
