"""The page for people: rendered here, changed in place by htmx; nothing is loaded from another host.

::

    layout.py       what all pages have: templates, their words, who looks
    now.py          what goes on, live
    sign_in.py      a key for a session, and back
    templates/      Jinja: what comes from outside is escaped
    static/         the style, a script that draws charts from their tables, libraries (vendor/)
"""
