"""Triangles and colours to images, differentiably; knows nothing about faces."""
