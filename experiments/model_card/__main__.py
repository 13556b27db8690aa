"""The command of the model card."""

import sys

from experiments.model_card.command import main

if __name__ == "__main__":
    sys.exit(main())
