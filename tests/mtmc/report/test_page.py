"""The report's page: whole, self-contained, errors first, safe with any text, bounded in size."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from mtmc.report.data import CameraInfo, ExtractorResult, LinkInfo, ReportData, TrackTable
from mtmc.report.page import render_report, write_report
from mtmc.report.pictures import PictureLimits
from mtmc.report.view import ViewLimits

ReportMaker = Callable[..., ReportData]

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Outline(HTMLParser):
    """Collects tags, attributes and visible text, and checks that tags are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "script" not in self.open and data.strip():
            self.texts.append(" ".join(data.split()))

    def ids(self) -> list[str]:
        return [found for _, attributes in self.tags if (found := attributes.get("id"))]


def test_the_page_needs_nothing_but_itself(make_fake_report: ReportMaker, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "report.html"
    write_report(path, make_fake_report())
    page = path.read_text(encoding="utf-8")
    outline = Outline(page)
    for _, attributes in outline.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), value
    assert "@import" not in page
    for address in re.findall(r"url\(([^)]*)\)", page):
        assert address.startswith(("data:image/jpeg;base64,", "#")), address[:60]
    assert not re.search(r"https?://", re.sub(r"base64,[A-Za-z0-9+/=]*", "", page))
    assert list(path.parent.iterdir()) == [path], "nothing half-written is left beside it"


def test_the_page_forbids_scripts_that_it_did_not_bring(make_fake_report: ReportMaker) -> None:
    page = render_report(make_fake_report(3))
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.replace("&#39;", "'")


def test_views_that_overlap_are_told_with_and_without_links(make_fake_report: ReportMaker) -> None:
    data = replace(make_fake_report(), overlapping_views=[("c001", "c002"), ("c002", "c003")])
    for shown in (data, replace(data, links=[])):
        assert "c001 and c002, c002 and c003" in " ".join(Outline(render_report(shown)).texts)
    assert "Overlapping fields of view" not in render_report(make_fake_report())


def test_ids_are_unique_and_links_lead_somewhere(make_fake_report: ReportMaker) -> None:
    outline = Outline(render_report(make_fake_report()))
    ids = outline.ids()
    assert len(ids) == len(set(ids))
    for _, attributes in outline.tags:
        target = attributes.get("href") or ""
        assert not target.startswith("#") or target[1:] in ids, target


def test_every_identity_has_a_row_and_a_card_for_each_extractor(make_fake_report: ReportMaker) -> None:
    data = make_fake_report()
    ids = set(Outline(render_report(data)).ids())
    for n, extractor in enumerate(data.extractors):
        for identity in np.unique(extractor.identity[extractor.identity >= 0]):
            assert f"x{n}i{identity}" in ids


def test_scores_and_differences_stand_in_the_table(make_fake_report: ReportMaker) -> None:
    texts = Outline(render_report(make_fake_report())).texts
    for expected in ("66.00", "83.00", "+17.00", "baseline", "ssbver", "simulated data"):
        assert expected in texts


def test_a_loss_against_the_first_extractor_is_told_with_its_sign(make_fake_report: ReportMaker) -> None:
    data = make_fake_report()
    data = replace(data, extractors=list(reversed(data.extractors)))
    assert "−17.00" in Outline(render_report(data)).texts


def test_errors_stand_before_the_timeline(make_fake_report: ReportMaker) -> None:
    page = render_report(make_fake_report())
    assert page.index('id="errors0"') < page.index('id="timeline0"') < page.index('id="identities0"')
    assert page.index("<h2>Wrong merges") < page.index("<h2>Splits")


def _pair(identity: list[int], truth: list[int] | None, scores: dict[str, float | None] | None) -> ReportData:
    """Two cameras, two tracks each."""
    tracks = TrackTable.of(
        [0, 0, 1, 1], [1, 2, 1, 2], [0, 5, 20, 25], [4, 9, 24, 29], [1, 51, 1, 51], [41, 91, 41, 91], [40] * 4, truth
    )
    cameras = [CameraInfo(name, 960, 540, 10.0, 0.0, 60.0, 600) for name in ("c041", "c042")]
    return ReportData(
        "S02", False, "2026-11-22", cameras, tracks, [ExtractorResult("a", np.array(identity, np.int32), scores)]
    )


def test_merges_and_splits_name_their_vehicles_and_identities() -> None:
    page = render_report(_pair([5, 5, 6, 5], [1, 2, 1, 2], {"idf1": 0.5}))
    errors = page[page.index('id="errors0"') : page.index('id="timeline0"')]
    texts = Outline(errors[errors.index("<h2>") : errors.rindex("</section>")]).texts
    assert "1 identity holds more than one vehicle" in texts and "Identity 5" in texts
    assert "vehicle 2" in texts and "vehicle 1" in texts
    assert "1 vehicle is in more than one identity" in texts and "Vehicle 1" in texts
    assert "identity 6" in texts


def test_a_perfect_run_says_so() -> None:
    texts = Outline(render_report(_pair([5, 6, 5, 6], [1, 2, 1, 2], {"idf1": 1.0}))).texts
    assert "No identity holds more than one vehicle." in texts
    assert "No vehicle is in more than one identity." in texts
    assert "simulated data" not in texts


