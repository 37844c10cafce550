"""Frames of any size in bounded memory: tile by tile from a store to an image."""
