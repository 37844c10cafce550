"""Methods that need no learning: interpolation, normalised convolution, low-pass."""
