"""The desk page: who waits, what they need, and what an agent can do about it."""

import secrets
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, URLEncodedBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway import desk_actions
from gateway.access import Scope
from gateway.api.idempotency import once
from gateway.console import forms
from gateway.console.conversations import ref_of
from gateway.console.login import redirect
from gateway.console.pages import Caller, reader_words, render
from gateway.console.sessions import Visitor, check_form, visitors
from gateway.desk import DeskAction
from gateway.desk_actions import LONGEST_REPLY, Deed, RefusedError
from gateway.files import receiving
from gateway.files.guard import RefusedFileError, status_of
from gateway.house import House
from sync.store import desk, reading
from sync.views import FullHandOff

SHOWN = 100
DESK = "/console/desk"


class DeskForm(Struct, kw_only=True):
    """What a button sends. `once` keeps a double click from doing it twice."""

    csrf: str = ""
    once: str = ""


@get(DESK, include_in_schema=False, guards=[visitors(Scope.DESK)])
async def show_desk(house: NamedDependency[House], request: Request[Any, Any, Any]) -> Response[Any]:
    """Who waits."""
    return await _page(house, request, None)


@get(f"{DESK}/{{ref:str}}", include_in_schema=False, guards=[visitors(Scope.DESK)])
async def show_hand_off(
    ref: FromPath[str],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
    done: FromQuery[str] = "",
) -> Response[Any]:
    """One hand-off, with everything its agent needs."""
    t = reader_words(request)
    said = t(f"desk.done.{done}") if done in tuple(DeskAction) else ""
    return await _page(house, request, ref_of(ref), said=said)


@post(
    f"{DESK}/{{ref:str}}/reply",
    include_in_schema=False,
    guards=[visitors(Scope.DESK)],
    request_max_body_size=None,  # the settings say how much, see `forms.sent`
)
async def reply(
    ref: FromPath[str], house: NamedDependency[House], request: Request[Any, Any, Any]
) -> Response[Any]:
    """Tell the customer something, perhaps with files, then show how things are."""
    async with forms.sent(house, request) as form:
        number, text = ref_of(ref), form.text("text").replace("\r\n", "\n").strip()[:LONGEST_REPLY]
        if not text:
            return await _page(house, request, number, refused=reader_words(request)("desk.empty_reply"))
        try:
            received = await form.files()
        except RefusedFileError as refused:
            told = reader_words(request)(f"file.{refused.because}")
            return await _page(house, request, number, refused=told, draft=text, status=status_of(refused))
        deed = Deed(hand_off=number, action=DeskAction.REPLY, agent=request.auth.agent, text=text)

        async def work(connection: AsyncConnection) -> bytes:
            kept = [await receiving.keep(house, connection, number, each) for each in received]
            done = msgspec.structs.replace(deed, files=tuple(each.ref for each in kept))
            return msgspec.json.encode(await desk_actions.carry_out(house, connection, done))

        content = b"\0".join([text.encode(), *(each.digest() for each in received)])
        try:
            await once(house, request, form.once, work, content=content)
        except RefusedError:
            return await _page(
                house, request, number, draft=text, was_refused=True, with_files=bool(received)
            )
    return redirect(f"{DESK}/{number}?done={DeskAction.REPLY.value}")


@post(f"{DESK}/{{ref:str}}/{{action:str}}", include_in_schema=False, guards=[visitors(Scope.DESK)])
async def act(
    ref: FromPath[str],
    action: FromPath[str],
    data: URLEncodedBody[DeskForm],
    house: NamedDependency[House],
    request: Request[Any, Any, Any],
) -> Response[Any]:
    """Do what the button says, then show how things are."""
    check_form(request, data.csrf)
    if action not in tuple(DeskAction) or action == DeskAction.REPLY:
        raise NotFoundException
    wanted = DeskAction(action)
    visitor: Visitor = request.auth
    deed = Deed(hand_off=ref_of(ref), action=wanted, agent=visitor.agent)

    async def work(connection: AsyncConnection) -> bytes:
        return msgspec.json.encode(await desk_actions.carry_out(house, connection, deed))

    try:
        await once(house, request, f"console/{data.once}" if data.once else None, work)
    except RefusedError:
        return await _page(house, request, deed.hand_off, was_refused=True)
    return redirect(f"{DESK}/{deed.hand_off}?done={wanted.value}")


async def _page(
    house: House,
    request: Caller,
    ref: int | None,
    *,
    said: str = "",
    refused: str = "",
    draft: str = "",
    was_refused: bool = False,
    with_files: bool = False,
    status: int = 200,
) -> Response[Any]:
    async with house.engine.connect() as database:
        waiting = await desk.most_urgent(database, most=SHOWN)
        chosen = await desk.hand_off(database, ref) if ref is not None else None
        if ref is not None and chosen is None:
            raise NotFoundException
        messages = await reading.messages_of(database, chosen.conversation_ref) if chosen else []
    if was_refused and chosen is not None:
        refused = _why(request, chosen, with_files=with_files)
    return render(
        request,
        "desk.html",
        status=409 if was_refused else status,
        waiting=waiting,
        chosen=chosen,
        messages=messages,
        said=said,
        refused=refused,
        draft=draft,
        once=secrets.token_hex(16),
        is_open=chosen is not None and chosen.state in desk.OPEN,
        takes_files=chosen is not None and receiving.refusal_at(house, chosen) is None,
        most_files=house.settings.attachments.most,
    )


def _why(request: Caller, hand_off: FullHandOff, *, with_files: bool) -> str:
    """The refusal in the reader's language, from how things are now."""
    t = reader_words(request)
    if hand_off.state not in desk.OPEN:
        return t("desk.ended")
    if hand_off.agent is None:
        return t("desk.claim_first")
    if hand_off.agent.id == request.auth.agent.id:
        return t("desk.no_files" if with_files else "desk.stays")
    return t("desk.held_by", name=hand_off.agent.name or hand_off.agent.id)
