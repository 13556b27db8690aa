"""The command of this experiment."""

import sys

from experiments.common.command import main

if __name__ == "__main__":
    sys.exit(main(["figure4_curves"]))
