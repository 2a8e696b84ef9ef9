"""Our own association: links and evidence learned from the run, behind the interface of all methods."""

from __future__ import annotations

from collections.abc import Sequence

from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import Association, associate
from mtmc.association.interface import refuse_constraints
from mtmc.association.links_file import Links
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, summarise
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.tracking.parked import parked
from mtmc.tracking.reliable_span import reliable_span
from mtmc.tracking.repair_settings import RepairSettings
from mtmc.tracking.tracks import Tracks


class LearnedAssociation:
    """Weighs travel times, appearance and other evidence, all learned from the run itself; see docs/association.md."""

    def __init__(self, settings: AssociationSettings | None = None, repair: RepairSettings | None = None) -> None:
        """Keep the settings; of `repair` only those that say which tracks are parked. None: the defaults."""
        self._settings = settings or AssociationSettings()
        self._repair = repair or RepairSettings()

    def associate(
        self,
        tracks: Sequence[Tracks],
        features: Sequence[TrackFeatures | None],
        scenario: Scenario,
        links: Links | None = None,
        constraints: None = None,
    ) -> Association:
        """See `mtmc.association.interface.AssociationMethod`; without `links` they are learned."""
        refuse_constraints(constraints, "learned")
        cameras = [
            camera_tracks(*parts, settings=self._settings, repair=self._repair)
            for parts in zip(scenario.cameras, tracks, features, strict=True)
        ]
        return associate(summarise(cameras), links, self._settings)


def camera_tracks(
    camera: Camera,
    tracks: Tracks,
    features: TrackFeatures | None,
    *,
    settings: AssociationSettings,
    repair: RepairSettings,
) -> CameraTracks:
    """What association knows of a camera: the reliable spans of its tracks, which of them are parked, and features."""
    return CameraTracks(
        camera.name,
        reliable_span(tracks, camera.clock) if settings.reliable_spans else tracks,
        camera.clock,
        camera.width,
        camera.height,
        camera.frame_count,
        camera.ground,
        features,
        parked(tracks, camera.clock, repair),
    )
