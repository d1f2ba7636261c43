"""Delivery: alerts and digests carried to the phone and the mailbox. Added beside the others, which know nothing of it."""
