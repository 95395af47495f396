"""Clients that nobody would want: the attacks of `benchmarks/attack.py`, in a process of their own.

    python -m benchmarks.attack_clients NAME:COUNT... --rest PORT --grpc PORT

prints `ready` when all of them have begun, goes on until its standard input ends, and prints as
JSON how often the clients of each name were told what: HTTP statuses, `closed` (without a word),
`reset`.

An attack is a coroutine of this module that `@attack` adds: it is given a `Target` and keeps at it.
No TensorFlow here: the process must be small and quick to start.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

PAUSE = 0.2
PIECE = 1 << 16
BEGIN_SECONDS = 30.0
# What is measured is clients that sit there, not the storm of their coming.
BEGINNING_A_SECOND = 1000
PATH = "/v1/models/text:predict"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: h\r\n".encode()
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CALL = "/tensorflow.serving.PredictionService/Predict"


@dataclass
class Target:
    """The server's ports, how many clients there are, what they have been told so far."""

    rest: int
    grpc: int
    count: int
    told: Counter[str] = field(default_factory=Counter)
    begun: int = 0

    async def each(self, client: Callable[[], Awaitable[None]]) -> None:
        """`count` clients, each of which begins anew some time after it ended."""

        async def again() -> None:
            await asyncio.sleep(random.random() * self.count / BEGINNING_A_SECOND)
            self.begun += 1
            while True:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await client()
                await asyncio.sleep(PAUSE + random.random())

        await asyncio.gather(*(again() for _ in range(self.count)))

    async def send(self, port: int, pieces: AsyncIterator[bytes]) -> None:
        """One connection: send while the server takes it, and hear what it says."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sending = asyncio.ensure_future(_send(writer, pieces))
        try:
            self.told[await _heard(reader)] += 1
        finally:
            sending.cancel()
            writer.close()


Attack = Callable[[Target], Awaitable[None]]
ATTACKS: dict[str, Attack] = {}


def attack(function: Attack) -> Attack:
    """Add an attack under its function's name."""
    ATTACKS[function.__name__] = function
    return function


async def _send(writer: asyncio.StreamWriter, pieces: AsyncIterator[bytes]) -> None:
    with contextlib.suppress(OSError):
        async for piece in pieces:
            writer.write(piece)
            await writer.drain()


async def _heard(reader: asyncio.StreamReader) -> str:
    """An HTTP status, `closed` or `reset`; waits for it."""
    try:
        line = await reader.read(PIECE)
        while await reader.read(PIECE):
            pass
    except OSError:
        return "reset"
    return line.split()[1].decode() if line.startswith(b"HTTP/1.1 ") else "closed"


async def once(piece: bytes) -> AsyncIterator[bytes]:
    """Send this, then nothing."""
    yield piece


