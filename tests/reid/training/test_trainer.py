import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from common.errors import InputError
from reid.checkpoint import load_model
from reid.datasets import ImageTable
from reid.tensor_files import read_tensors, write_tensors
from reid.train_log import COLUMNS, read_log
from reid.training.batches import Batch

Fixture = Callable[..., object]


def _weights(trainer: object) -> dict[str, torch.Tensor]:
    modules = {"student": trainer.student, "teacher": trainer.teacher, "objective": trainer.objective}
    return {f"{n}.{k}": v.clone() for n, m in modules.items() for k, v in m.state_dict().items()}


@pytest.fixture
def table(tmp_path: Path, write_images: Callable[..., ImageTable]) -> ImageTable:
    return write_images(tmp_path / "images")


def test_student_and_teacher_start_equal(table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture) -> None:
    trainer = make_trainer(table, tiny_settings())
    for name, value in trainer.student.encoder.state_dict().items():
        assert torch.equal(value, trainer.teacher.state_dict()[name])


def test_gradients_reach_the_student_only(table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture) -> None:
    trainer = make_trainer(table, tiny_settings())
    losses = trainer.objective(trainer.student, trainer.teacher, trainer.maker[0], 0.001)
    losses.total.backward()
    assert all(p.grad is None for p in trainer.teacher.parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trainer.student.parameters())


def test_each_term_reaches_its_own_heads(table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture) -> None:
    settings = tiny_settings(loss={"classification": 0.0, "triplet": 0.0, "self_supervision": 1.0})
    trainer = make_trainer(table, settings)
    trainer.objective(trainer.student, trainer.teacher, trainer.maker[0], 0.001).total.backward()
    assert trainer.student.encoder.projection.prototypes.grad.any()
    assert trainer.student.encoder.model.backbone.conv1.weight.grad.any()
    assert not trainer.student.classifier.weight.grad.any()
    assert not trainer.student.encoder.model.bottleneck.weight.grad.any()


def test_total_is_equation_5(table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture) -> None:
    settings = tiny_settings(loss={"classification": 2.0, "triplet": 3.0, "self_supervision": 0.5})
    trainer = make_trainer(table, settings)
    losses = trainer.objective(trainer.student, trainer.teacher, trainer.maker[0], 0.001)
    expected = 2 * losses.classification + 3 * losses.triplet + 0.5 * losses.self_supervision
    torch.testing.assert_close(losses.total.detach(), expected)


def test_one_forward_a_resolution(table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture) -> None:
    trainer = make_trainer(table, tiny_settings())
    seen: dict[str, list[tuple[int, ...]]] = {"student": [], "teacher": []}
    for name, encoder in (("student", trainer.student.encoder), ("teacher", trainer.teacher)):
        encoder.model.backbone.register_forward_pre_hook(
            lambda module, inputs, name=name: seen[name].append(tuple(inputs[0].shape))
        )
    trainer.train_step(trainer.maker[0])
    n = trainer.maker.share
    assert seen["student"] == [(2 * n, 3, 32, 32), (2 * n, 3, 16, 16)]
    assert seen["teacher"] == [(2 * n, 3, 32, 32)]


def test_baseline_never_runs_the_teacher(table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture) -> None:
    trainer = make_trainer(table, tiny_settings(ssbver=False))
    trainer.teacher.register_forward_pre_hook(lambda *_: pytest.fail("the baseline's teacher is only averaged"))
    trainer.teacher.model.register_forward_pre_hook(lambda *_: pytest.fail("the baseline's teacher is only averaged"))
    losses, _ = trainer.train_step(trainer.maker[0])
    assert losses.self_supervision == 0
    assert trainer.student.encoder.projection is None


