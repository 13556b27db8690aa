"""The command of this experiment."""

import sys

from experiments.photos.command import main

if __name__ == "__main__":
    sys.exit(main())
