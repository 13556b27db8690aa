"""Parts of `sirjax view`."""
