"""Scan controllers, and the loop that drives one and fills a store."""
