"""Faces and trained weights as files that other programs read."""
