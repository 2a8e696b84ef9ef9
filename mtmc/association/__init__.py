"""Association of tracks across cameras into identities."""

from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import Association, associate
from mtmc.association.links_file import Link, Links, TravelTime, Zone, read_links, write_links
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, GroundMap, TrackSummaries, summarise

__all__ = [
    "Association",
    "AssociationSettings",
    "CameraTracks",
    "GroundMap",
    "Link",
    "Links",
    "TrackFeatures",
    "TrackSummaries",
    "TravelTime",
    "Zone",
    "associate",
    "read_links",
    "summarise",
    "write_links",
]
