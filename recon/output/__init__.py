"""Reconstructions and rows as files: OME-Zarr, TIFF, NumPy, PNG, Parquet; their records read back."""
