"""Guessing is slow and locks nobody out: ten thousand guesses, from one address and from many."""

from __future__ import annotations

import asyncio
import math

import pytest

from adapters.authentication.counting import ACCOUNT, ADDRESS, KNOWN_SECONDS, NEWCOMERS, PAIR
from adapters.authentication.throttling import FORGIVEN_SECONDS
from adapters.stores import open_stores
from broker.authentication import MoreNeeded
from broker.errors import TooManyAttempts
from tests.authentication.guessing import CAFE, DAY, GUESSES, HOME, World


@pytest.fixture
async def world() -> World:
    return World((await open_stores("memory://")).attempts)


def most_in(rule_free: int, leak_seconds: float, seconds: float) -> int:
    """Guesses that a rule lets through in so many seconds."""
    doublings = 10  # until the longest wait is reached
    return rule_free + math.ceil(seconds / leak_seconds) + doublings


# -- one account ---------------------------------------------------------------------------------


async def test_ten_thousand_guesses_at_one_account(world: World) -> None:
    """Over a day one address gets through what leaks away, the others are refused unlooked at; and
    the owner, who is known elsewhere, gets in all the time."""
    assert await world.login("bob", HOME) == "in"
    world.checked = 0
    owner = 0
    for number in range(GUESSES):
        await world.guess("bob", CAFE)
        world.clock.advance(DAY / GUESSES)
        if number % 100 == 0:
            assert await world.login("bob", HOME) == "in"
            owner += 1
    assert PAIR.free <= world.checked - owner <= most_in(PAIR.free, PAIR.leak_seconds, DAY)


async def test_from_many_addresses(world: World) -> None:
    """From a thousand addresses no more than the account's own rules let through; its owner gets
    in where he is known, without a failure of his own."""
    assert await world.login("bob", HOME) == "in"
    world.checked = 0
    for number in range(GUESSES):
        await world.guess("bob", f"203.0.{number % 1000 // 250}.{number % 250}")
    bound = NEWCOMERS.free + ACCOUNT.free + 20
    assert NEWCOMERS.free <= world.checked <= bound
    assert await world.login("bob", HOME) == "in"


async def test_a_new_address_of_the_owner(world: World) -> None:
    """While a few addresses guess at an account, its owner gets in from one where he is new."""
    for _ in range(100):
        for number in range(20):
            await world.guess("bob", f"203.0.113.{number}")
        world.clock.advance(60)
    assert await world.login("bob", CAFE) == "in"


async def test_nobody_is_locked_out_for_long(world: World) -> None:
    """However many failures there were, the next attempt may be made in five minutes at most."""
    for _ in range(3):
        await asyncio.gather(*(world.guess("bob", CAFE) for _ in range(500)))
        world.clock.advance(1)
    assert await world.login("bob", CAFE) == "wait"
    world.clock.advance(PAIR.longest_wait)
    assert await world.login("bob", CAFE) == "in"


async def test_waits_grow(world: World) -> None:
    """Each failure after the free ones doubles the wait, up to five minutes."""
    await world.blocked("bob", CAFE)
    waits = []
    for _ in range(12):
        with pytest.raises(TooManyAttempts) as refused:
            await world.throttling.guarded("/", "bob", CAFE, _never)
        waits.append(refused.value.retry_after)
        world.clock.advance(refused.value.retry_after)
        assert await world.guess("bob", CAFE) == "wrong"
    assert waits[:4] == [1, 2, 4, 8]
    assert sorted(waits) == waits
    assert waits[-1] <= PAIR.longest_wait


async def _never() -> str:
    raise AssertionError("a refused attempt was looked at")


async def test_guesses_sent_at_once(world: World) -> None:
    """Of a hundred guesses at the same moment ten are told that they are wrong, and the right one
    among the rest is not told apart from them."""
    tries = [world.guess("bob", CAFE) for _ in range(99)] + [world.login("bob", CAFE)]
    heard = await asyncio.gather(*tries)
    assert heard.count("wrong") == PAIR.free
    assert heard[-1] == "wait"


async def test_spellings_are_one_account(world: World) -> None:
    """Letter case, wide letters and blanks give no further guesses."""
    spellings = ["bob", "BOB", " bob ", "\uff22\uff2f\uff22"]
    heard = [await world.guess(spellings[number % 4], CAFE) for number in range(PAIR.free + 4)]
    assert heard == ["wrong"] * PAIR.free + ["wait"] * 4


async def test_realms_are_apart(world: World) -> None:
    """Failures in one realm hold up nobody of the same name in another."""
    await world.blocked("bob", CAFE)
    assert await world.attempt("bob", CAFE, True, realm="/other") == "in"


# -- one address ---------------------------------------------------------------------------------


