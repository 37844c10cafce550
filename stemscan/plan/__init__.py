"""Scan plans and their parts, as pure values."""
