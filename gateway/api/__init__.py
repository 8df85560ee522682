"""The HTTP API, one module per resource."""

from litestar.openapi.config import OpenAPIConfig
from litestar.types import ControllerRouterHandler

from gateway.api.health import healthz, metrics, readyz

HANDLERS: list[ControllerRouterHandler] = [healthz, readyz, metrics]


def openapi_config() -> OpenAPIConfig:
    """The description of the API, generated from the code."""
    return OpenAPIConfig(title="Deskbridge", version="1", path="/v1/openapi")
