"""Preparation of data sets and face models from their raw sources."""
