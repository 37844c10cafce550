"""The site: Sphinx reads the pages here as they are on GitHub, and adds the API, the gallery and the notebooks."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_site"))
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

api = import_module("api")
pages = import_module("pages")

project = "stemscan"
author = "The stemscan developers"
copyright = "2026, The stemscan developers"
release = import_module("stemscan").__version__
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_site", "gallery/*.ipynb", "gallery/*.py", "gallery/**/*.ipynb"]
templates_path = ["_site/templates"]
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!stemscan).*"),
    (r"py:.*", r"stemscan\.types\..*"),
]  # others are not looked up: offline
suppress_warnings = ["config.cache", "myst.header"]  # functions among settings; tables that an evaluation wrote

myst_enable_extensions = ["colon_fence", "deflist", "html_image"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_in_temp = True
nb_execution_timeout = 180
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
nb_execution_excludepatterns = ["gallery/*"]
nb_merge_streams = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = "stemscan"
html_static_path = ["_site/static"]
html_css_files = ["stemscan.css"]
html_show_sourcelink = False
html_last_updated_fmt = None
html_theme_options = {
    "show_nav_level": 2,
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
}
html_sidebars = {"index": [], "start": []}

sphinx_gallery_conf = {
    "examples_dirs": str(pages.copy_examples(HERE.parent / "examples" / "gallery", HERE / "_build" / "examples")),
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "download_all_examples": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "reference_url": {"stemscan": None},
    "doc_module": ("stemscan",),
    "backreferences_dir": "api/examples",
    "show_memory": False,
    "write_computation_times": False,
    "matplotlib_animations": False,
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("matplotlib", pages.clean_folder),
    "within_subsection_order": "FileNameSortKey",
}


def setup(app: object) -> None:
    """Write the pages that are made before Sphinx looks for pages."""
    api.write_pages(HERE)
    pages.write_project_pages(HERE)
    app.connect("source-read", pages.as_on_the_site)  # type: ignore[attr-defined]
