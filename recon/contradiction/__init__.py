"""Places where the counts of a scan contradict an image that was made of them."""
