"""Networks: by name, on padded images, tile by tile."""
