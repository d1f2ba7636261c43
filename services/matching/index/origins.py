"""From how many places one person asks what is near (M10): whoever asks from many in a short time measures, not walks.

    origins:<citizen>    sorted set    ten bits of each cell of about 150 m that was asked from, by when; gone after the window

Ten bits are enough to count a few dozen cells and too few to name one: each stands for about ten of the district's
cells. The count lives where the index lives, so there is no answer without it: without Redis `nearby` has none either.
"""

from __future__ import annotations

from hashlib import blake2b

from redis.asyncio import Redis

ROWS, COLUMNS = 1 << 17, 1 << 18  # geohash precision 7: 153 m × 125 m at 35° N
BITS = 0x3FF
_ADMIT = """
local now, window, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= most then
    return tonumber(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]) + window - now
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], window)
return 0
"""


def key_of(citizen_id: str) -> str:
    return f"origins:{citizen_id}"


def mark_of(citizen_id: str, lat: float, lon: float) -> int:
    """Ten bits of the cell asked from, different ones for each citizen."""
    row, column = int((lat + 90) * ROWS / 180), int((lon + 180) * COLUMNS / 360)
    digest = blake2b(f"{citizen_id}\n{row}\n{column}".encode(), digest_size=2).digest()
    return int.from_bytes(digest) & BITS


async def wait_ms(
    redis: Redis, citizen_id: str, lat: float, lon: float, now_ms: int, *, most: int, window_ms: int
) -> int:
    """0 if the question may be answered, else when to ask again. Asking again from the same cells is always free."""
    arguments = (mark_of(citizen_id, lat, lon), now_ms, window_ms, most)
    told = await redis.eval(_ADMIT, 1, key_of(citizen_id), *arguments)
    return int(told)


async def forget(redis: Redis, citizen_id: str) -> None:
    await redis.delete(key_of(citizen_id))
