# SPDX-License-Identifier: Apache-2.0
"""Configuration of the documentation: Markdown pages, and a reference read off the loader modules themselves."""

import importlib.util
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "_utils"))

import ssmpatchlib  # noqa: E402 - needs the path above

project = "ssmpatch"
author = "The ssmpatch authors"
project_copyright = "The ssmpatch authors"
version = release = ssmpatchlib.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "examples"]
nitpicky = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
add_module_names = False
python_use_unqualified_type_names = True
highlight_language = "none"

html_theme = "furo"
html_title = f"ssmpatch {release}"
html_static_path: list[str] = []


def _load(name: str, path: Path) -> None:
    """Make a loader module importable: they are all called ssmpatch, and their directories are no packages."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    for inside, outside in getattr(module, "__func_alias__", {}).items():
        function = module.__dict__.pop(inside)
        function.__name__ = function.__qualname__ = outside
        setattr(module, outside, function)


# The execution module keeps the name by which the others refer to it.
_load("ssmpatch", REPO / "_modules" / "ssmpatch.py")
for loader in ("state", "runner", "beacon"):
    source = REPO / f"_{loader}s" / "ssmpatch.py"
    if source.exists():
        _load(f"ssmpatch_{loader}", source)
