"""Train an extractor on with tracks: SSBVER's self-distillation, and the pairs that are known without labels."""

from __future__ import annotations

import copy
import logging
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from common.errors import InputError
from reid.adaptation.batches import RelatedBatches
from reid.adaptation.pairs import AnsweredPairs
from reid.adaptation.relations import Relations, relate
from reid.adaptation.settings import AdaptSettings
from reid.adaptation.tracks import TrackCrops
from reid.average import mix_states
from reid.embedding import embed_files
from reid.extractor import Extractor
from reid.images import RgbImage, UnreadableImage, read_image
from reid.models import ReidModel, normalise
from reid.training.batches import Batch, BatchMaker, ImageStore, iterate_batches
from reid.training.heads import SelfDistillationHead
from reid.training.losses import SelfDistillation, batch_hard_triplet
from reid.training.objective import Encoder
from reid.training.precision import training_precision
from reid.training.progress import Progress
from reid.training.schedules import teacher_temperature
from reid.training.teacher import MovingAverage, make_teacher
from reid.views import GLOBAL_VIEWS, make_views

log = logging.getLogger(__name__)

# Fewer held-out vehicles would make the check a matter of chance: then it uses the vehicles that are trained on.
_MIN_HELD_OUT = 6


@dataclass(frozen=True, slots=True)
class Adapted:
    """What an adaptation gives.

    Attributes:
        model: the adapted network, in evaluation mode; the start if no check was better.
        description: what it came from, for its card.
    """

    model: ReidModel
    description: dict[str, Any]


def adapt(
    model: ReidModel,
    crops: TrackCrops,
    settings: AdaptSettings | None = None,
    *,
    answered: AnsweredPairs | None = None,
    device: str = "cpu",
    workers: int = 1,
) -> Adapted:
    """Adapt an extractor to the cameras of a run, without labels, or with some answers about pairs of tracks.

    Positive pairs of the triplet loss are crops of one track, and of tracks of several cameras that agree (`relate`);
    negative pairs are only vehicles known to differ. SSBVER's self-distillation (equation 4) is added. The result is
    the mean of the start and of the teacher in the share `keep` (M. Wortsman et al., "Robust fine-tuning of zero-shot
    models", CVPR 2022), which keeps what the start knew.

    It stops when a check does not improve for `patience` checks, and takes the best one. The check is a mean reciprocal
    rank, over the crops of vehicles that are not trained on: the rank of the least similar of the crop's own augmented
    view and the vehicle's other crops, among the crops known to be of other vehicles.

    Args:
        model: the network to start from; left as it is.
        crops: the run's crops.
        settings: of the training.
        answered: pairs of tracks that somebody has compared, used beside those that are found.
        device: where it runs.
        workers: processes that prepare batches; 0: this one.

    Raises:
        InputError: the run has too few tracks that are seen at the same time, or answers contradict each other.
    """
    answered = answered or AnsweredPairs.none()
    settings = settings or AdaptSettings()
    torch.manual_seed(settings.seed)
    where = torch.device(device)
    vectors = _embed(model, crops, device)
    relations = relate(crops, vectors, settings.margin, answered)
    labels = relations.vehicle[np.unique(crops.track, return_inverse=True)[1]]
    log.info(
        "%d crops of %d tracks of %d cameras; %d pairs of tracks joined, %d pairs of vehicles known to differ",
        len(crops),
        len(relations.vehicle),
        len(np.unique(crops.camera)),
        relations.joined,
        len(relations.different),
    )
    trained, held_out = _divide(labels, relations, settings)
    check = _Check(crops, labels, relations, held_out, settings, model.config.image_size, device)
    batches = RelatedBatches(
        labels,
        relations,
        trained,
        identities=settings.vehicles,
        images=settings.images,
        seed=settings.seed,
    )
    maker = BatchMaker(
        ImageStore(crops.path.tolist(), 0.0 if workers else 4.0),
        labels,
        batches,
        settings.views if settings.self_supervision else settings.views.model_copy(update={"local": 0}),
        model.config.image_size,
    )
    training = _Training(copy.deepcopy(model).to(where), settings, where)
    start = {name: value.detach().clone() for name, value in model.to(where).state_dict().items()}
    best = first = check(model)
    best_state, best_step = {name: value.clone() for name, value in start.items()}, 0
    checks = [{"step": 0, "agreement": first}]
    log.info("step 0: agreement on the vehicles held out %.4f", first)
    progress, clock, unreadable = Progress(0, settings.steps), time.perf_counter(), set[str]()
    for step, batch in enumerate(iterate_batches(maker, 0, settings.steps, workers), start=1):
        unreadable.update(batch.unreadable)
        losses = training.step(batch, relations, step, settings.steps)
        if progress.is_due() or step == settings.steps:
            rate = step * len(batch.labels) / (time.perf_counter() - clock)
            progress.update(step, {**losses, "images_per_second": rate})
        if step % settings.check_every and step < settings.steps:
            continue
        merged = mix_states(start, training.teacher.model.state_dict(), settings.keep)
        value = check(_with_state(model, merged))
        checks.append({"step": step, "agreement": value})
        log.info("step %d: agreement on the vehicles held out %.4f", step, value)
        if value > best:
            best, best_state, best_step = value, merged, step
        elif step - best_step >= settings.patience * settings.check_every:
            log.info("no improvement since step %d: stopped", best_step)
            break
    if best_step == 0:
        log.warning("no step agreed more with the run than the start: the start is kept")
    description = {
        "method": "adapted",
        "steps": best_step,
        "checks": checks,
        "settings": settings.model_dump(mode="json"),
        "data": {
            "crops": len(crops),
            "tracks": len(relations.vehicle),
            "cameras": len(np.unique(crops.camera)),
            "joined_tracks": relations.joined,
            "pairs_answered_same": len(answered.same),
            "pairs_answered_different": len(answered.different),
            "pairs_known_to_differ": len(relations.different),
            "vehicles_trained_on": len(trained),
            "vehicles_held_out": 0 if held_out is trained else len(held_out),
            "unreadable": len(unreadable),
        },
        "seed": settings.seed,
    }
    return Adapted(_with_state(model, best_state).cpu().eval(), description)


