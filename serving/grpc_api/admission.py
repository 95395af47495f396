"""Which calls are let in, and how many of them are being answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
from grpc_health.v1 import health

from serving.access.keys import REFUSAL, ApiKeys
from serving.grpc_api.methods import Answering

HEALTH = f"/{health.SERVICE_NAME}/"
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]]


class KeyInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls without an API key, of every service, before their messages are read."""

    def __init__(self, keys: ApiKeys, open_health: bool) -> None:
        self._keys, self._open_health = keys, open_health
        # A handler of streams answers at once, whatever kind of call it was.
        self._refusing = grpc.stream_stream_rpc_method_handler(_refuse)

    async def intercept_service(
        self, continuation: Continuation, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        """The method's own handler for a call with a key."""
        is_open = self._open_health and details.method.startswith(HEALTH)
        if is_open or self._keys.admits(details.invocation_metadata):
            return await continuation(details)
        return self._refusing


async def _refuse(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, REFUSAL)


class Running:
    """Counts the calls that have arrived as a whole and are not answered yet.

    gRPC's own count holds calls whose message is still coming, and health watches that never end:
    neither is a reason to wait when the server stops.
    """

    def __init__(self) -> None:
        self.count = 0

    def counted(self, answering: Answering) -> Answering:
        """The same, counted."""

        async def counting(data: bytes, deadline: float | None) -> bytes:
            self.count += 1
            try:
                return await answering(data, deadline)
            finally:
                self.count -= 1

        return counting
