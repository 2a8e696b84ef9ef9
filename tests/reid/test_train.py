from pathlib import Path

import pytest

from common.command_line import run_command
from common.errors import InputError
from reid.checkpoint import load_model
from reid.settings import SelfSupervisionSettings
from reid.train import main, read_settings
from reid.train_log import read_log

TINY = [
    "--set", "pretrained=none", "--set", "model.backbone=resnet18_ibn_quarter", "--set", "model.image_size=[32, 32]",
    "--set", "views.local_size=[16, 16]", "--set", "sampler.identities=4", "--set", "sampler.images=2",
    "--set", "ssl.hidden=[16]", "--set", "ssl.outputs=16", "--set", "run.epochs=1", "--set", "run.steps_per_epoch=3",
    "--set", "run.log_every=1", "--set", "run.tensorboard=false", "--set", "data.workers=0", "--set", "run.device=cpu",
]  # fmt: skip


@pytest.fixture
def configs(repository: Path) -> Path:
    return repository / "configs" / "reid"


def test_every_recipe_is_valid(configs: Path) -> None:
    names = {path.name for path in configs.glob("*.yaml")}
    assert "veri_resnet50_ibn_ssbver.yaml" in names
    for name in names - {"auto_encoder.yaml", "parser.yaml"}:  # of reid.pretrain
        settings = read_settings(configs / name)
        if "_baseline" in name and name != "with_strong_baseline.yaml":
            assert not settings.self_supervised
        if "_ssbver" in name:
            assert settings.self_supervised


@pytest.mark.parametrize("dataset", ["veri", "vehicleid", "veriwild", "cityflow", "sim_small", "street"])
def test_baseline_and_ssbver_differ_in_the_self_supervised_term_alone(configs: Path, dataset: str) -> None:
    kind = "" if dataset in ("sim_small", "street") else "_resnet50_ibn"
    baseline, ssbver = (read_settings(configs / f"{dataset}{kind}_{method}.yaml") for method in ("baseline", "ssbver"))
    same = {"ssl", "run", "loss"}
    assert baseline.model_dump(exclude=same) == ssbver.model_dump(exclude=same)
    assert baseline.run.model_dump(exclude={"output"}) == ssbver.run.model_dump(exclude={"output"})
    only = {"self_supervision"}
    assert baseline.loss.model_dump(exclude=only) == ssbver.loss.model_dump(exclude=only)


def test_paper_recipe(configs: Path) -> None:
    settings = read_settings(configs / "veri_resnet50_ibn_ssbver.yaml")
    assert settings.teacher.momentum == 0.9995
    assert settings.run.epochs == 120
    assert settings.loss.label_smoothing == 0.2
    assert settings.ssl.teacher_temperature == (0.0005, 0.001)
    assert (settings.sampler.identities, settings.sampler.images) == (32, 4)
    assert settings.optimiser.milestones == (40, 70, 100)
    both = read_settings([configs / "veri_resnet50_ibn_ssbver.yaml", configs / "with_transformer.yaml"])
    assert both.optimiser.name == "adamw"
    assert both.data.name == "veri"


def test_script_recipe_is_the_paper_with_what_the_script_does_otherwise(configs: Path) -> None:
    paper = read_settings(configs / "veri_resnet50_ibn_ssbver.yaml")
    script = read_settings([configs / "veri_resnet50_ibn_ssbver.yaml", configs / "with_script.yaml"])
    assert (paper.views.recipe, script.views.recipe) == ("paper", "script")
    assert (paper.model.bottleneck_bias, script.model.bottleneck_bias) == (True, False)
    assert (paper.loss.classifier_bias, script.loss.classifier_bias) == (True, False)
    assert (len(paper.ssl.hidden), script.ssl.hidden) == (4, (2048, 2048, 256))
    assert (paper.optimiser.learning_rate, script.optimiser.learning_rate) == (5e-4, 1e-3)
    assert script.loss.self_supervision == 0.005
    heads = {name: read_settings(configs / f"{name}_resnet50_ibn_ssbver.yaml").ssl for name in ("veri", "veriwild")}
    assert (heads["veri"].outputs, heads["veri"].batch_norm) == (1024, False)
    assert (heads["veriwild"].outputs, heads["veriwild"].batch_norm) == (16384, True)
    assert SelfSupervisionSettings().outputs == 65536


