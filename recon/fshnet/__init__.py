"""FSHNet: the method, our network on the full scan grid, and the equations of He et al. (ICCV 2021) that it shares.

`method` is the chain from inputs to an image, `full_grid` the network, `full_grid_features` its input. Equation 9 is
`fourier_masks`, 10 and 11 `initial_reconstruction`, 13 `nonlocal_step` (`nonlocal_kernels`), 14 `patch_size`;
`enhancement` puts the last two together. The network as published is in `stemscan.recon.paper`.
"""
