"""Pictures of scans and reconstructions as PNG: the panel of a chain, single images."""
