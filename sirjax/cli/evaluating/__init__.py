"""The kinds of `sirjax evaluate` and what they read and write."""
