"""Pictures of scans and reconstructions as PNG: the panel of a chain, contact sheets, single images."""
