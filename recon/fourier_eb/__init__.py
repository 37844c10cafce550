"""Fourier empirical Bayes: a Gaussian process whose spectrum is learned from the samples; and its spectral oracle.

`analysis` is the chain and `method` what runs it on a store; `band_limit` finds the grid, `domain` and `samples` are
what is computed on; `estimates` goes from samples to estimate, for which `spectrum` finds the power spectrum,
`conjugate_gradients` the stationary estimate, and `windows` refines it by region; `uncertainty` rates it. `regression`
corrects it by samples that were `held_out` (by `folds`), in `measures` of it, with the priors of greatest `evidence`.
"""
