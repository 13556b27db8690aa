"""Faces in videos: frames one by one, tracks, smoothing."""
