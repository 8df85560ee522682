"""What the contract does for every adapter: handshakes, complaints, look-ups, files, signed requests."""

import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from adapters.attachments import Upload, same_origin
from adapters.contract import CONTRACT, Adapter, decode
from adapters.errors import AdapterError, BadSignature, Fatal, Malformed, Rejected, Retryable, Unsupported
from adapters.manifest import Field, Label, Manifest, Settings
from adapters.model import Attachment, Change, FindConversation, HandOver
from adapters.signatures import Signature, sign
from adapters.signing import Signed
from adapters.times import moment
from adapters.webhook import Delivery, HookReply, Receipt, Webhook

NOW = datetime(2026, 11, 14, 12, 0, tzinfo=UTC)
BARE = Webhook(method="POST", url="https://d.example/hooks/a", query={}, headers={}, body=b"{}")
V3 = Signature(header="X-Sig-3", signed="{setting:app}{timestamp}{body}", timestamp_header="X-Time")
V1 = Signature(header="X-Sig-1", method="digest", signed="{secret}{body}", secret_field="old_secret")
LABEL = Label(en="a", zh="甲")

Respond = Callable[[httpx.Request], httpx.Response]


class Acme(Adapter):
    """A vendor with errors inside 200, two generations of signatures and a challenge to echo."""

    manifest: ClassVar[Manifest] = Manifest(
        title="Acme",
        roles=(),
        auth="none",
        tier="bronze",  # type: ignore[arg-type]
        capabilities=frozenset(),
        fields=(
            Field(name="app", label=LABEL, default="app-1"),
            Field(name="webhook_secret", label=LABEL, secret=True, required=False),
            Field(name="old_secret", label=LABEL, secret=True, required=False),
        ),
    )
    signature: ClassVar[Signature | tuple[Signature, ...] | None] = (V3, V1)

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """Somewhere; `settings` say nothing of it."""
        return {"base_url": "https://v.example", "headers": {"X-App": settings["app"]}}

    async def check(self) -> str:
        """Nobody in particular."""
        return "acme"

    def greet(self, webhook: Webhook) -> HookReply:
        """Echo the challenge."""
        if webhook.query.get("verify_token") != self.settings["app"]:
            raise BadSignature("the token is not ours")
        return HookReply(status=200, body=webhook.query["challenge"].encode())

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """Anything."""
        return Receipt(deliveries=(Delivery(key="k", lane=str(payload.get("lane")), body=webhook.body),))

    def parse(self, body: bytes) -> Sequence[Change]:
        """Nothing."""
        return (*decode(body).get("changes", ()),)

    def complaint(self, answer: Any, response: httpx.Response) -> AdapterError | None:
        """`code` tells; 200 is fine."""
        match answer:
            case {"code": 200} | None:
                return None
            case {"code": 14006}:
                return Retryable("they are all busy", status=response.status_code)
            case {"code": int(code)}:
                return Rejected(f"code {code}", status=response.status_code)
            case _:
                return None


def acme(respond: Respond | None = None, **settings: Any) -> Acme:
    """The adapter, before a vendor that responds so."""
    transport = httpx.MockTransport(respond or (lambda _: httpx.Response(200)))
    http = httpx.AsyncClient(base_url="https://v.example", transport=transport)
    return Acme(settings=Settings(Acme.manifest, settings), http=http)


