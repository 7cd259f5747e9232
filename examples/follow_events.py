"""How another service of the platform follows meetings: every meeting event, as it happens.

Run it beside ``make run``; it finds the broker in ``.local/run.json``. A real service would use a consumer group of its
own, commit after its effect, and keep a high-water mark of ``ce_sequence`` per meeting, because events can repeat.
"""

import asyncio
import contextlib
import json
from pathlib import Path

from aiokafka import AIOKafkaConsumer

RUN = Path(__file__).parents[1] / ".local" / "run.json"


async def main() -> None:
    consumer = AIOKafkaConsumer(
        "meetings.events",
        bootstrap_servers=json.loads(RUN.read_text())["kafka"],
        auto_offset_reset="earliest",
    )
    async with consumer:
        async for record in consumer:
            told = {name: value.decode() for name, value in record.headers}
            meeting = json.loads(record.value)["meeting"]
            print(told["ce_type"], f"#{told['ce_sequence']}", meeting["meetingUuid"], meeting["title"], flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
