# SPDX-License-Identifier: Apache-2.0
"""Without AWS nobody pays for it: boto3 is neither imported nor needed."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from support import apt_root
from support.aws.node import CASE

REPO = Path(__file__).resolve().parents[2]
ENGINE = REPO / "_utils"
LIBRARIES = ("boto3", "botocore", "s3transfer", "urllib3", "jmespath")

MODULES = """
import importlib, json, pathlib, sys
engine = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(engine))
names = sorted(
    ".".join(path.relative_to(engine).with_suffix("").parts).removesuffix(".__init__")
    for path in (engine / "ssmpatchlib").rglob("*.py")
)
for name in names:
    importlib.import_module(name)
print(json.dumps({"imported": len(names), "modules": sorted(sys.modules)}))
"""

SCAN = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib import api, config
settings = config.load(pillar=json.loads(sys.argv[2]))
report = api.scan(settings, caller=api.Caller())
print(json.dumps({"compliance": report["compliance"], "rows": len(report["patches"]), "modules": sorted(sys.modules)}))
"""

FAILING = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib import api, config
from ssmpatchlib.errors import SsmpatchError
settings = config.load(pillar=json.loads(sys.argv[2]))
try:
    api.scan(settings, caller=api.Caller())
except SsmpatchError as exc:
    print(exc)
"""


def run(python: Path | str, program: str, *arguments: str) -> str:
    done = subprocess.run(
        [str(python), "-c", program, str(ENGINE), *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded(output: str) -> set[str]:
    return {name.partition(".")[0] for name in json.loads(output)["modules"]} & set(LIBRARIES)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(apt_root.build(CASE, str(tmp_path_factory.mktemp("cost") / "root")))


@pytest.fixture(scope="module")
def without_boto3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with what Salt brings (yaml, distro) and nothing of AWS's."""
    place = tmp_path_factory.mktemp("venv")
    venv.EnvBuilder(symlinks=True, with_pip=False).create(place)
    (packages,) = (place / "lib").glob("python3*/site-packages")
    for name in ("PyYAML", "distro"):
        files = importlib.metadata.files(name) or []
        for top in {Path(str(path)).parts[0] for path in files if ".." not in str(path)}:
            source = Path(str(importlib.metadata.distribution(name).locate_file(top)))
            target = packages / top
            if source.exists() and not target.exists():
                target.symlink_to(source)
    python = place / "bin" / "python"
    probe = subprocess.run(
        [str(python), "-c", "import yaml, distro, boto3"], capture_output=True, text=True, timeout=60
    )
    assert "No module named 'boto3'" in probe.stderr
    return python


def pillar(root: Path, **more: object) -> str:
    return json.dumps({"root": str(root), "baseline": "default", **CASE["os"], **more})


def test_importing_every_module_imports_no_library_of_awss() -> None:
    output = run(sys.executable, MODULES)
    assert json.loads(output)["imported"] > 40
    assert loaded(output) == set()


def test_a_scan_without_aws_imports_no_library_of_awss(root: Path) -> None:
    output = run(sys.executable, SCAN, pillar(root))
    assert json.loads(output)["rows"] == 4
    assert loaded(output) == set()
    assert not [name for name in json.loads(output)["modules"] if name.startswith("ssmpatchlib.aws.")]


def test_a_scan_runs_where_boto3_is_not_installed(root: Path, without_boto3: Path) -> None:
    report = json.loads(run(without_boto3, SCAN, pillar(root)))
    assert (report["compliance"], report["rows"]) == ("NON_COMPLIANT", 4)


AWS = {"region": "eu-central-1", "instance_id": "i-0123456789abcdef0"}
SENTENCE = "AWS needs the Python library boto3, which {} cannot import; install it with: salt-pip install boto3"


@pytest.mark.parametrize(
    "given",
    [{"baseline": "aws", "aws": AWS}, {"aws": AWS, "baseline_override": "s3://bucket/override.json"}],
    ids=["baseline", "override"],
)
def test_what_needs_aws_says_what_to_install(root: Path, without_boto3: Path, given: dict[str, object]) -> None:
    assert SENTENCE.format(without_boto3) in run(without_boto3, FAILING, pillar(root, **given))


def test_a_report_waits_until_boto3_is_installed(root: Path, without_boto3: Path) -> None:
    program = SCAN.replace('"modules": sorted(sys.modules)', '"warnings": report["warnings"]')
    report = json.loads(run(without_boto3, program, pillar(root, aws=AWS)))
    assert report["rows"] == 4
    assert any(SENTENCE.format(without_boto3) in warning for warning in report["warnings"])
    assert [path.name[:10] for path in (root / "var/lib/ssmpatch/upload-queue").glob("*.json")] == ["inventory-"]
