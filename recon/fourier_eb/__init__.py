"""Fourier empirical Bayes: a Gaussian process whose spectrum is learned from the samples; and its spectral oracle.

`analysis` is the chain and `method` what runs it on a store; `band_limit` finds the grid, `domain` and `samples` are
what is computed on, `spectrum` finds the power spectrum, `conjugate_gradients` the estimate, `windows` refines it by
region, `uncertainty` rates it.
"""
