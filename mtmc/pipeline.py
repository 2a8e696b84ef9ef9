"""The stages of a run in order: observe and embed, associate, evaluate; each reuses the results in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from safetensors.numpy import load_file, save_file

from common.cache import Cache, key_of
from common.code_version import code_version
from common.errors import InputError
from evaluation.boxes import Boxes
from evaluation.cityflow import filter_predictions, score_filtered
from evaluation.scoring import Score
from mtmc.appearance.extraction import Extraction
from mtmc.appearance.features import TrackFeatures
from mtmc.appearance.splitting import Cuts, split_tracks
from mtmc.association.choice import ASSOCIATIONS, DEFAULT_ASSOCIATION, association_key, make_association
from mtmc.association.confidence import Joins
from mtmc.association.constraints import Constraints, check_cameras, known_vehicles, locate, of_parts
from mtmc.association.constraints_file import read_constraints
from mtmc.association.interface import AssociationMethod, rows_of, takes_constraints
from mtmc.association.links_file import Links, read_links, write_links
from mtmc.config import PipelineSettings
from mtmc.execution.clips import StoredCrops, work_on_clips
from mtmc.execution.interface import Executor
from mtmc.identities import Identities, boxes_of, ground_truth_of, rois_of, score_by_own_rule
from mtmc.observation.preflight import check_given_boxes
from mtmc.observation.stage import Observation, Source
from mtmc.scenarios.scenario import Scenario
from mtmc.stage_log import StageLog
from mtmc.tracking.reliable_span import reliable_span
from mtmc.tracking.tracks import Tracks


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one extractor.

    Attributes:
        extraction: the extractor.
        checksum: digest of its weights, "" without weights.
        identities: the identity of every track, or of each part of a track that was split.
        links: zones and travel times, given or learned.
        boxes: the submission: by the official rules, only identities seen by at least two cameras.
        score: by CityFlow's rule; None without ground truth.
        own: by the rule of the data set, where it has one of its own: of every box that has an identity.
        own_submitted: the same of `boxes`.
        vectors: keys of the crops' vectors in the cache, one per camera; "" without appearance.
        joins: the joins that make up the identities, as rows of `identities`, with their probabilities.
        sure: (n,) float64, probability that the identity of each row is one vehicle; empty where the method does not
            tell, NaN for tracks that are no vehicle.
    """

    extraction: Extraction
    checksum: str
    identities: Identities
    links: Links
    boxes: Boxes
    score: Score | None
    own: Score | None = None
    own_submitted: Score | None = None
    vectors: tuple[str, ...] = ()
    joins: Joins = field(default_factory=Joins.empty)
    sure: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of all stages.

    Attributes:
        scenario: with the cameras that took part; the others are listed in `missing`.
        observations: one per camera.
        outcomes: one per extractor.
        truth: the ground truth; None where there is none.
        links_given: whether zones and links were given; otherwise each extractor's run learned its own.
        log: seconds of every stage.
        association: the method of association.
        constraints: what was given about single tracks, named by their numbers; None where nothing was.
    """

    scenario: Scenario
    observations: Sequence[Observation]
    outcomes: Sequence[Outcome]
    truth: Boxes | None
    links_given: bool
    log: StageLog
    association: str = DEFAULT_ASSOCIATION
    constraints: Constraints | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed or ignored in the input: clocks, files, networks of other projects."""
        return (*self.scenario.notes, *(note for outcome in self.outcomes for note in outcome.extraction.notes))