def test_without_ground_truth_the_row_says_so_and_nothing_is_judged() -> None:
    page = render_report(_pair([5, 6, 5, -1], None, None))
    texts = Outline(page).texts
    assert "no ground truth" in texts
    assert 'id="errors0"' not in page and "Wrong merges" not in texts
    assert any("1 (a)" in text for text in texts), "tracks without identity are counted"


def test_what_another_extractor_fixes_and_breaks_is_told() -> None:
    data = _pair([5, 5, 6, 5], [1, 2, 1, 2], {"idf1": 0.5})
    other = ExtractorResult("b", np.array([5, 6, 5, 6], np.int32), {"idf1": 1.0})
    texts = Outline(render_report(replace(data, extractors=[*data.extractors, other]))).texts
    assert "Fixed by b: 2 vehicles" in texts and "Broken by b: 0 vehicles" in texts
    texts = Outline(render_report(replace(data, extractors=[other, *data.extractors]))).texts
    assert "Fixed by a: 0 vehicles" in texts and "Broken by a: 2 vehicles" in texts


def test_vehicles_that_no_track_follows_are_listed() -> None:
    data = replace(_pair([5, 6, 5, 6], [1, 2, 1, 2], {"idf1": 0.9}), truth_lengths={(1, 0): 40, (9, 1): 25})
    texts = Outline(render_report(data)).texts
    assert "vehicle 9 in c042, 25 boxes" in texts
    assert any("vehicles without any track: 1 of 2" in text for text in texts)


def test_losses_are_told(make_fake_report: ReportMaker) -> None:
    texts = Outline(render_report(make_fake_report())).texts
    assert "1 left out: c046; 7 broken frames in c042" in texts
    assert "cannot be opened: Invalid data found" in texts
    assert "nothing was lost" in Outline(render_report(_pair([5, 6, 5, 6], None, None))).texts


def test_text_from_outside_is_shown_never_run(make_fake_report: ReportMaker) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    data = make_fake_report(4)
    data = replace(
        data,
        scenario=evil,
        command=evil,
        cameras=[replace(camera, name=f"{evil}{i}", missing=evil) for i, camera in enumerate(data.cameras)],
        extractors=[replace(extractor, name=evil) for extractor in data.extractors],
        links=[LinkInfo(f"{evil}0", f"{evil}1", 3, np.arange(3.0), np.array([1.0, 2.0]), evil, evil)],
        stages=[replace(stage, name=evil, part=evil) for stage in data.stages],
        summary={evil: evil},
        configuration={evil: [evil]},
        versions={evil: evil},
    )
    outline = Outline(render_report(data))
    assert [tag for tag, _ in outline.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in outline.tags]
    assert not any(name.startswith("on") for _, attributes in outline.tags for name in attributes)


def test_the_page_stays_bounded(make_fake_report: ReportMaker) -> None:
    data = make_fake_report(30, pictures=4)
    page = render_report(
        data,
        view_limits=ViewLimits(identities=10, errors=2),
        picture_limits=PictureLimits(height=48, total_bytes=30_000),
    )
    assert len(page) < 300_000
    assert len(re.findall(r"<tr style=", page)) == 10 * len(data.extractors)
    assert "more identities" in page and "are not shown" in page
    whole = render_report(data)
    assert whole.count("data:image/jpeg") <= 3 * len(data.tracks), "each picture is stored once for all extractors"


def test_everything_in_one_identity_is_still_a_readable_page(make_fake_report: ReportMaker) -> None:
    data = make_fake_report(30, pictures=1)
    one = ExtractorResult("one", np.ones(len(data.tracks), np.int32), {"idf1": 0.02})
    page = render_report(replace(data, extractors=[one]))
    assert "more tracks" in page or "more vehicles" in page
    assert page.count('<article class="error') == 1


@pytest.mark.parametrize("cameras", [1, 2])
def test_few_cameras_and_no_tracks(make_fake_report: ReportMaker, cameras: int) -> None:
    data = make_fake_report(3, cameras)
    empty = replace(
        data,
        tracks=TrackTable.empty(),
        crops={},
        extractors=[ExtractorResult("a", np.zeros(0, np.int32), {"idf1": None})],
    )
    assert "No vehicle was followed." in Outline(render_report(empty)).texts
    Outline(render_report(data))


def test_no_cameras_at_all() -> None:
    data = ReportData("x", False, "now", [], TrackTable.empty(), [ExtractorResult("none", np.zeros(0, np.int32))])
    assert "No vehicle was followed." in Outline(render_report(data)).texts


def test_figures_that_are_not_defined_are_dashes() -> None:
    nan = float("nan")
    link = LinkInfo("c041", "c042", 0.0, np.array([0.0, 1.0]), np.array([0.0]))
    result = ExtractorResult("a", np.array([1, 2, 1, 2], np.int32), {"idf1": nan, "idp": 0.5}, {"c041": nan})
    data = replace(_pair([1, 2, 1, 2], [1, 2, 1, 2], None), links=[link], links_origin="learned", extractors=[result])
    texts = Outline(render_report(data)).texts
    assert "no travel times" in texts and "50.00" in texts
    assert not any("nan" in text.lower() for text in texts)
