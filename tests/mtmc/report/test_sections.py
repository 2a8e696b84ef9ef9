"""The table of sections against the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from mtmc.report.data import JoinInfo, ReportData
from mtmc.report.page import render_report
from mtmc.report.sections import ABOVE, BELOW, PER_EXTRACTOR
from mtmc.report.sections.confidence import bins_of


def test_sections_stand_in_the_order_of_the_table_and_in_the_navigation(
    make_fake_report: Callable[..., ReportData],
) -> None:
    page = render_report(make_fake_report())
    per_extractor = [f"{section.name}{n}" for n in (0, 1) for section in PER_EXTRACTOR]
    assert re.findall(r'<section id="(\w+)">', page) == [
        *(section.name for section in ABOVE),
        *per_extractor,
        *(section.name for section in BELOW),
    ]
    navigation = re.search(r"<nav.*?</nav>", page, re.DOTALL)
    assert navigation is not None
    assert re.findall(r">([^<]+)</a>", navigation[0]) == [s.title for s in (*ABOVE, *PER_EXTRACTOR, *BELOW)]


def test_a_section_with_nothing_to_show_is_left_out(make_fake_report: Callable[..., ReportData]) -> None:
    page = render_report(replace(make_fake_report(truth=False, links=False), stages=()))
    assert re.findall(r'<section id="(\w+)">', page) == [
        *("scores", "timeline0", "identities0", "timeline1", "identities1", "cameras", "configuration")
    ]
    assert not {"#errors0", "#links", "#speed"} & set(re.findall(r'href="(#\w+)"', page))


def test_the_least_sure_joins_are_listed_and_judged_by_ground_truth(
    make_fake_report: Callable[..., ReportData],
) -> None:
    page = render_report(make_fake_report())
    section = page[page.index('<section id="confidence0">') :]
    section = section[: section.index("</section>")]
    assert "The 2 least sure joins" in section
    assert "<td>0.42</td><td>101</td>" in section and "wrong" in section and "right</td>" not in section
    joins = [
        JoinInfo(1, p, ("a", 1), ("b", 1), ok) for p, ok in ((0.91, True), (0.95, False), (1.0, None), (0.2, None))
    ]
    assert [(b.count, b.right) for b in bins_of(joins)] == [(1, None), (3, 0.5)]
