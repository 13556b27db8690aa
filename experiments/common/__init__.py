"""What the experiments share: sets, cached training runs, readings, figures, result files and pages."""
