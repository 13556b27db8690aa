"""Recognizable 3D face shapes from single photos: the SIR loss and its whole system in JAX/Flax."""