def test_trains_from_the_command_line_and_goes_on_when_called_again(
    tmp_path: Path, configs: Path, tiny_datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--config", str(configs / "veri_resnet50_ibn_ssbver.yaml"), *TINY]
    command += ["--set", f"data.root={tiny_datasets / 'veri'}", "--output", str(tmp_path / "run")]
    assert main([*command, "--until", "2"]) == 0
    assert main(command) == 0
    assert "mAP" in capsys.readouterr().out
    with pytest.raises(InputError, match="--until 0: must be at least 1"):
        main([*command, "--until", "0"])
    rows = read_log(tmp_path / "run" / "log.csv")
    assert [int(row["step"]) for row in rows if row["total"]] == [1, 2, 3]
    _, config = load_model(tmp_path / "run" / "model.safetensors")
    assert config.backbone == "resnet18_ibn_quarter"


def test_validation_identities_are_not_trained_on(tmp_path: Path, configs: Path, tiny_datasets: Path) -> None:
    command = [
        "--config",
        str(configs / "veri_resnet50_ibn_baseline.yaml"),
        *TINY,
        "--set",
        f"data.root={tiny_datasets / 'veri'}",
    ]
    assert main([*command, "--set", "data.validation=0.25", "--output", str(tmp_path / "run")]) == 0
    text = (tmp_path / "run" / "model.json").read_text()
    assert '"identities": 6' in text  # of 8


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.bakbone=resnet50", r"unknown key 'model\.bakbone'.*backbone"),
        ("optimiser.name=lion", r"key 'optimiser\.name'.*'adam', 'adamw' or 'sgd'"),
        ("data.validation=1.0", r"key 'data\.validation'.*less than 1"),
        ("teacher.momentum=1.5", r"key 'teacher\.momentum'.*less than 1"),
        ("model.backbone=resnet51_ibn", r"unknown network resnet51_ibn.*resnet50_ibn"),
        ("sampler.identities=64", r"a batch needs 64 identities, the training data has 8"),
        ("pretrained=nowhere.pth", r"nowhere\.pth: no such weights file"),
        ("run.device=cuda:99", r"run\.device: device 'cuda:99': torch finds"),
        ("data.name=verri", r"'verri' is unknown.*veri"),
        ("data.root=nowhere", "nowhere"),
    ],
)
def test_mistakes_end_with_status_2_and_one_line(
    tmp_path: Path, configs: Path, tiny_datasets: Path, capsys: pytest.CaptureFixture[str], override: str, told: str
) -> None:
    import re

    command = [
        "--config",
        str(configs / "veri_resnet50_ibn_baseline.yaml"),
        *TINY,
        "--set",
        f"data.root={tiny_datasets / 'veri'}",
    ]
    assert run_command(main, [*command, "--output", str(tmp_path), "--set", override]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert re.search(told, lines[0]), lines[0]


def test_files_that_extend_each_other_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(InputError, match="circle"):
        read_settings(tmp_path / "a.yaml")


def test_a_later_file_changes_single_keys(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("run: {epochs: 7, seed: 3}\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\nrun: {seed: 4}\n")
    settings = read_settings(tmp_path / "b.yaml", ["run.log_every=2"])
    assert (settings.run.epochs, settings.run.seed, settings.run.log_every) == (7, 4, 2)


def test_every_batch_holds_vehicles_of_each_data_set(
    tmp_path: Path, configs: Path, tiny_datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read_settings(configs / "street_ssbver.yaml")
    assert [part.identities for part in settings.data.also] == [5, 6]
    folder = tiny_datasets / "folder"
    also = f'data.also=[{{"name": "folder", "root": "{folder}", "options": {{"holdout": 0.0}}, "identities": 2}}]'
    command = ["--config", str(configs / "veri_resnet50_ibn_baseline.yaml"), *TINY, "--set", "sampler.identities=4"]
    command += ["--set", f"data.root={tiny_datasets / 'veri'}", "--output", str(tmp_path / "run")]
    assert main([*command, "--set", also]) == 0
    with pytest.raises(InputError, match=r"data\.also: takes all 4 vehicles"):
        main([*command, "--set", also.replace('"identities": 2', '"identities": 4'), "--output", str(tmp_path / "b")])