async def without_end(first: bytes, rest: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    """Send this, then that again and again."""
    yield first
    while True:
        await asyncio.sleep(pause)
        yield rest


# The attacks ----------------------------------------------------------------------------------


@attack
async def silent(target: Target) -> None:
    """Connections that say nothing."""
    await target.each(lambda: target.send(target.rest, once(b"")))


@attack
async def half_heads(target: Target) -> None:
    """The first lines of a request."""
    await target.each(lambda: target.send(target.rest, once(HEAD)))


@attack
async def half_bodies(target: Target) -> None:
    """A head, and less of a body than it promises."""
    sent = HEAD + b'Content-Length: 100000\r\n\r\n{"instances": ["'
    await target.each(lambda: target.send(target.rest, once(sent)))


@attack
async def dribbled_heads(target: Target) -> None:
    """A head that comes byte by byte."""
    await target.each(lambda: target.send(target.rest, without_end(HEAD, b"x", 1.0)))


@attack
async def endless_heads(target: Target) -> None:
    """A header line without end, as fast as it is taken."""
    await target.each(lambda: target.send(target.rest, without_end(HEAD, b"x" * PIECE)))


@attack
async def large_bodies(target: Target) -> None:
    """Bodies that are announced to be too large, and sent."""
    sent = HEAD + b"Content-Length: 5000000000\r\n\r\n"
    await target.each(lambda: target.send(target.rest, without_end(sent, b"x" * PIECE)))


@attack
async def many_at_once(target: Target) -> None:
    """Thousands of requests in one piece."""
    sent = b"GET /v1/health/live HTTP/1.1\r\nHost: h\r\n\r\n" * 5000
    await target.each(lambda: target.send(target.rest, once(sent)))


@attack
async def deaf(target: Target) -> None:
    """Requests whose answers are never read, more than the system keeps for us."""
    body = json.dumps({"signature_name": "raw", "instances": ["x" * (256 << 10)]}).encode()
    sent = (HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body) * 16

    async def client() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", target.rest, limit=1)
        transport = writer.transport
        transport.pause_reading()  # type: ignore[attr-defined]
        await _send(writer, once(sent))
        while not transport.is_closing():
            await asyncio.sleep(PAUSE)
            with contextlib.suppress(OSError):
                writer.write(b"G")  # fails once the server has dropped us
                await writer.drain()
        target.told["reset"] += 1

    await target.each(client)


@attack
async def comers_and_goers(target: Target) -> None:
    """Connections that are opened and closed."""

    async def client() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", target.rest)
        writer.close()

    await target.each(client)


@attack
async def grpc_silent(target: Target) -> None:
    """gRPC connections that say nothing."""
    await target.each(lambda: target.send(target.grpc, once(b"")))


@attack
async def grpc_half_messages(target: Target) -> None:
    """gRPC calls whose message ends before it is whole."""
    sent = PREFACE + frame(4, b"") + frame(1, grpc_head(CALL), flags=4, stream=1)
    sent += frame(0, b"\0" + (1000).to_bytes(4, "big") + b"half", stream=1)
    await target.each(lambda: target.send(target.grpc, once(sent)))


@attack
async def grpc_resets(target: Target) -> None:
    """Calls by the thousand, each given up at once."""
    calls = b"".join(
        frame(1, grpc_head(CALL), flags=4, stream=number)
        + frame(3, (8).to_bytes(4, "big"), stream=number)
        for number in range(1, 2000, 2)
    )
    await target.each(lambda: target.send(target.grpc, once(PREFACE + frame(4, b"") + calls)))


@attack
async def askers(target: Target) -> None:
    """As many good requests at once as there are clients, whoever else waits."""
    body = b'{"signature_name": "raw", "instances": ["the cat is small"]}'
    sent = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    await target.each(lambda: target.send(target.rest, once(sent)))


@attack
async def bodies_of_200_mb(target: Target) -> None:
    """Whole, as large as is allowed, and no JSON at their end."""
    size, head = 200 << 20, b"Content-Length: %d\r\nConnection: close\r\n\r\n"

    async def pieces() -> AsyncIterator[bytes]:
        yield HEAD + head % size + b'{"instances": ["'
        for _ in range(size // PIECE):
            yield b"x" * PIECE

    await target.each(lambda: target.send(target.rest, pieces()))


def frame(kind: int, payload: bytes, flags: int = 0, stream: int = 0) -> bytes:
    """An HTTP/2 frame."""
    size, number = len(payload).to_bytes(3, "big"), stream.to_bytes(4, "big")
    return size + bytes([kind, flags]) + number + payload


def grpc_head(path: str) -> bytes:
    """The header fields of a call, without compression."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "h",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    return b"".join(
        bytes([0x10, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )


# The process ----------------------------------------------------------------------------------


async def run(targets: dict[str, Target]) -> None:
    """Attack until standard input ends."""
    attacking = [asyncio.ensure_future(ATTACKS[name](target)) for name, target in targets.items()]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BEGIN_SECONDS):
            while any(target.begun < target.count for target in targets.values()):
                await asyncio.sleep(0.05)
    await asyncio.sleep(PAUSE)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for attack in attacking:
        attack.cancel()
    await asyncio.gather(*attacking, return_exceptions=True)
    print(json.dumps({name: target.told for name, target in targets.items()}), flush=True)


def main() -> None:
    """Read the command line and attack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attacks", nargs="+", metavar="NAME:COUNT", help=f"of {sorted(ATTACKS)}")
    parser.add_argument("--rest", type=int, required=True)
    parser.add_argument("--grpc", type=int, required=True)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    named = [text.split(":") for text in options.attacks]
    asyncio.run(run({n: Target(options.rest, options.grpc, int(count)) for n, count in named}))


if __name__ == "__main__":
    main()
