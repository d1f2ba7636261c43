"""Whom a posting concerns wherever they are: by a home 동 chosen by hand (J1), or by a channel that they follow (N2).

No position is asked for and none is told by it, so consent to location has no say here. Citizens and postings are each
listed under their addresses: a 동, by its index in the district, or a channel, by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.engine.matches import FOLLOWING, HOME_DONG
from services.matching.engine.tables import I64, Table
from shared.contracts import Posting, Watch
from shared.geo import District

Address = int | str
I8 = NDArray[np.int8]


class Concerned(NamedTuple):
    """Pairs of a citizen's row and a posting's row, and the rule by which the one concerns the other."""

    citizens: I64
    postings: I64
    rules: I8

    def of_whom(self, chosen: NDArray[np.bool_]) -> Concerned:
        keep = chosen[self.citizens]
        return Concerned(self.citizens[keep], self.postings[keep], self.rules[keep])


def indices_of(codes: Iterable[str], district: District) -> set[int]:
    """The 동 of these codes, old or new, as indices; codes of elsewhere are none of ours."""
    return {district.index_by_code[code] for code in codes if code in district.index_by_code}


class Addresses:
    """Open postings by what they are addressed to."""

    def __init__(self, district: District) -> None:
        self._district = district
        self._of: dict[int, list[Address]] = {}
        self._at: dict[Address, set[int]] = {}

    def put(self, row: int, posting: Posting) -> None:
        self.drop(row)
        addresses: list[Address] = [*sorted(indices_of(posting.where.dongs, self._district))]
        if posting.audience.followers and posting.audience.channel is not None:
            addresses.append(posting.audience.channel)
        if addresses and posting.status == "open":
            self._of[row] = addresses
            for address in addresses:
                self._at.setdefault(address, set()).add(row)

    def drop(self, row: int) -> None:
        for address in self._of.pop(row, ()):
            self._at[address].discard(row)

    def of(self, row: int) -> list[Address]:
        return self._of.get(row, [])

    def at(self, address: Address) -> set[int]:
        return self._at.get(address, set())

    def rows(self) -> list[int]:
        return list(self._of)


class Residents:
    """Citizens by home 동, a bit each in their table's column, and by the channels that they follow."""

    def __init__(self, citizens: Table, district: District) -> None:
        self._table, self._district = citizens, district
        self._follows: dict[int, tuple[str, ...]] = {}
        self._followers: dict[str, set[int]] = {}

    def put(self, row: int, watch: Watch) -> None:
        self.drop(row)
        self._table.rows["homes"][row] = sum(1 << i for i in indices_of(watch.home_dongs, self._district))
        if watch.follows:
            self._follows[row] = watch.follows
            for channel in watch.follows:
                self._followers.setdefault(channel, set()).add(row)

    def drop(self, row: int) -> None:
        """Another worker has this citizen now, or settings that replace these follow."""
        self._table.rows["homes"][row] = 0
        for channel in self._follows.pop(row, ()):
            self._followers[channel].discard(row)

    def concerned_by(self, posting: int, addresses: Iterable[Address]) -> Concerned:
        """Everybody at these addresses of a posting; who is there twice is named under home 동 first."""
        homes, channels = 0, set[int]()
        for address in addresses:
            if isinstance(address, int):
                homes |= 1 << address
            else:
                channels |= self._followers.get(address, set())
        at_home = np.flatnonzero(self._table.rows["homes"][: self._table.size] & homes)
        following = np.fromiter(channels, np.int64, len(channels))
        citizens = np.concatenate([at_home, following])
        rules = np.repeat(np.array([HOME_DONG, FOLLOWING], np.int8), [len(at_home), len(following)])
        return Concerned(citizens, np.full(len(citizens), posting, np.int64), rules)

    def concerning(self, citizen: int, addresses: Addresses) -> Concerned:
        """Everything open that is addressed to one citizen."""
        homes = int(self._table.rows["homes"][citizen])
        found = [(row, HOME_DONG) for i in _bits(homes) for row in addresses.at(i)]
        found += [(row, FOLLOWING) for channel in self._follows.get(citizen, ()) for row in addresses.at(channel)]
        postings, rules = np.array([p for p, _ in found], np.int64), np.array([r for _, r in found], np.int8)
        return Concerned(np.full(len(found), citizen, np.int64), postings, rules)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
