"""Everything that only re-enacts the FSHNet paper (He et al., ICCV 2021); nothing else in `stemscan.recon` imports it.

The method `fshnet` lives in `stemscan.recon.fshnet`, with our network on the full scan grid and the equations that both
networks share: 9 (`fourier_masks`), 10 and 11 (`initial_reconstruction`), 13 (`nonlocal_step`), 14 (`patch_size`).
``stemscan recon --variant paper``, or weights of a network of frames, make it run the published network, which is here.
Rooms that need something of this one find it by a table that names it: the methods and networks of `declaration`, the
protocols and printed figures of `stemscan.recon.evaluation`.

- FSHNet as published: `network` (the architecture), `folding` and `bands` (its forward pass on a CPU), `inference`,
  `scale` and `on_frames` (from counts to an image), `published_weights`;
- its training: `structure` (equation 12), `losses` (15 and 16), `edges` (17), `tasks`;
- ablations: `ablations` of the published network, `full_grid_ablations` and `low_pass_analysis` of ours;
- methods it compares with: `bpfa`, `csnet`, `reconnet` with `network_inputs` and `trained`;
- its evaluation: `protocol` of the published code, `contender` and `cases` under it, `numbers` that the paper prints.
"""
