"""Production-like orders: as many as one number says, skewed, some late, some dirty.

A stream is its scale (the number of orders) and its seed. Every order follows from its own number n
alone, from 1 to scale, so that any part of a stream can be made without the rest, in chunks of any
size, and anybody can work out what a pipeline must make of it. All of it is whole numbers:

    h(k)          one 32-bit number for each field k: `mix` below of n, seed and k
    popular(h,k)  o = h modulo k; 2^o plus (h / 64) modulo 2^o: 1 to 2^k - 1. Every o is as likely,
                  so that number r is drawn about 1/(k r ln 2) of the time: Zipf's law, s = 1

    order_id      n
    customer      'c' followed by popular(h(1), C); C is the number of binary digits of scale / 10,
                  and at least 4
    product       'p' followed by popular(h(2), 12)
    received_on   2026-01-01 plus ((n - 1) * 90) / scale days: a stream arrives in order
    day           received_on; of a late order, 1 + (h(4) modulo 7) days before that
    amount_cents  100 + h(3) modulo 9900

h(4) / 256 modulo 1000 makes an order late below 20: 20 of 1000 are. h(5) modulo 1000 spoils an
order below 20; of 1000 orders

    5  (0 to 4)    customer is missing
    3  (5 to 7)    the amount is no number: amount_cents is missing, raw_amount has the text
    4  (8 to 11)   amount_cents is negated
    8  (12 to 19)  the order arrives twice, the second time with one cent more

Cleaning keeps what `floe_platform.orders` says: no order without customer or with an amount that is
not above zero, and the lower amount of an order that arrives twice.

`mix` is Wellons' lowbias32 (https://nullprogram.com/blog/2018/07/31/), twice:

    mix32(x)      x ^= x >> 16; x *= 0x7feb352d; x ^= x >> 15; x *= 0x846ca68b; x ^= x >> 16
    h(k)          mix32(mix32(n + k * 0x9e3779b9) + mix32(seed + k)), the sums modulo 2^32
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SMALLEST_SCALE = 10_000
LARGEST_SCALE = 100_000_000
# One chunk is all that is held at a time: some 30 columns of it while it is made, less than
# BYTES_A_ROW for each of its orders, whatever the scale.
CHUNK_ROWS = 100_000
BYTES_A_ROW = 600
_ORDERS_A_PART = 500_000
_FEWEST_PARTS = 4
_PRODUCT_DIGITS = 12
_DAYS = 90
_FIRST_DAY = 20_454  # 2026-01-01, in days since 1970
_MASK = 0xFFFFFFFF
_STEP = 0x9E3779B9
_FACTORS = (0x7FEB352D, 0x846CA68B)
_PER_MILLE = 1000
_LATE = 20
_MISSING, _NO_NUMBER, _NEGATIVE, _TWICE = 5, 8, 12, 20


@dataclass(frozen=True)
class OrderStream:
    """A stream of orders.

    Attributes:
        scale: How many orders, before some arrive twice.
        seed: Which of the streams of this scale.
    """

    scale: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse what the rules do not cover.

        Raises:
            ValueError: The scale is outside of 10^4 to 10^8, or the seed is no 32-bit number.
        """
        if not SMALLEST_SCALE <= self.scale <= LARGEST_SCALE:
            message = f"scale is {self.scale}; it goes from {SMALLEST_SCALE} to {LARGEST_SCALE}"
            raise ValueError(message)
        if not 0 <= self.seed <= _MASK:
            message = f"seed is {self.seed}; it goes from 0 to {_MASK}"
            raise ValueError(message)

    @property
    def parts(self) -> int:
        """How many batches bring it in: each is small enough for the memory of a run."""
        return max(_FEWEST_PARTS, -(-self.scale // _ORDERS_A_PART))

    def part(self, number: int) -> range:
        """Return the orders of a part, by their numbers.

        Args:
            number: From 0 to `parts` - 1.

        Raises:
            ValueError: There is no such part.
        """
        if not 0 <= number < self.parts:
            message = f"part {number}: a stream of {self.scale} has the parts 0 to {self.parts - 1}"
            raise ValueError(message)
        return range(
            self.scale * number // self.parts + 1, self.scale * (number + 1) // self.parts + 1
        )

    def chunks(
        self, orders: range | None = None, *, chunk_rows: int = CHUNK_ROWS
    ) -> Iterator["pa.RecordBatch"]:
        """Make orders, chunk by chunk, in the order of their numbers.

        Args:
            orders: Which, by their numbers; None for the whole stream.
            chunk_rows: How many orders at a time. The rows are the same whatever it is.

        Yields:
            Rows with order_id, day, customer, amount_cents, product, received_on and raw_amount; a
            chunk has one row more for each of its orders that arrives twice.
        """
        wanted = range(1, self.scale + 1) if orders is None else orders
        for first in range(wanted.start, wanted.stop, chunk_rows):
            yield self._chunk(first, min(first + chunk_rows, wanted.stop))

    def _chunk(self, first: int, after: int) -> "pa.RecordBatch":
        import pyarrow as pa
        import pyarrow.compute as pc

        # pyarrow's functions are made at run time, so nobody knows their types.
        c: Any = pc
        n = pa.arange(first, after)
        narrow = n.cast(pa.uint32())
        h1, h2, h3, h4, h5 = (_drawn(c, narrow, self.seed, k).cast(pa.int64()) for k in range(1, 6))
        dirt = _modulo(c, h5, _PER_MILLE)
        received = c.divide(c.multiply(c.subtract(n, 1), _DAYS), self.scale)
        is_late = c.less(_modulo(c, c.divide(h4, 256), _PER_MILLE), _LATE)
        days_late = c.if_else(is_late, c.add(_modulo(c, h4, 7), 1), 0)
        amount = c.add(_modulo(c, h3, 9900), 100)
        is_text = _between(c, dirt, _MISSING, _NO_NUMBER)
        is_negative = _between(c, dirt, _NO_NUMBER, _NEGATIVE)
        customers = _popular(c, h1, max(4, (self.scale // 10).bit_length()))
        made = pa.record_batch(
            {
                "order_id": n,
                "day": _date(c, c.subtract(received, days_late)),
                "customer": c.if_else(c.less(dirt, _MISSING), None, _named(c, "c", customers)),
                "amount_cents": c.if_else(
                    is_text, None, c.if_else(is_negative, c.negate(amount), amount)
                ),
                "product": _named(c, "p", _popular(c, h2, _PRODUCT_DIGITS)),
                "received_on": _date(c, received),
                "raw_amount": c.if_else(is_text, _as_text(c, amount), None),
            }
        )
        return _with_second_copies(c, made, _between(c, dirt, _NEGATIVE, _TWICE))


def _drawn(c: Any, n: Any, seed: int, k: int) -> Any:
    # 32-bit numbers wrap, which is what `modulo 2^32` says.
    mixed = _mix32(c, c.add(n, _word(k * _STEP)))
    return _mix32(c, c.add(mixed, _word(_mix32_of(seed + k))))


def _mix32(c: Any, x: Any) -> Any:
    for shift, factor in zip((16, 15), _FACTORS, strict=True):
        x = c.multiply(c.bit_wise_xor(x, c.shift_right(x, _word(shift))), _word(factor))
    return c.bit_wise_xor(x, c.shift_right(x, _word(16)))


def _mix32_of(x: int) -> int:
    x &= _MASK
    for shift, factor in zip((16, 15), _FACTORS, strict=True):
        x = (x ^ x >> shift) * factor & _MASK
    return x ^ x >> 16


def _word(value: int) -> "pa.Scalar[Any]":
    import pyarrow as pa

    return pa.scalar(value & _MASK, pa.uint32())


def _modulo(c: Any, x: Any, divisor: int) -> Any:
    return c.subtract(x, c.multiply(c.divide(x, divisor), divisor))


def _between(c: Any, x: Any, least: int, below: int) -> Any:
    return c.and_(c.greater_equal(x, least), c.less(x, below))


def _popular(c: Any, h: Any, digits: int) -> Any:
    power = c.shift_left(_ones(h), _modulo(c, h, digits))
    spread = c.divide(h, 64)
    return c.add(power, c.bit_wise_and(spread, c.subtract(power, 1)))


def _ones(like: Any) -> Any:
    import pyarrow as pa

    return pa.repeat(pa.scalar(1, pa.int64()), len(like))


def _named(c: Any, letter: str, numbers: Any) -> Any:
    return c.binary_join_element_wise(letter, numbers.cast("string"), "")


def _as_text(c: Any, cents: Any) -> Any:
    euros, rest = c.divide(cents, 100).cast("string"), _modulo(c, cents, 100).cast("string")
    return c.binary_join_element_wise(c.binary_join_element_wise(euros, rest, ","), "EUR", " ")


def _date(c: Any, days: Any) -> Any:
    import pyarrow as pa

    return c.add(days, _FIRST_DAY).cast(pa.int32()).cast(pa.date32())


def _with_second_copies(c: Any, made: "pa.RecordBatch", is_twice: Any) -> "pa.RecordBatch":
    import pyarrow as pa

    second = made.filter(is_twice)
    column = made.schema.get_field_index("amount_cents")
    dearer = second.set_column(column, "amount_cents", c.add(second["amount_cents"], 1))
    both = pa.Table.from_batches([made, dearer])
    in_order = c.sort_indices(both["order_id"])  # stable: the first copy stays before the second
    return both.take(in_order).combine_chunks().to_batches()[0]
