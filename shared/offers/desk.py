"""Where officers' decisions about offers are kept and told: the row and its event, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.auth import Principal
from shared.contracts import Posting
from shared.messaging.outbox import emit
from shared.offers.domain import Offer, Terms
from shared.offers.store import OfferStore
from shared.web.etags import stale
from shared.web.problems import Problem, not_found

T = TypeVar("T", bound=Terms)


class Desk(Generic[T]):
    """One service's desk. `what` names an offer in problems, `source` the service in events."""

    def __init__(
        self, what: str, *, source: str, store: OfferStore[T], as_posting: Callable[[Offer[T]], Posting]
    ) -> None:
        self._what, self._source, self._store, self._as_posting = what, source, store, as_posting

    async def find(self, tx: AsyncConnection, id_: UUID) -> Offer[T]:
        """The offer, for anybody. Raises a 404 problem."""
        offer = await self._store.get(tx, id_)
        if offer is None:
            raise not_found(self._what)
        return offer

    async def take(self, tx: AsyncConnection, id_: UUID, officer: Principal, *, version: int | None = None) -> Offer[T]:
        """The offer, locked; only its own institution may change it. 404, 403, and 412 where `version` is not current."""
        offer = await self._store.get(tx, id_, for_update=True)
        if offer is None:
            raise not_found(self._what)
        if offer.institution != officer.institution:
            raise Problem(
                403, "not-yours", f"다른 기관이 올린 것입니다 / This {self._what} belongs to another institution"
            )
        if version is not None and version != offer.version:
            raise stale(offer.version)
        return offer

    async def open(self, tx: AsyncConnection, offer: Offer[T]) -> None:
        await self._store.add(tx, offer)
        await self._tell(tx, offer)

    async def change(self, tx: AsyncConnection, before: Offer[T], after: Offer[T]) -> None:
        """Nothing is written or told when nothing changed."""
        if after.version != before.version:
            await self._store.save(tx, after)
            await self._tell(tx, after)

    async def _tell(self, tx: AsyncConnection, offer: Offer[T]) -> None:
        await emit(tx, self._as_posting(offer), source=self._source, now=offer.changed_at)