def run(
    scenario: Scenario,
    *,
    source: Source,
    extractions: Sequence[Extraction],
    settings: PipelineSettings,
    cache: Cache,
    links: Path | None,
    executor: Executor,
    console: Console,
    association: str = DEFAULT_ASSOCIATION,
    constraints: Path | Constraints | None = None,
) -> RunResult:
    """Run all stages on a scenario, up to the scores.

    Args:
        scenario: the cameras.
        source: where boxes come from.
        extractions: the extractors to compare.
        settings: of all stages.
        cache: where results of stages are kept.
        links: zones and links to use; None: the scenario's own, else learned.
        executor: where clips are worked on.
        console: where progress is shown.
        association: a name of `mtmc.association.choice.ASSOCIATIONS`, or `package.module:Class`.
        constraints: what the user knows about single tracks: a file, or a table.

    Raises:
        InputError: an input cannot be used.
    """
    log = StageLog(console)
    for note in scenario.notes:
        log.say(note)
    method = _method(association, settings)
    file = links or scenario.links
    # Read before the long work, so that a mistake in it shows at once.
    given = read_links(file, [*(c.name for c in scenario.cameras), *scenario.missing]) if file is not None else None
    known = _Given.of(constraints, scenario, method)
    check_given_boxes(scenario, source)
    scenario, observations, embedded = work_on_clips(
        scenario, source, extractions, settings=settings, cache=cache, executor=executor, log=log, console=console
    )
    log.tell("observe")
    truth, rois = ground_truth_of(scenario), rois_of(scenario.cameras)
    if given is not None:
        given = _among(given, [camera.name for camera in scenario.cameras])
    known = known.located(observations, log)
    outcomes = []
    for extraction, vectors in zip(extractions, embedded, strict=True):
        cuts = cut_tracks(extraction, observations, vectors.crops, settings=settings, log=log)
        found = _associate(
            extraction.name,
            method,
            scenario,
            observations,
            crops=vectors.crops,
            cuts=cuts,
            keys=vectors.keys,
            links=given,
            known=known,
            settings=settings,
            cache=cache,
            executor=executor,
            log=log,
        )
        with log.timed("evaluate", extraction.name):
            everything = boxes_of(scenario, [o.tracks for o in observations], found.identities)
            boxes, dropped = filter_predictions(everything, rois)
            score = score_filtered(truth, boxes, dropped) if truth is not None else None
            own, own_submitted = (
                score_by_own_rule(scenario, truth, rows) if truth is not None else None for rows in (everything, boxes)
            )
        outcomes.append(
            Outcome(
                extraction,
                extraction.checksum(settings.options.extractor),
                found.identities,
                found.links,
                boxes,
                score,
                own,
                own_submitted,
                vectors.keys,
                joins=found.joins,
                sure=found.sure,
            )
        )
    for stage in ("embed", "associate", "evaluate"):
        log.tell(stage)
    return RunResult(scenario, observations, outcomes, truth, given is not None, log, association, known.constraints)


def cut_tracks(
    extraction: Extraction,
    observations: Sequence[Observation],
    crops: Sequence[StoredCrops | None],
    *,
    settings: PipelineSettings,
    log: StageLog,
) -> list[Cuts]:
    """Where each camera's tracks switch to another vehicle; nowhere without crops."""
    known = [(o.tracks, c) for o, c in zip(observations, crops, strict=True) if c is not None]
    if not settings.embedding.split or len(known) < len(observations):
        return [Cuts.none() for _ in observations]
    with log.timed("embed", f"{extraction.name} split"):
        return split_tracks(known)


@dataclass(frozen=True)
class _Method:
    """A method of association, its name, and what decides its results."""

    name: str
    key: dict[str, Any]
    make: Callable[[], AssociationMethod]

    @cached_property
    def method(self) -> AssociationMethod:
        """Made when it is first needed: the packages of ours take seconds to import, for nothing if all is cached."""
        return self.make()

    def in_shards(self, settings: PipelineSettings, executor: Executor) -> AssociationMethod:
        """The method, which a scenario of many tracks is left to in parts."""
        from mtmc.sharding.sharded import ShardedAssociation

        return ShardedAssociation(
            self.method,
            settings.sharding,
            longest_travel=settings.association.longest_travel,
            # A user's object may not survive the way to another process.
            executor=executor if self.name in ASSOCIATIONS else None,
        )


def _method(name: str, settings: PipelineSettings) -> _Method:
    chosen: dict[str, Any] = {
        "learned": settings.association,
        "linkage": settings.linkage,
        "repair": settings.repair,
        "options": settings.options.association,
    }
    method = _Method(name, association_key(name, **chosen), partial(make_association, name, **chosen))
    if name not in ASSOCIATIONS or settings.options.association:
        _ = method.method  # a slip in the user's class or options shows before the long work
    return method


@dataclass(frozen=True, slots=True)
class _Associated:
    """What association gave; see `Outcome`."""

    identities: Identities
    links: Links
    joins: Joins
    sure: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Given:
    """Constraints of the user, None where there are none, and where they come from."""

    constraints: Constraints | None
    source: str = "constraints"

    @classmethod
    def of(cls, given: Path | Constraints | None, scenario: Scenario, method: _Method) -> _Given:
        """Read them; all that can be known before the first frame is checked."""
        if given is None:
            return cls(None)
        if not takes_constraints(method.method):
            raise InputError(f"--association {method.name}: takes no constraints; leave them out")
        if isinstance(given, Constraints):
            source, table = "constraints", given
        else:
            source, table = str(given), read_constraints(given)
        check_cameras(table, [*(camera.name for camera in scenario.cameras), *scenario.missing], source)
        return cls(table, source)

    def located(self, observations: Sequence[Observation], log: StageLog) -> _Given:
        """The constraints with the numbers of their tracks, without those that name a camera that was left out."""
        if self.constraints is None:
            return self
        tracks = {o.camera.name: o.tracks for o in observations}
        found = self.constraints.among(tracks)
        if len(found) < len(self.constraints):
            log.say(f"{self.source}: {len(self.constraints) - len(found)} constraints name cameras that were left out")
        return replace(self, constraints=locate(found, tracks, self.source))

    def of_parts(
        self, observations: Sequence[Observation], cuts: Sequence[Cuts], tracks: Sequence[Tracks]
    ) -> Constraints | None:
        """The same in terms of the parts that tracks were cut into."""
        if self.constraints is None:
            return None
        names = [o.camera.name for o in observations]
        return of_parts(self.constraints, dict(zip(names, cuts, strict=True)), dict(zip(names, tracks, strict=True)))

    def check(
        self, constraints: Constraints | None, observations: Sequence[Observation], tracks: Sequence[Tracks]
    ) -> None:
        """Raise for constraints that contradict each other or a physical fact."""
        if constraints is not None:
            cameras = [o.camera for o in observations]
            spans = [reliable_span(table, camera.clock) for table, camera in zip(tracks, cameras, strict=True)]
            known_vehicles(constraints, [camera.name for camera in cameras], spans, self.source)