class _Training:
    """Student, teacher and optimiser."""

    def __init__(self, model: ReidModel, settings: AdaptSettings, device: torch.device) -> None:
        self.settings, self.config, self.device = settings, model.config, device
        ssl = settings.ssl
        head = (
            SelfDistillationHead(model.dims, ssl.hidden, ssl.outputs, ssl.batch_norm)
            if settings.self_supervision
            else None
        )
        self.student = Encoder(model, head).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.teacher = make_teacher(self.student)
        observers = [part for part in (self.teacher.model.backbone, self.teacher.projection) if part is not None]
        self.average = MovingAverage(
            self.student, self.teacher, settings.momentum, observers=observers if settings.self_supervision else ()
        )
        self.distillation = (
            SelfDistillation(ssl.outputs, ssl.student_temperature, ssl.center_momentum, ssl.objective, ssl.pairs).to(
                device
            )
            if settings.self_supervision
            else None
        )
        self.parameters = [p for p in self.student.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(
            self.parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.bfloat16 = training_precision("auto", model.backbone, device) == "bfloat16"

    def step(self, batch: Batch, relations: Relations, step: int, steps: int) -> dict[str, float]:
        """One step; returns the losses."""
        settings = self.settings
        # Linear warm-up over a tenth of the steps, then a half cosine to 1 %.
        share = min(1.0, step / max(1.0, steps / 10)) * (0.505 + 0.495 * np.cos(np.pi * step / steps))
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * share
        views = normalise(batch.global_views.to(self.device), self.config)
        local = normalise(batch.local_views.to(self.device), self.config) if len(batch.local_views) else None
        labels = batch.labels.numpy()
        different = torch.from_numpy(relations.differ(np.tile(labels, GLOBAL_VIEWS))).to(self.device)
        same = batch.labels.repeat(GLOBAL_VIEWS).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            features = self.student.model(views)
            self.student.model.bottleneck(features)  # its statistics follow the new cameras
            logits = target = None
            if self.distillation is not None:
                everything = features if local is None else torch.cat((features, self.student.model(local)))
                logits = self.student.project(everything)
                with torch.no_grad():
                    target = self.teacher.project(self.teacher.model(views))
        triplet = batch_hard_triplet(features, same, different=different)
        total = settings.triplet * triplet
        values = {"triplet": float(triplet.detach())}
        if self.distillation is not None and logits is not None and target is not None:
            ssl, n = settings.ssl, len(labels)
            temperature = teacher_temperature(ssl.teacher_temperature, ssl.teacher_warmup_epochs, 1.0)
            distilled = self.distillation(
                logits.view(-1, n, logits.shape[1]), target.view(GLOBAL_VIEWS, n, -1), temperature
            )
            total = total + settings.self_supervision * distilled.loss
            values["self_supervision"] = float(distilled.loss.detach())
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, 10.0)
        self.optimiser.step()
        self.average.update()
        return {"total": float(total.detach()), **values}


class _Check:
    """How far a network agrees with what is known about vehicles; see `adapt`."""

    def __init__(
        self,
        crops: TrackCrops,
        labels: npt.NDArray[np.int64],
        relations: Relations,
        vehicles: npt.NDArray[np.int64],
        settings: AdaptSettings,
        size: tuple[int, int],
        device: str,
    ) -> None:
        rows = np.flatnonzero(np.isin(labels, vehicles))
        images = [_image(str(path), size) for path in crops.path[rows]]
        views = settings.views.model_copy(update={"local": 0})
        random = np.random.default_rng([settings.seed, 6])
        self._images = images + [make_views(image, views, size, random).global_views[0] for image in images]
        self._device = device
        self._different = relations.differ(labels[rows])
        self._same = labels[rows][:, None] == labels[rows]

    def __call__(self, model: ReidModel) -> float:
        vectors, own_views = np.split(_extractor(model, self._device).embed(self._images, "rgb"), 2)
        similarity = vectors @ vectors.T
        positives = similarity.copy()
        np.fill_diagonal(positives, (vectors * own_views).sum(axis=1))
        worst = np.where(self._same, positives, np.inf).min(axis=1)
        ahead = ((similarity >= worst[:, None]) & self._different).sum(axis=1)
        usable = self._different.any(axis=1)
        return float((1.0 / (1.0 + ahead[usable])).mean()) if usable.any() else 0.0


def _divide(
    labels: npt.NDArray[np.int64], relations: Relations, settings: AdaptSettings
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The vehicles to train on and those to check; the same ones if there are too few."""
    usable = np.unique(relations.different)
    if not len(usable):
        raise InputError("the run's tracks are never seen at the same time, so no vehicles are known to differ")
    count = int(settings.holdout * len(usable))
    if count < _MIN_HELD_OUT or len(usable) - count < settings.vehicles:
        log.warning("too few vehicles to hold some out: the check uses those that are trained on")
        return usable, usable
    # Whole neighbourhoods in time are held out: of vehicles that are never seen with each other a check learns nothing.
    chosen: list[int] = []
    for vehicle in np.random.default_rng([settings.seed, 5]).permutation(usable).tolist():
        if len(chosen) >= count:
            break
        pairs = relations.different[(relations.different == vehicle).any(axis=1)]
        chosen += [v for v in (vehicle, *np.unique(pairs).tolist()[:4]) if v not in chosen]
    held_out = np.array(sorted(chosen[:count]), np.int64)
    rest = np.setdiff1d(usable, held_out)
    pairs = relations.different[np.isin(relations.different, rest).all(axis=1)]
    return np.intersect1d(rest, pairs), held_out


def _embed(model: ReidModel, crops: TrackCrops, device: str) -> npt.NDArray[np.float32]:
    return embed_files(_extractor(model, device), crops.path.tolist()).vectors


def _extractor(model: ReidModel, device: str) -> Extractor:
    return Extractor.of_model(model.eval(), device, backend="torch", precision="float32")


def _image(path: str, size: tuple[int, int]) -> RgbImage:
    """An image, grey if it cannot be read."""
    try:
        return read_image(path)
    except UnreadableImage:
        return np.full((*size, 3), 128, np.uint8)


def _with_state(model: ReidModel, state: dict[str, torch.Tensor]) -> ReidModel:
    result = copy.deepcopy(model)
    result.load_state_dict(state)
    return result
