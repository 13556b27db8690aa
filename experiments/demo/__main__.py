"""The command of the demo."""

import sys

from experiments.demo.command import main

if __name__ == "__main__":
    sys.exit(main())
