"""The core: what a listener likes, who is alike, who should hear of a release.

No I/O, no clock, no settings: time is an argument.
"""
