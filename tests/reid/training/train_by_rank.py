"""For torchrun: `reid.train` where each process may read another data set. Arguments: CONFIG OUTPUT ROOT [ROOT ...]."""

import os
import sys

from common.command_line import run_command
from reid.train import main

config, output, *roots = sys.argv[1:]
root = roots[int(os.environ["RANK"]) % len(roots)]
sys.exit(run_command(main, ["--config", config, "--output", output, "--set", f"data.root={root}"]))
