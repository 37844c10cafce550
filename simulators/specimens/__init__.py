"""Ground truths: micrographs, crystals, synthetic scenes."""
