# SPDX-License-Identifier: Apache-2.0
"""The packages of the wheel: the engine as it lies under _utils, and the loader directories under the engine's name."""

from setuptools import find_packages, setup

LOADERS = {
    "ssmpatchlib.beacons": "_beacons",
    "ssmpatchlib.modules": "_modules",
    "ssmpatchlib.output": "_output",
    "ssmpatchlib.runners": "_runners",
    "ssmpatchlib.states": "_states",
}

setup(
    packages=[*find_packages("_utils"), *LOADERS],
    package_dir={"ssmpatchlib": "_utils/ssmpatchlib", **LOADERS},
)
