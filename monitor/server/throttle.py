"""Wrong tokens are answered late: guessing costs time, knowing never does."""

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request

#: Wrong tokens in a row that cost nothing: people mistype.
FREE_FAILURES = 3
#: The first wait, doubled at each further failure up to the longest, seconds.
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
#: A caller whose last failure is so long ago begins anew, seconds.
FORGIVEN_S = 15 * 60.0
#: Callers that are remembered; the one that failed longest ago is forgotten first.
MOST_CALLERS = 1024
#: Wrong answers held back at a time; each is an open connection. More are answered at once.
MOST_WAITING = 64
#: An IPv6 caller owns at least so many bits of addresses.
IPV6_PREFIX = 64

_TOO_MANY = f"too many wrong tokens; the right one is always let in; wait {LONGEST_WAIT_S:g} s"


class Throttle:
    """Holds back the answers to wrong tokens, longer each time, for each caller.

    Only who has been found wrong comes here, so a right token is never slowed or locked out,
    whoever else guesses from the same address.

    Args:
        clock: seconds that never go back.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._pause = pause
        # Caller to failures in a row and when the last one was, the oldest first.
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = 0

    @property
    def callers(self) -> int:
        """How many are remembered."""
        return len(self._failures)

    async def hold(self, request: Request) -> None:
        """Wait as long as this caller's failures ask for.

        Raises:
            HTTPException: 429, at once, when too many answers are held back already.
        """
        wait_s = self.wait_s(caller_of(request.client.host if request.client else ""))
        if not wait_s:
            return
        if self._waiting >= MOST_WAITING:
            raise HTTPException(429, _TOO_MANY, {"Retry-After": f"{LONGEST_WAIT_S:.0f}"})
        self._waiting += 1
        try:
            await self._pause(wait_s)
        finally:
            self._waiting -= 1

    def wait_s(self, caller: str) -> float:
        """Count one more failure of `caller`; how long its answer is to wait, seconds."""
        now_s = self._clock()
        count, last_s = self._failures.pop(caller, (0, now_s))
        count = 1 if now_s - last_s > FORGIVEN_S else count + 1
        self._failures[caller] = count, now_s
        if len(self._failures) > MOST_CALLERS:
            self._failures.popitem(last=False)
        if count <= FREE_FAILURES:
            return 0.0
        doublings = min(count - FREE_FAILURES - 1, 16)  # enough to reach the longest
        return float(min(FIRST_WAIT_S * 2**doublings, LONGEST_WAIT_S))


def caller_of(host: str) -> str:
    """Who calls: the address, of IPv6 the network that one customer has whole."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return host