def _associate(
    name: str,
    method: _Method,
    scenario: Scenario,
    observations: Sequence[Observation],
    *,
    crops: Sequence[StoredCrops | None],
    cuts: Sequence[Cuts],
    keys: Sequence[str],
    links: Links | None,
    known: _Given,
    settings: PipelineSettings,
    cache: Cache,
    executor: Executor,
    log: StageLog,
) -> _Associated:
    """The identity of every track or part of a track, how sure it is, and the links, given or learned."""
    tracks = [cut.apply(o.tracks) for cut, o in zip(cuts, observations, strict=True)]
    constraints = known.of_parts(observations, cuts, tracks)
    key = key_of(
        {
            "code": code_version("mtmc.appearance.splitting", "mtmc.association.constraints", "mtmc.sharding.sharded"),
            "method": method.key,
            "sharding": [settings.sharding.model_dump(), settings.association.longest_travel],
            "observations": [o.key for o in observations],
            "features": list(keys),
            "split": settings.embedding.split,
            "clocks": [[o.camera.clock.frames.tolist(), o.camera.clock.seconds.tolist()] for o in observations],
            "ground": [str(o.camera.ground) for o in observations],
            "links": links.model_dump() if links is not None else None,
            "constraints": constraints.key() if constraints is not None else None,
        }
    )
    if cache.find("associate", key) is None:
        with log.timed("associate", name, sum(len(np.unique(o.tracks.track)) for o in observations)):
            known.check(constraints, observations, tracks)
            features = [track_features(*parts) for parts in zip(cuts, crops, strict=True)]
            more = {} if constraints is None else {"constraints": constraints}
            association = method.in_shards(settings, executor).associate(tracks, features, scenario, links, **more)
        camera, part = rows_of(tracks)
        if len(association.identity) != len(part):
            raise InputError(
                f"--association {method.name}: gave {len(association.identity)} identities to {len(part)} tracks"
            )
        identity = np.where(association.dropped, -1, association.identity)
        track, since = part.copy(), np.zeros(len(part), np.int32)
        for index, cut in enumerate(cuts):
            mine = camera == index
            track[mine], since[mine] = cut.whole(part[mine])
        with cache.write("associate", key) as folder:
            columns = {"camera": camera, "track": track, "since": since, "identity": identity}
            save_file({k: np.asarray(v, np.int32) for k, v in columns.items()}, folder / "identities.safetensors")
            joins = association.joins
            rows = {"source": joins.source, "target": joins.target, "probability": joins.probability}
            save_file({**rows, "sure": association.sure}, folder / "confidence.safetensors")
            write_links(folder / "links.yaml", association.links)
    else:
        log.add("associate", name, 0.0, reused=True)
    folder = cache.folder("associate", key)
    confidence = load_file(folder / "confidence.safetensors")
    return _Associated(
        Identities(**load_file(folder / "identities.safetensors")),
        read_links(folder / "links.yaml"),
        Joins(confidence["source"], confidence["target"], confidence["probability"]),
        confidence["sure"],
    )


def _among(links: Links, cameras: Sequence[str]) -> Links:
    """The zones of these cameras and the links between them; the run may have left other cameras out."""
    zones = tuple(zone for zone in links.zones if zone.camera in cameras)
    names = {zone.name for zone in zones}
    within = tuple(k for k in links.links if {k.source, k.target} <= names)
    return links.model_copy(update={"zones": zones, "links": within})


def track_features(cuts: Cuts, crops: StoredCrops | None) -> TrackFeatures | None:
    """The features of one camera's tracks, which may have been cut; None without crops."""
    if crops is None:
        return None
    found = crops()
    return replace(found, track=cuts.part(found.track, found.frame)).by_track()
