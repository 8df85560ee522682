"""The HTTP face: hooks as plain ASGI, everything else through Litestar."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp

from config.clock import Clock, utc_now
from config.settings import Settings
from gateway.api import HANDLERS, openapi_config
from gateway.api.problems import EXCEPTION_HANDLERS
from gateway.console import HANDLERS as PAGES
from gateway.hooks import PREFIX, Hooks, Receive, Scope, Send
from gateway.house import House, open_house
from gateway.worker import Worker


class Gateway:
    """Hooks on their own short path; Litestar for the rest, and for start and stop."""

    def __init__(self, litestar: ASGIApp, state: State) -> None:
        self._litestar: Any = litestar
        self.state = state

    @property
    def startup_error(self) -> Exception | None:
        """Why it did not start."""
        error: Exception | None = self.state.get("startup_error")
        return error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self.state.hooks(scope, receive, send)
        else:
            await self._litestar(scope, receive, send)


def create_app(settings: Settings, *, clock: Clock = utc_now, with_worker: bool = True) -> Gateway:
    """The whole application; opens its parts on start-up. `with_worker`: work lanes in this process too."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                house = await stack.enter_async_context(open_house(settings, clock=clock))
                await _serve(app.state, house, with_worker=with_worker)
            except Exception as error:
                # The server only says that starting failed: who started it wants to know why.
                app.state.startup_error = error
                raise
            stack.push_async_callback(_stop, app.state)
            yield

    app = Litestar(
        route_handlers=[*HANDLERS, *PAGES],
        lifespan=[lifespan],
        dependencies={"house": Provide(_house, sync_to_thread=False)},
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=openapi_config(),
        logging_config=None,
    )
    return Gateway(app, app.state)


def _house(state: State) -> House:
    house: House = state.house
    return house


async def _serve(state: State, house: House, *, with_worker: bool) -> None:
    state.house = house
    state.hooks = Hooks(
        engine=house.engine,
        adapters=house.adapters,
        body_limit=house.settings.body_limit,
        clock=house.clock,
        metrics=house.metrics,
        public_url=house.settings.public_url if "public_url" in house.settings.model_fields_set else "",
    )
    state.worker = None
    if with_worker:
        worker: Worker = house.worker()
        await worker.start()
        state.worker = worker


async def _stop(state: State) -> None:
    await state.hooks.close()
    if state.worker is not None:
        await state.worker.stop()
