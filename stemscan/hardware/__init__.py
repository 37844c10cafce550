"""Real scan hardware: what controllers can do, what they are told, and in which formats."""
