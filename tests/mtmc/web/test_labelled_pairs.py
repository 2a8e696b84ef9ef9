"""Answers of the page as labelled pairs, and an extractor that is trained on with them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mtmc.web.exchange import export_pairs
from mtmc.web.session import Session
from reid.adapt import main
from reid.checkpoint import save_model
from reid.models import ReidModel
from reid.settings import ModelConfig

TINY = {
    "steps": 2,
    "vehicles": 3,
    "check_every": 2,
    "holdout": 0,
    "views": {"local": 1, "local_size": [16, 16], "pad": 2},
    "ssl": {"hidden": [32, 16], "outputs": 24, "batch_norm": True, "pairs": "mean"},
}


def crops_of(session: Session, folder: Path) -> None:
    """The crops of the run as `mtmc.run --crops` lists them."""
    (folder / "crops").mkdir(parents=True)
    rows = [["path", "track", "camera", "start", "end", "identity made"]]
    p = session.passages
    for row, key in enumerate(session.keys):
        camera = session.cameras[p.camera[row]]
        for rank, frame in enumerate(session.crops.frames(row)):
            name = f"{camera}_{p.track[row]:05d}_{frame:06d}.jpg"
            (folder / "crops" / name).write_bytes(session.crops.image(row, rank) or b"")
            rows.append([name, key, camera, str(p.start[row]), str(p.end[row]), ""])
    with (folder / "crops" / "crops.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def test_answers_train_an_extractor(open_session: Callable[..., Session], tmp_path: Path) -> None:
    session = open_session()
    session.answer("same", ["c1/1", "c2/1"], ["c3/1"], author="Ada")
    session.answer("different", ["c1/1"], ["c1/2", "c1/3", "c1/4"], author="Ada")
    session.answer("different", ["c1/2"], ["c1/3"])
    session.answer("unsure", ["c1/5"], ["c2/5"])
    session.answer("not-a-vehicle", ["c3/6"])
    taken_back = session.answer("same", ["c1/6"], ["c2/6"])
    session.undo(taken_back.seq)
    text = export_pairs(session)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(r["first_track"], r["second_track"], r["answer"]) for r in rows] == [
        ("c1/1", "c2/1", "same"),
        ("c2/1", "c3/1", "same"),
        ("c1/1", "c1/2", "different"),
        ("c1/1", "c1/3", "different"),
        ("c1/1", "c1/4", "different"),
        ("c1/2", "c1/3", "different"),
    ]
    assert rows[0]["author"] == "Ada" and rows[0]["first"].startswith("c1_00001_")

    run = tmp_path / "adapted"
    crops_of(session, run)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(text, encoding="utf-8")
    torch.manual_seed(0)
    start = tmp_path / "start.safetensors"
    save_model(start, ReidModel(ModelConfig(backbone="resnet18_ibn_quarter", image_size=(32, 32))).eval(), {})
    options = [f"--set={name}={json.dumps(value)}" for name, value in TINY.items()]
    given = ["--run", str(run), "--weights", str(start), "--device", "cpu", "--workers", "0"]
    assert main([*given, "--pairs", str(pairs), *options]) == 0
    card = json.loads((run / "adapted.json").read_text())
    assert (card["data"]["pairs_answered_same"], card["data"]["pairs_answered_different"]) == (2, 4)
    assert card["data"]["pairs_known_to_differ"] == 4
    assert "6 answers" in (run / "adapted.md").read_text()
    # Nothing else is known about this run: no two of its tracks are seen at once.
    with pytest.raises(Exception, match="seen at the same time"):
        main([*given, *options])