def test_teachers_norms_see_global_views_only(table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture) -> None:
    """Other local views change the student's statistics of the backbone, not the teacher's."""
    statistics = []
    for fill in (0, 255):
        trainer = make_trainer(table, tiny_settings())
        batch: Batch = trainer.maker[0]
        batch = batch._replace(local_views=torch.full_like(batch.local_views, fill))
        with torch.no_grad():
            trainer.objective(trainer.student, trainer.teacher, batch, 0.001)
        statistics.append(
            [e.model.backbone.bn1.running_mean.clone() for e in (trainer.student.encoder, trainer.teacher)]
        )
    assert not torch.equal(statistics[0][0], statistics[1][0])
    assert torch.equal(statistics[0][1], statistics[1][1])
    start = make_trainer(table, tiny_settings()).teacher.model.backbone.bn1.running_mean
    assert not torch.equal(statistics[0][1], start)  # train mode: it does take in its own batch


def test_averaging_mixes_no_local_view_into_the_teachers_norms(
    table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    statistics = []
    for fill in (0, 255):
        still = {"warmup_epochs": 0, "learning_rate": 1e-12}  # weights stay: only statistics move
        trainer = make_trainer(table, tiny_settings(optimiser=still, teacher={"momentum": 0.5}))
        for step in range(3):
            batch: Batch = trainer.maker[step]
            trainer.train_step(batch._replace(local_views=torch.full_like(batch.local_views, fill)))
        statistics.append(trainer.teacher.model.state_dict())
    for name, value in statistics[0].items():
        if "running" in name:
            torch.testing.assert_close(value, statistics[1][name], msg=name)


def test_the_baselines_norms_are_averaged(table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture) -> None:
    trainer = make_trainer(table, tiny_settings(ssbver=False, teacher={"momentum": 0.75}))
    norms = [e.model.backbone.bn1 for e in (trainer.student.encoder, trainer.teacher)]
    start = norms[1].running_mean.clone()
    trainer.train_step(trainer.maker[0])
    torch.testing.assert_close(norms[1].running_mean, 0.75 * start + 0.25 * norms[0].running_mean)


@pytest.mark.parametrize("ssbver", [True, False])
def test_resumes_to_the_same_weights_bit_for_bit(
    tmp_path: Path, table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture, ssbver: bool
) -> None:
    settings = tiny_settings(ssbver)
    through = make_trainer(table, settings)
    through.run(tmp_path / "through")
    stopped = make_trainer(table, settings)
    stopped.run(tmp_path / "stopped", until=3)
    assert stopped.step == 3
    torch.manual_seed(999)
    resumed = make_trainer(table, settings)
    resumed.run(tmp_path / "stopped")
    assert resumed.step == through.step == 8
    expected, found = _weights(through), _weights(resumed)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
    rows = [read_log(tmp_path / name / "log.csv") for name in ("through", "stopped")]
    keep = ("step", "total", "triplet", "learning_rate")
    assert [[r[k] for k in keep] for r in rows[0]] == [[r[k] for k in keep] for r in rows[1]]


def test_a_state_that_is_older_than_a_setting_is_resumed_with_its_default(
    tmp_path: Path, table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    make_trainer(table, tiny_settings()).run(tmp_path / "run", until=1)
    path = tmp_path / "run" / "state.safetensors"
    tensors, description = read_tensors(path)
    del description["settings"]["ssl"]["devices"], description["settings"]["model"]["multibranch"]
    write_tensors(path, tensors, description)
    trainer = make_trainer(table, tiny_settings())
    trainer.resume(path)
    assert trainer.step == 1
    del description["settings"]["optimiser"]["learning_rate"]
    write_tensors(path, tensors, description)
    with pytest.raises(InputError, match=r"optimiser\.learning_rate was 0\.0005, now 0\.0001"):
        make_trainer(table, tiny_settings(optimiser={"warmup_epochs": 0, "learning_rate": 1e-4})).resume(path)


def test_resuming_with_other_settings_or_data_is_refused(
    tmp_path: Path, table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    make_trainer(table, tiny_settings()).run(tmp_path / "run", until=1)
    other = make_trainer(table, tiny_settings(optimiser={"warmup_epochs": 0, "learning_rate": 1e-4}))
    with pytest.raises(InputError, match=r"optimiser\.learning_rate was 0\.0005, now 0\.0001"):
        other.run(tmp_path / "run")
    fewer = make_trainer(table[:-4], tiny_settings())
    with pytest.raises(InputError, match="fingerprint"):
        fewer.run(tmp_path / "run")
    more_log = make_trainer(table, tiny_settings(run={**tiny_settings().run.model_dump(), "log_every": 2}))
    more_log.run(tmp_path / "run", until=2)


def test_a_run_leaves_model_description_and_every_loss(
    tmp_path: Path, table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    settings = tiny_settings(run={**tiny_settings().run.model_dump(), "validate_every": 1, "tensorboard": True})
    trainer = make_trainer(table, settings)
    metrics = trainer.run(tmp_path / "run", lambda model: {"mAP": 0.5, "cmc1": 0.75})
    assert metrics == {"mAP": 0.5, "cmc1": 0.75}
    model, config = load_model(tmp_path / "run" / "model.safetensors")
    assert config == settings.model
    for name, value in trainer.teacher.model.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
    description = json.loads((tmp_path / "run" / "model.json").read_text())
    assert description["method"] == "ssbver"
    assert description["steps"] == 8
    assert description["data"]["identities"] == 6
    assert description["metrics"] == metrics
    assert description["settings"]["teacher"]["momentum"] == settings.teacher.momentum
    rows = read_log(tmp_path / "run" / "log.csv")
    assert tuple(rows[0]) == COLUMNS
    assert [r["step"] for r in rows if r["mAP"]] == ["4", "8"]
    losses = [r for r in rows if r["total"]]
    assert [int(r["step"]) for r in losses] == list(range(1, 9))
    assert all(math.isfinite(float(r["self_supervision"])) for r in losses)
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_center_is_part_of_the_training_state(
    tmp_path: Path, table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    trainer = make_trainer(table, tiny_settings())
    trainer.run(tmp_path / "run", until=2)
    tensors, _ = read_tensors(tmp_path / "run" / "state.safetensors")
    assert torch.equal(tensors["objective/distillation.center"], trainer.objective.distillation.center)
    assert tensors["objective/distillation.center"].any()


def test_a_short_run_learns_and_does_not_collapse(
    table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    settings = tiny_settings(optimiser={"warmup_epochs": 0, "learning_rate": 2e-3}, teacher={"momentum": 0.9})
    trainer = make_trainer(table, settings)
    history = [trainer.train_step(trainer.maker[step])[0] for step in range(40)]
    assert torch.stack([h.triplet for h in history[-5:]]).mean() < 0.6 * history[0].triplet
    assert torch.stack([h.classification for h in history[-5:]]).mean() < history[0].classification
    diversity = torch.stack([h.teacher_diversity for h in history[-10:]]).mean()
    entropy = torch.stack([h.teacher_entropy for h in history[-10:]]).mean()
    # A batch shows four vehicles: the same answer to all of them would be a diversity of 0, one each log 4.
    assert diversity > 0.5 * math.log(settings.sampler.identities)
    # And each answer is one: uniform ones would have log E.
    assert entropy < 0.5 * math.log(settings.ssl.outputs)


def test_mixed_precision_keeps_losses_and_weights_in_float32(
    table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    settings = tiny_settings(run={**tiny_settings().run.model_dump(), "precision": "bfloat16"})
    trainer = make_trainer(table, settings)
    seen = []
    trainer.student.encoder.model.backbone.layer1.register_forward_hook(lambda m, i, out: seen.append(out.dtype))
    losses, _ = trainer.train_step(trainer.maker[0])
    assert set(seen) == {torch.bfloat16}
    assert all(value.dtype == torch.float32 for value in losses)
    assert all(p.dtype == torch.float32 for p in trainer.student.parameters())


def test_clipping_bounds_the_step(table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture) -> None:
    trainer = make_trainer(table, tiny_settings(optimiser={"warmup_epochs": 0, "clip_gradient": 0.01}))
    _, norm = trainer.train_step(trainer.maker[0])
    clipped = torch.stack([p.grad.square().sum() for p in trainer.student.parameters()]).sum().sqrt()
    assert norm > 0.01
    assert clipped <= 0.0101


def test_a_loss_that_is_no_number_stops_the_run_with_a_mend(
    tmp_path: Path, table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    trainer = make_trainer(table, tiny_settings())
    with torch.no_grad():
        trainer.student.encoder.model.backbone.conv1.weight.fill_(torch.nan)
    with pytest.raises(InputError, match=r"at step 1: lower optimiser\.learning_rate"):
        trainer.run(tmp_path / "run")


def test_a_gradient_that_is_no_number_is_never_stored(
    tmp_path: Path, table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    run = {**tiny_settings().run.model_dump(), "log_every": 100, "save_every": 1}
    trainer = make_trainer(table, tiny_settings(run=run))
    trainer.student.classifier.bias.register_hook(lambda gradient: torch.full_like(gradient, torch.inf))
    with pytest.raises(InputError, match="gradient norm inf at step 1"):
        trainer.run(tmp_path / "run")
    assert not (tmp_path / "run" / "state.safetensors").exists()


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("channels_last", [True, False])
def test_optimisers_and_layouts(
    table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture, name: str, channels_last: bool
) -> None:
    run = {**tiny_settings().run.model_dump(), "channels_last": channels_last}
    trainer = make_trainer(table, tiny_settings(optimiser={"name": name, "warmup_epochs": 0}, run=run))
    before = _weights(trainer)
    trainer.train_step(trainer.maker[0])
    after = _weights(trainer)
    assert not torch.equal(
        before["student.encoder.model.backbone.conv1.weight"], after["student.encoder.model.backbone.conv1.weight"]
    )


def test_local_views_may_be_none_and_rmse_replaces_the_cross_entropy(
    table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture
) -> None:
    trainer = make_trainer(table, tiny_settings(views={"local": 0}))
    assert trainer.train_step(trainer.maker[0])[0].self_supervision > 0
    variant = make_trainer(table, tiny_settings(ssl={"hidden": [16], "outputs": 8, "objective": "rmse"}))
    assert 0 < variant.train_step(variant.maker[0])[0].self_supervision < 20


def test_no_training_images(tiny_settings: Fixture, make_trainer: Fixture) -> None:
    with pytest.raises(InputError, match="no training images"):
        make_trainer(ImageTable.empty(), tiny_settings())


def test_progress_is_logged_with_losses_speed_and_time_left(
    table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = make_trainer(table, tiny_settings())
    with caplog.at_level("INFO", logger="reid.training"):
        trainer.run(tmp_path / "run", until=3)
    lines = [message for message in caplog.messages if message.startswith("step ")]
    assert len(lines) == 2, "the first step at once, then every ten seconds, and the last"
    losses = ", ".join(rf"{name} [\d.]+" for name in ("total", "classification", "triplet", "self_supervision"))
    pattern = rf"step 3 of 3: {losses}; [\d.]+ images/s, 0:00:00 left"
    assert re.fullmatch(pattern, lines[-1])


def test_auto_precision_is_resolved_once_and_stored(
    table: ImageTable, tiny_settings: Fixture, make_trainer: Fixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = {**tiny_settings().run.model_dump(), "precision": "auto"}
    monkeypatch.setattr("reid.training.precision.fastest_cpu_precision", lambda: "float32")
    trainer = make_trainer(table, tiny_settings(run=run))
    assert trainer.settings.run.precision == trainer.objective.settings.run.precision == "float32"
    trainer.save(tmp_path / "state.safetensors")
    monkeypatch.setattr("reid.training.precision.fastest_cpu_precision", lambda: "bfloat16")
    with pytest.raises(InputError, match=r"run\.precision was 'float32', now 'bfloat16'"):
        make_trainer(table, tiny_settings(run=run)).resume(tmp_path / "state.safetensors")
