"""What a broker remembers from one fetch to the next (incremental fetch sessions, KIP-227).

A fetch names the partitions that changed, the answer those that have something new. Without, a client that waits for one fix
spells out all partitions and reads as many answers, each time. aiokafka has no sessions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.fetch import FetchRequest

Partition: TypeAlias = tuple[str, int]
Asked: TypeAlias = tuple[int, int]  # from which offset, at most how many bytes
Send: TypeAlias = Callable[[FetchRequest], Awaitable[Any]]

NONE, FIRST, LAST = 0, 0, (1 << 31) - 1
SINCE_VERSION = 7


class FetchSession:
    """With one broker, one fetch at a time. After a fault, and where the broker keeps no session, everything is asked for."""

    def __init__(self) -> None:
        self._id, self._epoch = NONE, FIRST
        self._known: dict[Partition, Asked] = {}

    async def fetch(self, request: FetchRequest, send: Send) -> Any:
        """The broker's answer; of partitions that have nothing new it says nothing."""
        wanted = {(topic, p): (offset, most) for topic, parts in request.topics for p, offset, most in parts}
        epoch, self._epoch = self._epoch, FIRST  # unless the answer says that the broker is as far as we are
        response = await send(self._next(request, wanted, epoch))
        if epoch != FIRST and response.error_code:  # the session is gone, or the broker another one
            epoch = FIRST
            response = await send(self._next(request, wanted, epoch))
        self._id = getattr(response, "session_id", NONE)
        if self._id != NONE and not response.error_code:
            self._epoch, self._known = epoch % LAST + 1, wanted
        return response

    def _next(self, request: FetchRequest, wanted: dict[Partition, Asked], epoch: int) -> FetchRequest:
        known = {} if epoch == FIRST else self._known
        changed = {where for where, asked in wanted.items() if known.get(where) != asked}
        return _Difference(request, self._id, epoch, changed, known.keys() - wanted.keys())


def remember_fetches(consumer: AIOKafkaConsumer) -> None:
    """Of a consumer that is about to start, or has: a session with every broker that it fetches from."""
    send, sessions = consumer._client.send, dict[int, FetchSession]()

    async def sent(node_id: int, request: Any, **how: Any) -> Any:
        if not isinstance(request, FetchRequest):
            return await send(node_id, request, **how)
        return await sessions.setdefault(node_id, FetchSession()).fetch(request, partial(send, node_id, **how))

    consumer._client.send = sent


class _Difference(FetchRequest):  # type: ignore[misc]
    """As much of a fetch as the broker does not know."""

    def __init__(
        self,
        whole: FetchRequest,
        session_id: int,
        epoch: int,
        changed: Collection[Partition],
        gone: Iterable[Partition],
    ) -> None:
        self._whole, self._session = whole, (session_id, epoch)
        self._changed, self._gone = changed, gone

    def build(self, kind: type[Any]) -> Any:
        built = self._whole.build(kind)
        if kind.API_VERSION >= SINCE_VERSION:
            built.session_id, built.session_epoch = self._session
            named = ((topic, [p for p in parts if (topic, p[0]) in self._changed]) for topic, parts in built.topics)
            built.topics = [(topic, parts) for topic, parts in named if parts]
            by_topic = groupby(sorted(self._gone), lambda where: where[0])
            built.forgotten_topics_data = [(topic, [p for _, p in ones]) for topic, ones in by_topic]
        return built
