"""Settings of the association across cameras."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class AssociationSettings(Settings):
    """Settings that `associate` reads.

    The defaults are meant for every scenario. Each switch turns a single ingredient off, mainly for ablations.
    """

    threshold: float = Field(
        0.3,
        gt=0.0,
        lt=1.0,
        description="Probability above which two tracks are joined. Raising it joins fewer tracks, with fewer false "
        "joins. An F-measure such as IDF1 is maximised by a threshold of about half its own optimum, hence below 0.5.",
    )
    longest_travel: float = Field(
        240.0,
        gt=0.0,
        description="Longest travel time in seconds from leaving one camera to entering another. Raising it allows for "
        "more distant cameras but adds false candidates. Four minutes cover the cameras of one district.",
    )
    longest_overlap: float = Field(
        15.0,
        ge=0.0,
        description="How many seconds before the end of a track its successor in another camera may start. Raising it "
        "allows for wider overlaps between fields of view but adds false candidates. A vehicle rarely takes longer "
        "to cross an overlap.",
    )
    rounds: int = Field(
        12,
        ge=1,
        le=100,
        description="Rounds of expectation-maximisation that learn links and evidence from the run itself. Raising it "
        "costs time in proportion; the result settles before the twelfth round.",
    )
    candidate_budget: int = Field(
        3_000_000,
        ge=1,
        description="Largest number of candidate pairs. Above it, only pairs of similar appearance are kept or, "
        "without features or with yet more pairs, only links with a distinct travel time. Raising it prunes less and "
        "costs memory, about 500 bytes per pair; the default needs 1.5 GB.",
    )
    reliable_spans: bool = Field(
        True, description="Read times and places from the reliable span of a track, not from its doubtful ends."
    )
    appearance: bool = Field(True, description="Use appearance features, if there are any.")
    camera_mean: bool = Field(True, description="Subtract the mean feature of each camera and viewing direction.")
    joint_appearance: bool = Field(
        True,
        description="In scenarios of few tracks, few vehicles on each link and no overlapping views, compare the "
        "features of whole identities, not only of two tracks, and learn again from these identities (needs "
        "`local_search`); in scenarios of many tracks, those of chains of tracks.",
    )
    travel_time: bool = Field(True, description="Weigh a pair by the travel-time distribution of its link.")
    transitions: bool = Field(True, description="Weigh a pair by the share of vehicles that take its link.")
    u_turn_prior: bool = Field(
        True, description="Assume that a vehicle rarely returns to the camera that it came from."
    )
    zones: bool = Field(
        True, description="Cluster the entries and exits of a camera into zones by place and direction."
    )
    platoons: bool = Field(
        True, description="Expect a vehicle to travel about as long as those just ahead of it and behind it."
    )
    size: bool = Field(True, description="Compare the vehicles' sizes.")
    label: bool = Field(True, description="Compare the detector's classes.")
    lane: bool = Field(True, description="Compare the lanes in which the vehicles leave one camera and enter the next.")
    ground: bool = Field(True, description="Use positions on the ground, where cameras are calibrated.")
    overlapping_views: bool = Field(
        True,
        description="Find overlapping fields of view of uncalibrated cameras from vehicles that look and move alike.",
    )
    fragments: bool = Field(True, description="Rejoin fragments of one vehicle's track within a camera.")
    by_time: bool = Field(
        True,
        description="Without features, if links explain less than a third of the tracks, join the others of "
        "uncalibrated cameras by time alone. Most of these joins are wrong, and their probabilities say so; turn it "
        "off where cameras may share no vehicle.",
    )
    local_search: bool = Field(True, description="Improve the identities by merging, splitting and swapping tails.")


class LinkageSettings(Settings):
    """What `--association linkage` reads."""

    threshold: float = Field(
        0.5,
        gt=-1,
        lt=1,
        description="Mean cosine similarity from which two groups of tracks are one vehicle. Raising it joins fewer "
        "tracks. The best value differs between extractors and scenarios: 0.2 to 0.6 on small filmed ones, 0.7 on the "
        "simulated one.",
    )
    camera_mean: bool = Field(
        True,
        description="Subtract each camera's mean feature first, which takes its light and viewpoint out. Without it "
        "tracks of one camera look alike, and the best IDF1 is 2 to 30 points lower.",
    )
