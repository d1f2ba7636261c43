"""Which partition a key goes to, as every Kafka client by default decides: murmur2 of the key."""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: str, partitions: int) -> int:
    """The partition of a record with this key on a topic with so many partitions."""
    hashed: int = murmur2(key.encode())
    return (hashed & 0x7FFFFFFF) % partitions
