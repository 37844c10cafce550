"""From an acquisition store to an image: inputs, methods, networks, metrics and outputs."""
