# A client of a gateway as anybody would write one, from docs/gateway-protocol.md and two packages of PyPI: websockets and msgpack.
#
#   python3 gateway-client.py <url> <protocol> <user>
#
# It counts: says `count` to its session, is cut in the middle, resumes, and goes on until it has all. One line of JSON on standard output.

import asyncio
import json
import sys

import msgpack
import websockets

URL, PROTOCOL, USER = sys.argv[1:4]
FIRST, ALL = 20, 50


class Client:
    def __init__(self, socket):
        self.socket = socket
        self.controls = []
        self.messages = []
        self.seq = 0
        self.token = None

    async def send(self, value):
        if PROTOCOL == "pidmesh.msgpack.1":
            await self.socket.send(msgpack.packb(value))
        else:
            await self.socket.send(json.dumps(value))

    async def read(self):
        data = await self.socket.recv()
        frame = msgpack.unpackb(data) if isinstance(data, bytes) else json.loads(data)
        if isinstance(frame, list):
            self.messages += frame
            self.seq += len(frame)
            return
        self.controls.append(frame["type"])
        if frame["type"] in ("welcome", "resumed"):
            self.seq = frame["seq"]
            self.token = frame["resume"]["token"]
            await self.send({"type": "ack", "seq": self.seq})

    async def until(self, count):
        while len(self.messages) < count:
            await self.read()


async def connect(resume=None):
    socket = await websockets.connect(URL, subprotocols=[PROTOCOL])
    client = Client(socket)
    hello = {"type": "hello", "token": USER}
    await client.send(hello if resume is None else {**hello, "resume": resume})
    while client.token is None:
        await client.read()
    return client


async def main():
    first = await connect()
    await first.send([{"type": "count", "to": FIRST}])
    await first.until(FIRST)
    # More is on its way while the cable is cut.
    await first.send([{"type": "count", "to": ALL}])
    await first.read()
    first.socket.transport.abort()
    second = await connect({"token": first.token, "seq": first.seq})
    await second.until(ALL - len(first.messages))
    await second.send([{"type": "bytes"}] if PROTOCOL == "pidmesh.msgpack.1" else [{"type": "name"}])
    await second.until(ALL - len(first.messages) + 1)
    await second.send({"type": "sudo"})
    try:
        while True:
            await second.read()
    except websockets.ConnectionClosed as closed:
        end = [closed.rcvd.code, closed.rcvd.reason]
    print(
        json.dumps(
            {
                "subprotocol": second.socket.subprotocol,
                "first": first.messages,
                "second": second.messages[:-1],
                "answer": second.messages[-1].hex() if isinstance(second.messages[-1], bytes) else second.messages[-1],
                "controls": [first.controls, [one for one in second.controls if one != "received"]],
                "end": end,
            }
        )
    )


asyncio.run(asyncio.wait_for(main(), 20))
