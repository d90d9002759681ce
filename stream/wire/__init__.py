"""What goes through Kafka.

::

    events.py     every event: what it must hold
      fields.py     the types of its fields
      record.py     an event with its place in Kafka
      parsing.py    reads events; why one is refused
      dead_letter.py  what becomes of one that is
      json_schemas.py  docs/schemas/
    composed.py   ids and names in one Unicode form
    where.py      conditions on listeners' traits, as events and commands say them
    topics.py     every topic: how it is made, whether it is as it should be
    groups.py     every consumer group: which process joins it, what it reads
    sender.py     the one sender
    consumer.py   the one consumer: committed records only, a broken batch as one record
    coordinator.py  membership of a group: offsets committed with their topic's id, partitions all known
    dead_members.py  who died on this machine leaves its group at once
    admin_client.py  the admin client, without what it leaves behind where no broker answers
    topic_watch.py a topic recreated, or of more partitions, is noticed
    connection.py how clients connect: where, over TLS or not, as whom
    schema_registry.py  Avro and Protobuf as JSON, by the schema that each value names
      protobuf_values.py  the Protobuf of it
    oauth.py     tokens for OAUTHBEARER
    diagnosis.py  why no broker answers
    deleted.py    tells of events that were deleted before they were read
    lag.py        how far consumer groups are behind, what topics hold
"""
