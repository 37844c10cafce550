"""Training the networks on simulated acquisitions."""
