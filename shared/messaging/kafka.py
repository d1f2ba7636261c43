"""Kafka clients with the settings that keep promises: idempotent, acknowledged by all, batched; offsets committed by hand."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

# Below the broker's `message.max.bytes` (1,048,588): what is too large is refused here, before it takes a sequence number.
MAX_RECORD_BYTES = 1_000_000
TRANSACTION_MS = 15_000


def producer(
    kafka_url: str,
    *,
    linger_ms: int = 5,
    client_id: str = "gwangsan",
    transactional_id: str | None = None,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> AIOKafkaProducer:
    """An idempotent producer (acks=all, no reordering on retry). Send, gather, and await every future.

    With a `transactional_id`, starting it fences off every earlier producer of that id and aborts what it left open.
    """
    return AIOKafkaProducer(
        bootstrap_servers=kafka_url,
        client_id=client_id,
        enable_idempotence=True,
        acks="all",
        linger_ms=linger_ms,
        max_batch_size=256 * 1024,
        max_request_size=max_record_bytes,
        compression_type="zstd",
        request_timeout_ms=10_000,
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_MS,
    )


def consumer(
    kafka_url: str, *, group: str | None, instance: str | None = None, max_records: int = 500
) -> AIOKafkaConsumer:
    """A consumer that never commits by itself. `instance` gives static membership: a restart is no rebalance.

    It reads what is committed: records of a relay's aborted transaction are never seen.
    """
    return AIOKafkaConsumer(
        bootstrap_servers=kafka_url,
        group_id=group,
        group_instance_id=instance,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_poll_records=max_records,
        max_poll_interval_ms=300_000,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=2_000,
        fetch_max_wait_ms=100,
        partition_assignment_strategy=(RangePartitionAssignor,),
    )


def admin(kafka_url: str) -> AIOKafkaAdminClient:
    return AIOKafkaAdminClient(bootstrap_servers=kafka_url, client_id="gwangsan-admin", request_timeout_ms=15_000)


__all__ = ["AIOKafkaConsumer", "AIOKafkaProducer", "ConsumerRebalanceListener", "admin", "consumer", "producer"]
