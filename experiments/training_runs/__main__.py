"""The command of the record of trainings."""

import sys

from experiments.training_runs.command import main

if __name__ == "__main__":
    sys.exit(main())