async def test_spraying_from_one_address(world: World) -> None:
    """One guess at each of ten thousand accounts: the address is stopped, who is known there and
    everybody elsewhere is not."""
    assert await world.login("user-42", CAFE) == "in"
    world.checked = 0
    for number in range(GUESSES):
        await world.guess(f"user-{number}", CAFE)
    assert world.checked <= ADDRESS.free + 10
    assert await world.login("user-7", CAFE) == "wait"
    assert await world.login("user-42", CAFE) == "in"
    assert await world.login("user-7", HOME) == "in"


async def test_spraying_from_many_addresses(world: World) -> None:
    """From a hundred addresses each is stopped, whatever else it tries."""
    for number in range(GUESSES):
        await world.guess(f"user-{number % 500}", f"203.0.113.{number % 100}")
    assert world.checked <= 100 * (ADDRESS.free + 1)


async def test_a_login_of_one_s_own_gains_nothing(world: World) -> None:
    """Who has an account logs in between guesses, and the address stays as slow as it was."""
    for number in range(GUESSES // 10):
        await world.guess(f"user-{number}", CAFE)
        await world.attempt("mallory", CAFE, True)
    guesses = world.checked - GUESSES // 10
    assert guesses <= ADDRESS.free + 10


async def test_networks_of_ipv6(world: World) -> None:
    """All addresses of one /64 are one subscriber, IPv4 in IPv6 is the IPv4 address."""
    for number in range(ADDRESS.free):
        assert await world.guess(f"user-{number}", f"2001:db8:1:2::{number:x}") == "wrong"
    assert await world.guess("bob", "2001:db8:1:2:ffff::1%eth0") == "wait"
    assert await world.guess("bob", "2001:db8:1:3::1") == "wrong"
    await world.blocked("ann", HOME)
    assert await world.guess("ann", f"::ffff:{HOME}") == "wait"


async def test_shared_addresses(world: World) -> None:
    """Behind a gateway that settings name, the failures of some hold up no others."""
    behind = World(world.store, shared=("198.51.100.0/24",))
    for number in range(GUESSES // 10):
        await behind.guess(f"user-{number}", CAFE)
    assert behind.checked == GUESSES // 10
    assert await behind.login("bob", CAFE) == "in"
    await behind.blocked("ann", CAFE)


async def test_logins_without_a_name(world: World) -> None:
    """Where no name was typed the address counts alone, and a login makes nobody known there."""
    for number in range(GUESSES // 10):
        await world.guess(None, f"203.0.{number // 250}.{number % 250}")
    assert world.checked == GUESSES // 10
    assert await world.login(None, CAFE) == "in"
    for _ in range(ADDRESS.free):
        assert await world.guess(None, CAFE) == "wrong"
    assert await world.guess(None, CAFE) == "wait"
    assert await world.login(None, HOME) == "in"


async def test_requesters_without_an_address(world: World) -> None:
    """What comes by message is counted by who sent it; without even that, by the account alone."""
    await world.blocked("bob", "amqp:crm")
    assert await world.login("bob", "amqp:erp") == "in"
    for number in range(100):
        assert await world.guess(f"user-{number}", None) == "wrong"
    await world.blocked("ann", None)


# -- what a success is worth ---------------------------------------------------------------------


async def test_a_success_forgives(world: World) -> None:
    """The failures before a login are forgotten, so that nine typing errors a day hurt nobody."""
    for _ in range(5):
        for _ in range(PAIR.free - 1):
            assert await world.guess("bob", HOME) == "wrong"
        assert await world.login("bob", HOME) == "in"
        world.clock.advance(FORGIVEN_SECONDS)


async def test_a_busy_account_makes_no_guess_free(world: World) -> None:
    """Beside a service that logs in all the time from an address, guesses are few there."""
    for _ in range(GUESSES // 10):
        await world.guess("crm", HOME)
        await world.attempt("crm", HOME, True)
    assert await world.guess("crm", HOME) == "wait"
    guessed = [await world.guess("crm", HOME) for _ in range(3)]
    assert guessed == ["wait"] * 3


async def test_known_for_a_month(world: World) -> None:
    """Who has not been there for a month is a stranger at that address again."""
    assert await world.login("bob", HOME) == "in"
    world.clock.advance(KNOWN_SECONDS)
    for number in range(ADDRESS.free):
        await world.guess(f"user-{number}", HOME)
    assert await world.login("bob", HOME) == "wait"


async def test_asking_back_is_no_failure(world: World) -> None:
    """A right password to which a code is missing counts neither as a failure nor as a success."""

    async def asks() -> str:
        raise MoreNeeded(())

    for _ in range(PAIR.free + 5):
        with pytest.raises(MoreNeeded):
            await world.throttling.guarded("/", "bob", HOME, asks)
    assert await world.login("bob", HOME) == "in"
