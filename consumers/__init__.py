"""What starts, loops and stops: the processes, the applications, the command line.

::

    cli.py       the program `refrain`
    commands/    parse arguments, ask, render; nothing else
    queries/     what can be asked of a running service; changes nothing
    actions/     what a person may do to it: publish a release, use a model, merge or forget listeners
    terminal/    tables, progress bars, sentences, JSON
    html_page/   one HTML file with plots
    runtime/     what all processes share: startup, signals, logs, the live model, the supervisor

    ingest/      clicks into listeners     (`refrain ingest`)
    train/       clicks into models        (`refrain train`)
    work/        releases into audiences   (`refrain work`)
    traits/      what they are about to do  (`refrain traits`)
    deliver/     audiences to who has no Kafka  (`refrain deliver`)
    web/         a page for people, an API for programs  (`refrain serve`)

    local/       everything on one machine (`refrain up`)
    demo/        a world that listens and clicks
    doctor/      what is fine, what is not, what to do
    redrive/     dead letters put back
    replay/      history from files into a topic
    history/     history from files into Redis, by Spark
    export/      tables for a warehouse, in Parquet
    report/      where releases of the past should have gone, and who clicked there
    evaluate/    how well audiences find the listeners, on clicks in files
    churn/       how well it is predicted who does not come back, on history in files
"""
