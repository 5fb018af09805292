"""Configuration of the documentation: Sphinx, PyData theme, MyST, numpydoc."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import tensorgrad  # noqa: E402
from docs.generate import catalogue_page, errata_page, executed_pages  # noqa: E402

project = "tensorgrad"
author = "The tensorgrad developers"
project_copyright = "2026, The tensorgrad developers"
release = version = tensorgrad.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "myst_parser",
    "numpydoc",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
root_doc = "index"
language = "en_GB"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# A page for each public module and each of its names, written at build time.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Names in single backquotes are references where they can be, else code.
default_role = "py:obj"

html_theme = "pydata_sphinx_theme"
html_title = "tensorgrad"
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
}
html_show_sourcelink = False


def _without_blank_ends(app: Any, page: str, source: list[str]) -> None:
    # Doctest needs a blank line between an output and the fence; readers do not.
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def _run_and_write(app: Any) -> None:
    # The tutorial is run and the claims are settled whenever the documentation is built:
    # neither can say what no longer holds.
    executed_pages.run_pages()
    errata_page.write()
    catalogue_page.write()


def setup(app: Any) -> None:
    app.connect("builder-inited", _run_and_write)
    app.connect("source-read", _without_blank_ends)
