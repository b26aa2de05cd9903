"""SET in pipelines, with redis-py's own: what a write to Redis cannot cost less than, nearly."""

import time

from redis.asyncio import Redis


async def micros(port: int, writes: int, in_a_trip: int, size: int) -> float:
    """CPU microseconds of this process for each of the writes."""
    async with Redis(port=port) as redis:
        await redis.ping()
        before = time.process_time()
        for start in range(0, writes, in_a_trip):
            pipeline = redis.pipeline(transaction=False)
            for number in range(start, min(start + in_a_trip, writes)):
                pipeline.set(f"floor:{number}", b"x" * size, ex=600)
            await pipeline.execute()
        return (time.process_time() - before) / writes * 1e6
