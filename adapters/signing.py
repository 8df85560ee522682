"""Signing the requests that we send, where a vendor wants that, by the same declarations as its webhooks."""

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime

import httpx

from adapters.signatures import Signature, Values, sign
from adapters.webhook import Webhook


class Signed(httpx.Auth):
    """For `endpoint`: `{"auth": Signed(SIGNATURE, secret, values=settings)}`.

    A body that is streamed is read whole first, for it is signed. `covering` is signed in its place, where a
    vendor signs the file inside a form rather than the form. `parameters` gives query parameters that every
    request bears, such as a nonce; the signature may cover them.
    """

    requires_request_body = True

    def __init__(
        self,
        signature: Signature,
        secret: str,
        *,
        values: Values | None = None,
        covering: bytes | None = None,
        parameters: Callable[[], Mapping[str, str]] = dict,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._signature = signature
        self._secret = secret
        self._values = values
        self._covering = covering
        self._parameters = parameters
        self._clock = clock

    @property
    def names(self) -> frozenset[str]:
        """The query parameters that it adds."""
        places = {self._signature.parameter, self._signature.timestamp_parameter}
        return frozenset({name for name in places if name} | self._parameters().keys())

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put timestamp and signature where they belong."""
        if own := self._parameters():
            request.url = request.url.copy_merge_params(own)
        bare = Webhook(
            method=request.method,
            url=str(request.url),
            query=dict(request.url.params),
            headers=dict(request.headers),
            body=request.content if self._covering is None else self._covering,
        )
        signed = sign(self._signature, bare, self._secret, at=self._clock(), values=self._values)
        added = {name: value for name, value in signed.query.items() if bare.query.get(name) != value}
        request.headers.update(signed.headers)
        if added:
            request.url = request.url.copy_merge_params(added)
        yield request
