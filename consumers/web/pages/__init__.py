"""The page for people: rendered here, changed in place by htmx; nothing is loaded from another host.

::

    layout.py       what all pages have: templates, their words, who looks
    now.py          what goes on, live
    cohorts.py      cohorts on a map and in a list, and one of them
    desk.py         the release desk: whom a release would be for, publishing it
      desk_form.py    what was typed there, and what of it cannot be
    release.py      releases: the latest, and what becomes of one
    listener.py     listeners: what one likes, why where they are, what they were told; forgetting
    models.py       models, how well they predict, going back to an earlier one
    lifecycle.py    stages of listeners, and what is expected of them
    health.py       what the doctor says, which processes run
    sign_in.py      a key for a session, and back
    templates/      Jinja: what comes from outside is escaped
    static/         the style, a script that draws charts from their tables, libraries (vendor/)
"""
