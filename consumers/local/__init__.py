"""Everything on one machine.

::

    up.py              `refrain up`
    servers.py         which Kafka and Redis a command uses: the settings', else those of `refrain up`
    demo_settings.py   what the demo runs with
"""
