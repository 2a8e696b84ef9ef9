"""Our own association: links and evidence learned from the run, behind the interface of all methods."""

from __future__ import annotations

from collections.abc import Sequence

from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import Association, associate
from mtmc.association.constraints import Constraints
from mtmc.association.interface import Vehicles
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
        constraints: Constraints | None = None,
    ) -> Association:
        """See `mtmc.association.interface.AssociationMethod`; without `links` they are learned."""
        vehicles = Vehicles.of_scenario(tracks, features, scenario, constraints)
        cameras = [
            camera_tracks(*parts, settings=self._settings, repair=self._repair)
            for parts in zip(scenario.cameras, vehicles.tracks, vehicles.features, strict=True)
        ]
        return vehicles.restored(associate(summarise(cameras), links, self._settings, vehicles.known))


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
