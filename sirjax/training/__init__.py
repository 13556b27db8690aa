"""Train state, optimizer, data-parallel step, checkpoints, logs and the loop that joins them."""
