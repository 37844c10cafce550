"""The machine: compiled code, threads, memory, signals."""
