"""Rotations, similarity transforms, the weak-perspective camera and triangle meshes: pure functions of arrays."""
