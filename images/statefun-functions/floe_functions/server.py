"""The functions behind StateFun's remote protocol, on port 8080 under /statefun.

| function | state | results go to |
| --- | --- | --- |
| floe.kafka/counter | total | floe/kafka, topic counter.results |
| floe.kafka/ttl-counter | total, for 5 s after a write | floe/kafka, topic ttl.results |
| floe.kafka/greeter | none | floe/kafka, topic greeter.results |
| floe.kinesis/counter | total | floe/kinesis, stream counter.results |

Dead letters go to `dead-letters`, a topic of floe/kafka or a stream of floe/kinesis. A GET answers
`ok`, for probes. records.py describes the records; their value type in the module may be any, since
the bytes are read as they come.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from aiohttp import web
from statefun import (  # pyright: ignore[reportMissingImports] - the image has it
    Context,
    LongType,
    Message,
    RequestReplyHandler,
    StatefulFunctions,
    ValueSpec,
    kafka_egress_message,
    kinesis_egress_message,
)

from floe_functions import records

PORT = 8080
STATE_TTL = timedelta(seconds=5)
# A call brings a batch of records; aiohttp's own limit is 1 MiB.
LARGEST_CALL_BYTES = 64 * 1024 * 1024
SHUTDOWN_SECONDS = 5

Send = Callable[[Context, str, str], None]

functions = StatefulFunctions()


def to_kafka(context: Context, topic: str, value: str) -> None:
    """Send a value to a topic, under the key of the function's address."""
    context.send_egress(
        kafka_egress_message(
            typename="floe/kafka", topic=topic, key=context.address.id, value=value
        )
    )


def to_kinesis(context: Context, stream: str, value: str) -> None:
    """Send a value to a stream, under the key of the function's address."""
    context.send_egress(
        kinesis_egress_message(
            typename="floe/kinesis", stream=stream, partition_key=context.address.id, value=value
        )
    )


def answer(
    context: Context,
    message: Message,
    *,
    send: Send,
    to: str,
    reply: Callable[[str, bytes | None], str],
) -> None:
    """Send the reply to a record, or its dead letter.

    Args:
        context: The function's context.
        message: The record.
        send: Where results of this function go.
        to: Topic or stream of the results.
        reply: Makes the result of the record's key and value.
    """
    identity, record = context.address.id, message.raw_value()
    try:
        send(context, to, reply(identity, record))
    except records.InvalidRecordError as error:
        function = context.address.typename
        letter = records.dead_letter(identity, record, function=function, reason=error)
        send(context, "dead-letters", letter)


def register_counter(typename: str, *, send: Send, to: str, ttl: timedelta | None = None) -> None:
    """Register a counter.

    Args:
        typename: Its type name.
        send: Where its results go.
        to: Topic or stream of the results.
        ttl: How long after a write the total is kept; for ever when None.
    """

    def count(context: Context, message: Message) -> None:
        def reply(identity: str, record: bytes | None) -> str:
            command = records.parse_count(record)
            context.storage.total = records.add(context.storage.total, command)
            return records.counted(identity, context.storage.total, command)

        answer(context, message, send=send, to=to, reply=reply)

    total = ValueSpec(name="total", type=LongType, expire_after_write=ttl)
    functions.register(typename, count, specs=[total])


def greet(context: Context, message: Message) -> None:
    """Greet whom the record names."""
    answer(context, message, send=to_kafka, to="greeter.results", reply=records.greeted)


register_counter("floe.kafka/counter", send=to_kafka, to="counter.results")
register_counter("floe.kafka/ttl-counter", send=to_kafka, to="ttl.results", ttl=STATE_TTL)
register_counter("floe.kinesis/counter", send=to_kinesis, to="counter.results")
functions.register("floe.kafka/greeter", greet)


def application() -> web.Application:
    """Return the HTTP application."""
    handler = RequestReplyHandler(functions)

    async def call(request: web.Request) -> web.Response:
        body = await handler.handle_async(await request.read())
        return web.Response(body=body, content_type="application/octet-stream")

    async def probe(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application(client_max_size=LARGEST_CALL_BYTES)
    app.add_routes([web.post("/statefun", call), web.get("/statefun", probe, allow_head=False)])
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("floe_functions").info("listening on port %s", PORT)
    web.run_app(
        application(), port=PORT, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, print=None
    )
