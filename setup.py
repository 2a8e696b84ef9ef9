"""The list of packages; everything else about the distribution is in pyproject.toml.

`weights/` and `configs/` lie at the root of the repository and are installed as `common/shipped/weights` and
`common/shipped/configs`, where `common.resources` finds them. `pyproject.toml` cannot combine such a mapping with
automatic discovery of packages.
"""

from setuptools import find_packages, setup

SHIPPED = {"common.shipped.weights": "weights", "common.shipped.configs": "configs"}

setup(
    packages=[*find_packages(include=["common*", "evaluation*", "detection*", "reid*", "mtmc*"]), *SHIPPED],
    package_dir=SHIPPED,
    package_data={
        "": ["py.typed"],
        "mtmc": ["report/page/*", "web/static/*", "web/templates/*"],
        "common.shipped.weights": ["*.safetensors", "*.onnx", "*.json", "*.csv", "*.md"],
        "common.shipped.configs": ["**/*.yaml"],
    },
)
