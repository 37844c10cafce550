"""Scans as they fill: sums and pictures of a growing store, and the page that shows them in a browser."""
