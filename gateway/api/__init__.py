"""The HTTP API, one module per resource."""

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from gateway.api import conflicts, conversations, customers, desk, files, limits, links, parked, pulls
from gateway.api.health import healthz, metrics, readyz

HANDLERS: list[ControllerRouterHandler] = [
    healthz,
    readyz,
    metrics,
    conflicts.list_conflicts,
    conflicts.get_conflict,
    conflicts.resolve,
    conflicts.undo,
    conversations.list_conversations,
    conversations.get_conversation,
    conversations.get_timeline,
    conversations.list_overlaps,
    customers.get_customer,
    customers.list_merges,
    customers.merge,
    customers.undo,
    customers.accept,
    customers.dismiss,
    limits.list_limits,
    links.get_links,
    links.put_link,
    links.delete_links,
    desk.list_hand_offs,
    desk.get_hand_off,
    desk.claim,
    desk.reply,
    desk.resolve,
    desk.give_back,
    files.get_attachment,
    files.get_messages,
    files.lay_down,
    parked.list_parked,
    parked.get_parked,
    parked.replay_parked,
    parked.replay_many,
    parked.drop_parked,
    pulls.list_backfills,
    pulls.list_reconciliations,
    pulls.get_reconciliation,
]


def openapi_config() -> OpenAPIConfig:
    """The description of the API, generated from the code."""
    return OpenAPIConfig(
        title="Deskbridge",
        version="1",
        description="Conversations and hand-offs. Errors are `application/problem+json` (RFC 9457).",
        path="/v1/openapi",
        render_plugins=[JsonRenderPlugin(path="/")],
        components=Components(
            security_schemes={
                "key": SecurityScheme(
                    type="http", scheme="bearer", description="An API key: `deskbridge keys create`."
                )
            }
        ),
        security=[{"key": []}],
    )
