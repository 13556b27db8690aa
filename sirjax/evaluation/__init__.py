"""Figures of merit, computed from plain NumPy arrays: verification, shape error, landmark error, distinctiveness."""
