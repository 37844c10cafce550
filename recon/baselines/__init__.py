"""Methods that the paper compares with: dictionary learning, thresholding, other networks."""