def answering(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Respond:
    """A vendor that always answers so."""
    return lambda _: httpx.Response(status, json=body, headers=headers)


def test_of_several_signatures_the_first_borne_decides() -> None:
    """With the secret that belongs to it, and the settings that it covers."""
    adapter = acme(webhook_secret="new", old_secret="old")
    good = sign(V3, BARE, "new", at=NOW, values=adapter.settings)
    assert adapter.verify(good, now=NOW).deliveries
    assert adapter.verify(sign(V1, BARE, "old", at=NOW), now=NOW).deliveries
    downgraded = sign(V1, sign(V3, BARE, "guess", at=NOW, values=adapter.settings), "old", at=NOW)
    for webhook in (BARE, downgraded, sign(V1, BARE, "new", at=NOW)):
        with pytest.raises(BadSignature):
            adapter.verify(webhook, now=NOW)


def test_only_what_has_a_secret_is_demanded() -> None:
    """One generation may be configured alone; without any, the hook's address is all there is."""
    assert acme(old_secret="old").verify(sign(V1, BARE, "old", at=NOW), now=NOW).deliveries
    with pytest.raises(BadSignature):
        acme(old_secret="old").verify(BARE, now=NOW)
    assert acme().verify(BARE, now=NOW).deliveries


def test_a_handshake_is_answered_as_prescribed() -> None:
    """Nothing is accepted by it, and a stranger is refused."""
    query = {"verify_token": "app-1", "challenge": "123"}
    hello = msgspec.structs.replace(BARE, method="GET", query=query, body=b"")
    receipt = acme(webhook_secret="s").verify(hello, now=NOW)
    assert receipt == Receipt(deliveries=(), reply=HookReply(status=200, body=b"123"))
    with pytest.raises(BadSignature):
        acme().verify(msgspec.structs.replace(hello, query={**query, "verify_token": "x"}), now=NOW)


def test_who_has_no_handshake_has_only_posts() -> None:
    """Anything else is unsupported, which a hook answers with 405."""
    plain = type("Plain", (Acme,), {"manifest": Acme.manifest, "greet": Adapter.greet})
    with pytest.raises(Unsupported, match="POST, not GET"):
        plain(settings=Settings(Acme.manifest, {}), http=acme().http).verify(
            msgspec.structs.replace(BARE, method="GET"), now=NOW
        )


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"code": 14006}, Retryable),
        (200, {"code": 14002}, Rejected),
        (403, {"code": 5}, Rejected),
        (403, {"error": "no"}, Fatal),
        (500, {"error": "oops"}, Retryable),
    ],
)
async def test_a_complaint_overrules_the_status(status: int, body: Any, expected: type[AdapterError]) -> None:
    """Errors inside 200, and statuses that mean something else at this vendor."""
    with pytest.raises(expected) as caught:
        await acme(answering(status, body)).call("POST", "/x")
    assert type(caught.value) is expected
    assert caught.value.status == status


async def test_an_answer_without_complaint_is_the_body() -> None:
    """Or the whole response, for whoever needs its headers."""
    adapter = acme(answering(200, {"code": 200, "id": 7}, {"link": "<n>; rel=next"}))
    assert await adapter.call("GET", "/x") == {"code": 200, "id": 7}
    assert (await adapter.exchange("GET", "/x")).headers["link"] == "<n>; rel=next"


async def test_what_is_not_there_is_none() -> None:
    """A 404 is an answer to a look-up; other refusals are not."""
    assert await acme(answering(404, None)).look("/x") is None
    assert await acme(answering(410, None)).look("/x") is None
    assert await acme(answering(200, {"id": 1})).look("/x") == {"id": 1}
    with pytest.raises(Rejected):
        await acme(answering(422, None)).look("/x")


async def test_whatever_an_adapter_lacks_is_unsupported() -> None:
    """Commands and queries that came later, too."""
    with pytest.raises(Unsupported, match="Acme cannot HandOver"):
        await acme().push(HandOver(key="k", conversation_id="1", summary="s"))
    with pytest.raises(Unsupported, match="Acme cannot answer FindConversation"):
        await acme().find(FindConversation(conversation_id="1"))


def test_attachments_are_asked_for_without_credentials() -> None:
    """A message may hold anybody's address; and a look-alike is another origin."""
    fetch = acme().fetch(Attachment(id="1", url="https://files.example/a.png"))
    assert (fetch.url, fetch.headers) == ("https://files.example/a.png", {})
    assert same_origin("https://v.example/a", "https://V.example")
    for other in ("http://v.example/a", "https://v.example:8443/a", "https://v.example.evil.example/a"):
        assert not same_origin(other, "https://v.example")
    assert not same_origin("https://v.example@evil.example/", "https://v.example")


@pytest.fixture
def upload() -> Upload:
    """A small file."""
    content = "繁體".encode() * 50_000
    return Upload(name="a.txt", content_type="text/plain", size=len(content), file=io.BytesIO(content))


