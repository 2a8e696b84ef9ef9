"""Replay a scenario as if its cameras were running, and print every answer.

    python examples/live_replay.py [SCENARIO]

For cameras of your own, make the plan with `plan_site(read_site(Path("SITE.yaml")), settings, time.time())`.
"""

import math
import sys
from pathlib import Path

import mtmc
from mtmc.config import make_settings
from mtmc.interface.running import default_detector
from mtmc.online.association_window import AssociationWindow
from mtmc.online.live_site import LiveSite, plan_replay

scenario = mtmc.load_scenario(sys.argv[1] if len(sys.argv) > 1 else "sim-S06")
settings = make_settings({})
plan = plan_replay(
    scenario,
    speed=math.inf,
    detector=default_detector(scenario),
    extractor="baseline",
    settings=settings,
    store=Path("live") / scenario.name,
)
names = [camera.name for camera in scenario.cameras]

with LiveSite(plan, lambda: AssociationWindow(names, settings, ground=plan.ground)) as site:
    for event in site.events():
        track = f"{event.camera} {event.track}" if event.camera else ""
        print(f"{event.seconds:8.1f} s  {event.kind:9} {track:10} {event.identity or ''}")
