"""Every table and figure of the paper, one after the other, on shared training runs:

  python -m experiments.all                                      rendered faces; within an hour on two quiet cores
  python -m experiments.all --warmup runs/demo/warmup            starts from the demo's warm-up, if it is there
  python -m experiments.all --landmark R1 --identity R2 --evaluate R3 --root runs/real    prepared records

Each writes ROOT/results/NAME/results.json, its pictures and report.html. Interrupted, the same command goes on.
"""

import sys

from experiments.common.command import NAMES, main

if __name__ == "__main__":
    sys.exit(main(list(NAMES)))
