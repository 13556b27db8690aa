"""The C++ handlers for XLA:CPU and their loader."""
