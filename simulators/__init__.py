"""The physical world, virtual: specimens, probe, detector, and a microscope that is a scan controller."""
