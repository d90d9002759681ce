"""What a person may do to a running service; a command or a page asks for it, and none of it prints.

::

    publish_release.py   a release into Kafka, and its audience read as it comes
    use_model.py         a snapshot is made to serve, and listeners followed until all are moved to it
    forget_listener.py   a listener is erased

Apart from queries/, which change nothing and may be asked at any time, and from commands/, which parse
arguments and render.
"""
