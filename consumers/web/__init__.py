"""`refrain serve`: what can be asked and done, by HTTP, for programs and for people.

::

    process.py      listens until asked to stop
    app.py          the application: its routes, and what holds for all of them
      armour.py       how large a request may be, what a browser may do with an answer
      measured.py     requests counted and timed
      access.py       who asks, and whether they may
      rates.py        how often
      problems.py     errors as answers
    service.py      what requests share
      watch.py        what goes on, looked at once for everybody
      desk.py         what previews take from memory: listeners, names of artists
      shared.py       what takes long: worked out once for everybody who asks meanwhile
      lifecycles.py   the lifecycle of all listeners
      examination.py  what the doctor says
    api/            routes for programs
    pages/          pages for people
"""
