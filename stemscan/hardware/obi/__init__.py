"""Open Beam Interface: its command stream, and a client that drives a device as a `ScanController`."""
