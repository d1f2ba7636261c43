"""The matching engine: who is within reach of what, decided once per pair and urgency epoch. Pure: no I/O, no clock."""
