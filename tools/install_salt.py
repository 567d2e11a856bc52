# SPDX-License-Identifier: Apache-2.0
"""Install Salt into the environment of the running Python without a compiler: ``install_salt.py 'salt>=3008,<3009'``.

Salt asks for timelib, of which there is no built package for some Pythons, and does without it: it only helps to read
dates such as "next tuesday". So pip is given a package of that name with nothing in it; all else is pip's choice.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Higher than any real one, so that pip takes it.
VERSION = "9999"


def write_empty_package(directory: Path, name: str) -> None:
    """Write a wheel that has metadata only, so that an import still says that the module is missing."""
    info = f"{name}-{VERSION}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(directory / f"{name}-{VERSION}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)


def main() -> int:
    """Install what the command line names, and return pip's exit code."""
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as directory:
        write_empty_package(Path(directory), "timelib")
        return subprocess.run([*pip, "--find-links", directory, *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
