"""Files beside messages, to be saved."""

from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from gateway.console.conversations import ref_of
from gateway.console.sessions import Visitor, visitors
from gateway.files import opening
from gateway.house import House


@get("/console/messages/{ref:str}/attachments/{number:str}", include_in_schema=False, guards=[visitors()])
async def save_file(
    ref: FromPath[str],
    number: FromPath[str],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
) -> Stream:
    """Hand out one file; which, whoever may read the conversation may say."""
    visitor: Visitor = request.auth
    async with house.engine.connect() as database:
        wanted = await opening.find(database, visitor.key, ref_of(ref), ref_of(number))
    return opening.response(await opening.fetch(house, wanted))
