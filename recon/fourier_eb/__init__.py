"""Fourier empirical Bayes: a Gaussian process whose spectrum is learned from the samples; and its spectral oracle.

`analysis` is the chain and `method` what runs it on a store; `band_limit` finds the grid, `domain` and `samples` are
what is computed on, `spectrum` finds the power spectrum, `conjugate_gradients` the estimate, `windows` refines it by
region, `uncertainty` rates it.
"""

from stemscan.recon.fourier_eb.analysis import FourierAnalysis, analyse
from stemscan.recon.fourier_eb.method import estimate_signal, fourier_eb
from stemscan.recon.fourier_eb.spectral_oracle import spectral_oracle

__all__ = ["FourierAnalysis", "analyse", "estimate_signal", "fourier_eb", "spectral_oracle"]
