"""Judges the sampled answers of a run: one that is wrong, and the run counts for nothing."""

from __future__ import annotations

from collections.abc import Sequence

from bench.target import Target, WrongAnswer

Sample = tuple[bytes, bytes]
"""A request's body and the body of its answer."""


async def verified(target: Target, samples: Sequence[Sample]) -> int:
    """How many answers were judged, all of them good.

    Each has a good signature and good claims, no two carry the same token, and the server knows
    every one where it keeps them. Raises WrongAnswer.
    """
    seen: set[str] = set()
    for number, (body, answer) in enumerate(samples, 1):
        try:
            found = target.check(body, answer)
        except WrongAnswer as wrong:
            raise WrongAnswer(f"answer {number} of {len(samples)} checked: {wrong}") from None
        if found in seen:
            raise WrongAnswer(
                f"answer {number} of {len(samples)} checked: two requests got the same token"
            )
        seen.add(found)
    if samples:
        await target.check_kept([answer for _, answer in samples])
    return len(samples)
