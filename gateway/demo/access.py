"""The keys to the house: one for the agent at the desk, one for the person who looks around."""

from config.clock import utc_now
from gateway import access
from gateway.access import Scope
from gateway.demo.desk import AGENT
from gateway.demo.theatre import Theatre


async def desk_key(theatre: Theatre) -> str:
    """An API key that may act at the desk."""
    async with theatre.house.engine.begin() as connection:
        _, token = await access.create_key(
            connection, name="the demo's desk", scopes=[Scope.DESK], clock=utc_now
        )
    return token


async def console_address(theatre: Theatre) -> str:
    """Where one can read each conversation's timeline; logs in once, within ten minutes."""
    async with theatre.house.engine.begin() as connection:
        ref, _ = await access.create_key(
            connection, name="the demo's visitor", scopes=[Scope.ADMIN], clock=utc_now
        )
        ticket = await access.create_ticket(connection, key_ref=ref, agent=AGENT, clock=utc_now)
    return f"{theatre.url}/console/login?ticket={ticket}"
