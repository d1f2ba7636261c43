"""Events in and out: CloudEvents on Kafka, the transactional outbox, the consumer boundary, dead letters."""
