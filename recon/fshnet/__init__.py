"""FSHNet (He et al., ICCV 2021): the network, the equations around it, its weights, and the method on a store.

Equation 9 is `fourier_masks`, 10 and 11 `initial_reconstruction`, 12 `structure`, 13 `nonlocal_step`, 14 `patch_size`,
17 `edges`. `network` is the architecture, `method` the chain from inputs to an image.
`published` and `published_protocol` hold what the authors' code does otherwise than the paper.
"""
