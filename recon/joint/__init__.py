"""Several detectors as one: the counts of all channels brought onto the signal of one of them."""
