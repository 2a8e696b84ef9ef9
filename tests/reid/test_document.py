"""docs/reid.md keeps what it promises: its Python runs in any folder, its commands on tiny data, its names exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from common.command_line import run_command
from reid import adapt, evaluate, export, train
from reid.analyse import __main__ as analyse
from reid.datasets import DATASETS, dataset_options

MAINS = {
    "reid.train": train.main,
    "reid.adapt": adapt.main,
    "reid.evaluate": evaluate.main,
    "reid.export": export.main,
    "reid.analyse": analyse.main,
}
TINY = (
    "model.backbone=resnet18_ibn_quarter model.image_size=[32,32] views.local_size=[16,16] views.pad=1 "
    "sampler.identities=2 sampler.images=2 ssl.hidden=[8] ssl.outputs=8 data.workers=0 run.epochs=1 "
    "run.steps_per_epoch=2 run.log_every=1 run.device=cpu run.tensorboard=false"
)


@pytest.fixture(scope="module")
def document(repository: Path) -> str:
    return (repository / "docs" / "reid.md").read_text()


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document, re.MULTILINE | re.DOTALL)


def test_the_python_runs_in_any_folder(document: str, tmp_path: Path) -> None:
    (code,) = blocks(document, "python")
    check = "assert vectors.shape == (2, extractor.dims) and abs(similarity[0, 0] - 1) < 1e-4"
    subprocess.run([sys.executable, "-c", code + check], cwd=tmp_path, check=True)


def test_the_commands_run(
    document: str, tmp_path: Path, repository: Path, tiny_datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").symlink_to(repository / "configs")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "small-sim").symlink_to(tiny_datasets / "veri")  # stands for what mtmc.simulate renders
    monkeypatch.chdir(tmp_path)
    first_run = next(block for block in blocks(document, "sh") if "runs/first" in block)
    for line in first_run.replace("\\\n", " ").splitlines():
        module, *arguments = shlex.split(line)[2:]
        if module == "mtmc.simulate":
            continue
        if module == "reid.train":
            place = arguments.index("--pretrained")
            assert (repository / arguments[place + 1]).is_file()
            arguments[place + 1] = "none"
            arguments += [word for text in TINY.split() for word in ("--set", text)]
        assert run_command(MAINS[module], arguments) == 0, line
    assert (tmp_path / "runs" / "first" / "curves" / "curves.png").is_file()
    assert (tmp_path / "runs" / "first" / "model.bin").is_file()


def test_the_tables_name_every_data_set_and_option(document: str) -> None:
    for name in DATASETS:
        (row,) = re.findall(rf"^\| `{name}` \|.*$", document, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", row.rsplit("|", 2)[1])) == set(dataset_options(name)), name
