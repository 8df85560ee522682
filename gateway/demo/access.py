"""The keys to the house: one for the agent at the desk, one for the person who looks around."""

from msgspec import Struct

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


class Invitation(Struct, frozen=True, kw_only=True):
    """Where one can read each conversation's timeline."""

    address: str
    """Logs in once, within ten minutes."""
    key: str
    """Logs in as often as one likes."""


async def invite(theatre: Theatre) -> Invitation:
    """Let somebody look around, and act at the desk."""
    async with theatre.house.engine.begin() as connection:
        ref, key = await access.create_key(
            connection, name="the demo's visitor", scopes=[Scope.ADMIN], clock=utc_now
        )
        ticket = await access.create_ticket(connection, key_ref=ref, agent=AGENT, clock=utc_now)
    return Invitation(address=f"{theatre.url}/console/login?ticket={ticket}", key=key)
