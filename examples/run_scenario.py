"""Run a scenario with both shipped extractors, and ask where each vehicle went.

    python examples/run_scenario.py [SCENARIO] [DATA_ROOT]

Without arguments: the embedded scenario, which is simulated and needs no data.
"""

import sys

import mtmc

name = sys.argv[1] if len(sys.argv) > 1 else "sim-S06"
data_root = sys.argv[2] if len(sys.argv) > 2 else None

scenario = mtmc.load_scenario(name, data_root, progress=True)
result = mtmc.run_scenario(scenario, reid=["baseline", "ssbver"], progress=True)

print(result.table())  # IDF1, IDP, IDR of each extractor
print(result.identities)  # one row per vehicle: which cameras saw it, and when
report = result.write(f"runs/{scenario.name}")
print(f"{len(result.tracks)} boxes of vehicles; the report is {report}")
