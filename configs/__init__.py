"""Settings of training runs; `default` is the schema."""
