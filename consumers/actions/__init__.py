"""What a person may do to a running service; a command or a page asks for it, and none of it prints.

Apart from queries/, which change nothing and may be asked at any time, and from commands/, which parse
arguments and render.

::

    publish_release.py   a release into Kafka, and its audience read as it comes
    stop_release.py      a release stopped between its waves
    use_model.py         makes a snapshot serve, and follows the sweep that migrates listeners to it
    use_ctr_model.py     makes a CTR model serve
    merge_listeners.py   makes an id part of a listener, or one of its own again
    alias_artist.py      an id of an artist stands for another one, or for itself again
    forget_listener.py   erases a listener
    forget_segment.py    erases a labelled segment
    repair_sets.py       member sets, sizes and indexes as listeners' records say
"""
