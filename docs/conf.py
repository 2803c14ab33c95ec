"""Sphinx configuration: `uv run --group docs sphinx-build -W docs docs/_build`."""

project = "Tacit"
author = "The Tacit authors"
copyright = "2026, The Tacit authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
exclude_patterns = ["_build"]

html_theme = "sphinx_book_theme"
html_title = "Tacit"
html_static_path: list[str] = []

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autoclass_content = "class"
myst_heading_anchors = 2
# Annotations name classes by their last name, which a protocol and a class may share.
suppress_warnings = ["ref.python"]
