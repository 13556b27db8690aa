"""What the trainings behind published figures and weights were: settings, seeds, sets, hours, speed and curves.

  python -m experiments.training_runs --keep renders runs/renders/warmup runs/renders/sir
  python -m experiments.training_runs          rewrites the page and the pictures from what is kept

Keeps NAME.json for the stages of one training, and draws NAME.png from it.
"""
