"""Foreign files that are read, one dispatch by first bytes, and the safe writing of our own."""
