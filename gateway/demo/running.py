"""Directing the play: everyone on stage, a few at a time."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic

from gateway.demo.acting import Actor
from gateway.demo.desk import DeskAgent
from gateway.demo.play import Customer
from gateway.demo.report import Report, make_report
from gateway.demo.theatre import Theatre

AT_ONCE = 12
"""How many customers are being served at the same time."""
ARRIVE_EVERY = 0.1

Told = Callable[[Customer, Actor], None]


async def perform(theatre: Theatre, customers: Sequence[Customer], *, api_key: str, told: Told) -> Report:
    """Play all stories; `told` hears of each that has ended."""
    began = monotonic()
    desk = DeskAgent(theatre.http, api_key=api_key)
    cast = [
        (customer, Actor(number, customer, theatre, desk)) for number, customer in enumerate(customers, 1)
    ]
    seats = asyncio.Semaphore(AT_ONCE)

    async def follow(customer: Customer, actor: Actor, arrival: float) -> None:
        await asyncio.sleep(arrival)
        async with seats:
            await actor.play()
        told(customer, actor)

    async with asyncio.TaskGroup() as tasks:
        for number, (customer, actor) in enumerate(cast):
            tasks.create_task(follow(customer, actor, number * ARRIVE_EVERY))
    await theatre.settled()
    return await make_report(theatre, cast, took=timedelta(seconds=monotonic() - began))
