"""`python -m reid.adapt --run runs/X`: train an extractor on with the crops of a run, without labels."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from common.command_line import run_command
from common.devices import choose_device
from common.errors import InputError
from common.files import file_digest, write_text
from common.settings import apply_overrides, validate

_EXAMPLES = """example, of a run of two cameras:
  python -m mtmc.run --scenario my_videos/crossing --output runs/crossing --crops
  python -m reid.adapt --run runs/crossing --weights baseline --output runs/crossing/adapted.safetensors
  python -m mtmc.run --scenario my_videos/crossing --reid baseline runs/crossing/adapted.safetensors

with the answers that were given on the page (History, Labelled pairs):
  python -m reid.adapt --run runs/crossing --pairs pairs.csv

What is used: crops of one track are one vehicle; tracks that a camera sees at the same time are different ones; tracks
of two cameras are one vehicle if the run says so and each is the other's most similar one there.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m reid.adapt",
        description="Train an extractor on with the crops of a run, without labels: for cameras unlike those that it "
        "was trained on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--run", required=True, type=Path, help="a folder that mtmc.run --crops wrote, or a CSV list in its format"
    )
    parser.add_argument(
        "--weights", default="baseline", help="what to start from: baseline, ssbver or a .safetensors file"
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="answers about pairs of tracks, as python -m mtmc.serve exports them: a CSV file with the columns first "
        "and second (file names of crops) and answer (same or different)",
    )
    parser.add_argument("--output", type=Path, help="the checkpoint to write (default: RUN/adapted.safetensors)")
    parser.add_argument("--steps", type=int, help="maximum number of steps (default: 200)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as learning_rate=2e-4"
    )
    parser.add_argument("--settings", action="store_true", help="list all settings and stop")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare batches; 0: none (default: 1)")
    if "--settings" in (sys.argv[1:] if argv is None else argv):
        from common.settings_list import list_settings
        from reid.adaptation.settings import AdaptSettings

        sys.stdout.write(list_settings(AdaptSettings, ""))
        return 0
    arguments = parser.parse_args(argv)
    # Imported here, so that --help and a wrong option do not wait for the numerical packages.
    from reid.adaptation import AdaptSettings, AnsweredPairs, adapt, read_pairs, read_run
    from reid.checkpoint import load_model, save_model
    from reid.extractor import find_weights
    from reid.tensor_files import is_own_checkpoint

    overrides = [*arguments.set, *([f"steps={arguments.steps}"] if arguments.steps is not None else [])]
    settings = validate(AdaptSettings, apply_overrides({}, overrides), "--set")
    if arguments.workers < 0:
        raise InputError(f"--workers {arguments.workers}: must be at least 0")
    device = choose_device(arguments.device)
    weights = find_weights(arguments.weights)
    if weights.suffix != ".safetensors" or not is_own_checkpoint(weights):
        raise InputError(
            f"--weights {weights}: not a checkpoint of this project (.safetensors); others cannot be trained on"
        )
    model, _ = load_model(weights)
    crops = read_run(arguments.run, weights.stem)
    answered = read_pairs(arguments.pairs, crops) if arguments.pairs is not None else AnsweredPairs.none()
    folder = arguments.run if arguments.run.is_dir() else arguments.run.parent
    output = arguments.output or folder / "adapted.safetensors"
    if output.suffix != ".safetensors":
        raise InputError(f"--output {output}: must end in .safetensors")
    if output.resolve() == weights.resolve():
        raise InputError(f"--output {output}: would overwrite the weights to start from; choose another file")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    result = adapt(model, crops, settings, answered=answered, device=device, workers=arguments.workers)
    description = {
        **result.description,
        "start": {"weights": str(arguments.weights), "checksum": file_digest(weights)},
        "run": str(arguments.run),
        **({"pairs": str(arguments.pairs)} if arguments.pairs is not None else {}),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    save_model(output, result.model, description)
    write_text(output.with_suffix(".md"), card(output.stem, description))
    sys.stdout.write(f"{output}\n")
    return 0


def card(name: str, description: dict[str, object]) -> str:
    """A card in Markdown: what an adapted extractor came from."""
    data, start, checks = description["data"], description["start"], description["checks"]
    assert isinstance(data, dict) and isinstance(start, dict) and isinstance(checks, list)
    answers = data["pairs_answered_same"] + data["pairs_answered_different"]
    lines = [
        f"# `{name}`: an extractor adapted {'with some answers' if answers else 'without labels'}",
        "",
        f"Start: `{start['weights']}` (checksum {start['checksum']}). Run: `{description['run']}`.",
        f"Data: {data['crops']} crops of {data['tracks']} tracks of {data['cameras']} cameras, "
        + (f"with {answers} answers about pairs of tracks; " if answers else "without annotation; ")
        + f"{data['joined_tracks']} pairs of tracks of different cameras taken for one vehicle, "
        f"{data['pairs_known_to_differ']} pairs of vehicles known to differ.",
        f"Training: {description['steps']} steps, seed {description['seed']}; all settings are in the JSON file.",
        "",
        "| step | agreement on the vehicles held out, % |",
        "|---|---|",
        *(f"| {check['step']} | {100 * check['agreement']:.2f} |" for check in checks),
        "",
        "Agreement is a mean reciprocal rank: of a crop's augmented view and the other crops of its vehicle, the least "
        "similar one is ranked among crops known to be of other vehicles. It is no accuracy: it compares with what was "
        "found or answered about the run.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(run_command(main))
