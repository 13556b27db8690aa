"""The training losses of the method: pure functions of arrays, one value per sample; see docs/losses.md."""
