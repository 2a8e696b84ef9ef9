"""Train a part of a network before the network: `python -m reid.pretrain {auto-encoder,parser} --config FILE`.

The auto-encoder draws vehicles from few numbers; SAVER and EVER use what it leaves out. The parser finds a vehicle's
front, back, roof and side for PVEN. Repeating the command of a stopped run resumes it.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch

from common.command_line import run_command
from common.devices import choose_device
from common.errors import InputError
from common.settings import apply_overrides, read_yaml, validate
from reid.datasets import load_dataset
from reid.pretraining.auto_encoder import AutoEncoderSubject
from reid.pretraining.loop import Subject, pretrain
from reid.pretraining.parser import ParserSubject
from reid.pretraining.settings import AutoEncoderSettings, ParserSettings, PretrainSettings

log = logging.getLogger(__name__)

SETTINGS: dict[str, type[PretrainSettings]] = {"auto-encoder": AutoEncoderSettings, "parser": ParserSettings}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m reid.pretrain", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=sorted(SETTINGS), help="what to train")
    parser.add_argument(
        "--config", type=Path, required=True, help="configs/reid/auto_encoder.yaml or configs/reid/parser.yaml"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting")
    parser.add_argument("--output", help="output folder (overrides output)")
    parser.add_argument("--until", type=int, help="stop after this many steps; repeat the command to continue")
    arguments = parser.parse_args(argv)
    if arguments.until is not None and arguments.until < 1:
        raise InputError(f"--until {arguments.until}: must be at least 1")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    content = apply_overrides(read_yaml(arguments.config), arguments.set)
    if arguments.output:
        content["output"] = arguments.output
    settings = validate(SETTINGS[arguments.what], content, str(arguments.config))
    if settings.threads:
        torch.set_num_threads(settings.threads)
    try:
        device = torch.device(choose_device(settings.device))
    except InputError as error:
        raise InputError(f"device: {error}") from error
    torch.manual_seed(settings.seed)
    figures = pretrain(_subject(settings), settings, device, arguments.until)
    shown = "  ".join(f"{name} {100 * value:.2f} %" for name, value in figures.items())
    sys.stdout.write(f"{settings.output}/model.safetensors  {shown}\n")
    return 0


def _subject(settings: PretrainSettings) -> Subject:
    if isinstance(settings, ParserSettings):
        return ParserSubject(settings)
    settings = cast(AutoEncoderSettings, settings)
    data = settings.data
    dataset = load_dataset(data.name, data.root, **cast(dict[str, Any], data.options))
    for note in dataset.notes:
        log.warning("%s", note)
    return AutoEncoderSubject(settings, dataset.train.path.tolist())


if __name__ == "__main__":
    sys.exit(run_command(main))
