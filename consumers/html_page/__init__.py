"""Answers as an HTML page: one file with plots, which needs no network.

::

    page.py           can one be written there, and writing it: base.html has the styles and what draws
    plots.py          what plots have in common, as Vega-Lite says it
    section.py        a part of a page, and the template (sections.html) of pages that are made of them
    lifecycle_page.py   where listeners are in their life, with the plots of lifecycle_plots.py
    release_page.py   what came of a release, with the plots of release_plots.py
"""
