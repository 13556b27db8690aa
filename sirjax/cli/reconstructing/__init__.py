"""Parts of `sirjax reconstruct`."""
