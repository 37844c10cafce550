"""Published baselines: Fourier iterative hard thresholding, beta-process factor analysis."""
