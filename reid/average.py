"""`python -m reid.average`: the mean of the weights of two checkpoints of one network.

A network that was trained on with other data often forgets some of what it knew; the mean of its weights and those that
it started from keeps most of both (M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from common.command_line import run_command
from common.errors import InputError
from common.files import file_digest
from reid.checkpoint import load_model, save_model
from reid.extractor import find_weights
from reid.tensor_files import read_tensors, require_same_tensors


def mix_states(
    start: Mapping[str, torch.Tensor], learned: Mapping[str, torch.Tensor], keep: float
) -> dict[str, torch.Tensor]:
    """`keep * start + (1 - keep) * learned` for all tensors; counters are those of `learned`.

    >>> mix_states({"w": torch.tensor(0.0)}, {"w": torch.tensor(1.0)}, 0.25)
    {'w': tensor(0.7500)}
    """
    return {
        name: torch.lerp(learned[name], value, keep) if value.is_floating_point() else learned[name].clone()
        for name, value in start.items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reid.average", description=__doc__)
    parser.add_argument("--start", required=True, help="the checkpoint that the training started from")
    parser.add_argument("--learned", required=True, type=Path, help="the checkpoint that it gave")
    parser.add_argument("--keep", type=float, default=0.5, help="share of the start, from 0 to 1 (default: 0.5)")
    parser.add_argument("--output", required=True, type=Path, help="the checkpoint to write (.safetensors)")
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.keep <= 1:
        raise InputError(f"--keep {arguments.keep:g}: must be between 0 and 1")
    if arguments.output.suffix != ".safetensors":
        raise InputError(f"--output {arguments.output}: must end in .safetensors")
    start = find_weights(arguments.start)
    model, config = load_model(arguments.learned)
    other, other_config = load_model(start)
    if config != other_config:
        raise InputError(f"--start {start}: is another network than {arguments.learned}, or takes another input")
    require_same_tensors(model.state_dict(), other.state_dict(), start)
    _, description = read_tensors(arguments.learned)
    model.load_state_dict(mix_states(other.state_dict(), model.state_dict(), arguments.keep))
    storage = description.pop("storage", "float32")
    # Metrics were measured before; format, network and versions are written anew.
    kept = {k: v for k, v in description.items() if k not in ("metrics", "format", "model", "dims", "versions")}
    mean = {"start": str(arguments.start), "checksum": file_digest(start), "keep": arguments.keep}
    save_model(arguments.output, model, {**kept, "averaged_with": mean}, storage)
    sys.stdout.write(f"{arguments.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
