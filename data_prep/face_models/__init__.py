"""Published face models, read from their makers' files and turned into sirjax's own: one module per format."""
