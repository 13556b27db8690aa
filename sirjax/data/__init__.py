"""Training data: aligned crops as records, and batches that depend on (seed, step) only."""