async def test_a_file_goes_out_in_every_way(upload: Upload) -> None:
    """As part of a form, as the bare body, or read for JSON; and again after a failure."""
    seen: list[httpx.Request] = []

    async def respond(request: httpx.Request) -> httpx.Response:
        await request.aread()
        seen.append(request)
        return httpx.Response(200)

    http = httpx.AsyncClient(base_url="https://v.example", transport=httpx.MockTransport(respond))
    adapter = Acme(settings=Settings(Acme.manifest, {}), http=http)
    for _ in range(2):
        await adapter.call("POST", "/form", data={"text": "hi"}, files={"file": upload.part()})
        await adapter.call("POST", "/bare", content=upload.chunks(), headers=upload.headers)
        assert len(upload.read()) == upload.size
    for form, bare in (seen[:2], seen[2:]):
        assert upload.read() in form.content
        assert b'filename="a.txt"' in form.content
        assert bare.content == upload.read()
        assert bare.headers["content-length"] == str(upload.size)
        assert bare.headers["content-type"] == "text/plain"


async def test_requests_are_signed_by_the_same_declarations() -> None:
    """Whoever verifies by the declaration accepts what is sent by it."""
    declared = Signature(
        parameter="checksum",
        method="digest",
        algorithm="sha1",
        signed="{secret}{md5_body}{timestamp}",
        timestamp_parameter="time",
    )
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    auth = Signed(declared, "s3cret", clock=lambda: NOW)
    async with httpx.AsyncClient(auth=auth, transport=httpx.MockTransport(respond)) as http:
        await http.post("https://v.example/send?appKey=k", json={"text": "繁體 😀"})

        async def chunks() -> AsyncIterator[bytes]:
            yield b"abc"

        await http.post("https://v.example/send", content=chunks())
    for request, known in zip(seen, ({"appKey": "k"}, {}), strict=True):
        bare = Webhook(method="POST", url="", query={}, headers={}, body=request.content)
        wanted = sign(declared, bare, "s3cret", at=NOW).query
        assert dict(request.url.params) == {**known, **wanted}


def test_the_contract_has_a_version() -> None:
    """What is for another one is refused, with the cure."""
    assert Acme.manifest.contract == CONTRACT
    for version, cure in ((CONTRACT + 1, "upgrade Deskbridge"), (0, "upgrade the adapter")):
        with pytest.raises(ValueError, match=cure):
            msgspec.structs.replace(Acme.manifest, contract=version)


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        ("2026-11-14T12:00:00Z", {}, NOW),
        ("2026-11-14T20:00:00+08:00", {}, NOW),
        ("2026-11-14T12:00:00.123456789Z", {}, NOW + timedelta(microseconds=123456)),
        ("2026-11-14 20:00:00", {"zone": timezone(timedelta(hours=8))}, NOW),
        ("2026-11-14T12:00:00", {}, NOW),
        (NOW.timestamp(), {}, NOW),
        (str(int(NOW.timestamp())), {}, NOW),
        (int(NOW.timestamp() * 1000), {"unit": "ms"}, NOW),
        (str(int(NOW.timestamp() * 1000)), {"unit": "ms"}, NOW),
        (None, {}, None),
        ("", {}, None),
    ],
)
def test_times_of_every_kind_are_aware(value: Any, options: Any, expected: datetime | None) -> None:
    """ISO 8601 or Unix, seconds or milliseconds, with an offset or in the vendor's own zone."""
    found = moment(value, **options)
    assert found == expected
    assert found is None or found.utcoffset() == timedelta()


@pytest.mark.parametrize("value", ["yesterday", [], {}, "9" * 40, object()])
def test_what_is_no_time_is_an_error(value: Any) -> None:
    """Of the kinds that parsers turn into `Malformed`."""
    with pytest.raises((TypeError, ValueError, OverflowError)):
        moment(value)


def test_a_body_nested_without_end_is_malformed() -> None:
    """It breaks nothing; a hundred levels are read."""
    with pytest.raises(Malformed):
        decode(b"[" * 200_000 + b"]" * 200_000)
    assert decode(b"[" * 100 + b"]" * 100) != []
