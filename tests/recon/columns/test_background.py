"""Variation of the background, learned by the evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stemscan.recon.columns.background import smoothed
from stemscan.recon.columns.candidates import Pilot
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import Profile
from stemscan.recon.columns.search import Scale, beginning
from tests.recon.columns.columns_kit import crystal, render, sparse_scan


def test_nodes_that_no_sample_sees_do_not_decide() -> None:
    """A further row and column of nodes beyond the frame leave the prior, the fit and the profile as they are."""
    truth = crystal(seed=3)
    signal = render(truth) + 0.08 * np.sin(np.arange(320) / 30)[:, None] * np.cos(np.arange(320) / 40)
    points = Observations.of(sparse_scan(signal, seed=4))
    pilot = Pilot(signal)
    start = beginning(points, pilot, Scale.of([pilot], signal.shape), Profile(4.25))
    wider = replace(start, nodes=np.pad(start.nodes, ((0, 1), (0, 1)), mode="edge"))
    usual, more = smoothed(start, points).model, smoothed(wider, points).model
    assert more.stiffness == pytest.approx(usual.stiffness, rel=0.5)
    assert more.profiles[0].sigma == pytest.approx(usual.profiles[0].sigma, rel=5e-3)
    np.testing.assert_allclose(more.nodes[:-1, :-1], usual.nodes, atol=0.02)
