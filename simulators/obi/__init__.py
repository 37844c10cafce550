"""A virtual Open Beam Interface device."""
