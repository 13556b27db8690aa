"""The `sirjax` command and its sub-commands."""
