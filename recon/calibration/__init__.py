"""What the numbers of a detector mean, from the counts themselves."""
