"""The adapter that a description makes."""

import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import httpx
from msgspec import structs

from adapters.attachments import Fetch, Upload, same_origin
from adapters.contract import Adapter, decode
from adapters.declared import commands, hooks, lookups, pages
from adapters.declared import description as declared
from adapters.declared.expressions import ABSENT, facts
from adapters.declared.loading import load, manifest_of
from adapters.declared.paging import Walk
from adapters.declared.reading import Reader
from adapters.declared.requests import Caller, answered, fault
from adapters.errors import AdapterError, Fatal, InvalidSettings
from adapters.manifest import Field, Label, Manifest, Role, Settings, Tier
from adapters.model import Attachment, Change, Command, Found, Page, PullKind, Pushed, Query
from adapters.signing import Signed
from adapters.webhook import HookReply, Receipt, Webhook

DESCRIPTION = Field(
    name="description",
    label=Label(en="Description file", zh="描述文件"),
    help=Label(en="A YAML file, named relative to this configuration", zh="YAML 文件，路径相对于本配置文件"),
)


class Declared(Adapter):
    """Translates as its description says."""

    manifest: ClassVar[Manifest] = Manifest(
        title="HTTP, as described",
        roles=tuple(Role),
        auth="none",
        tier=Tier.BRONZE,
        capabilities=frozenset(),
        fields=(DESCRIPTION,),
    )
    description: ClassVar[declared.Description]
    path: ClassVar[Path]

    @cached_property
    def _reader(self) -> Reader:
        names = [field.name for field in self.manifest.fields if not field.secret]
        return Reader(self.description, {name: self.settings[name] for name in names})

    @cached_property
    def _caller(self) -> Caller:
        return Caller(self.exchange, _values(self.settings, self.manifest))

    @classmethod
    def home(cls) -> Path:
        """The folder of the description."""
        return cls.path.parent

    @classmethod
    def endpoint(cls, settings: Settings) -> dict[str, Any]:
        """The address and the credentials."""
        how, values = cls.description, _values(settings, cls.manifest)
        context = facts(settings=values, nonce="")
        made: dict[str, Any] = {"base_url": how.base_url.text(context), "headers": {}}
        match how.auth:
            case declared.Basic(user=user, password=password):
                made["auth"] = (user.text(context), password.text(context))
            case declared.Bearer(token=token):
                made["headers"]["Authorization"] = f"Bearer {token.text(context)}"
            case declared.Plain(headers=headers, query=query):
                made["headers"] |= {name: each.text(context) for name, each in headers.items()}
                made["params"] = _fresh(query, values)
            case declared.Signing(signature=signature, query=query):
                made["auth"] = Signed(
                    signature,
                    settings[signature.secret_field],
                    values=settings,
                    parameters=lambda: _fresh(query, values),
                )
        made["headers"] |= {name: each.text(context) for name, each in how.headers.items()}
        return made

    async def check(self) -> str:
        """Make the described request; without one there is nothing to ask."""
        how = self.description.check
        if how is None:
            heard = ", its webhooks are heard" if self.description.webhook is not None else ""
            return f"{self.manifest.title}: nothing is asked of it{heard}; whether it knows us will show"
        response = await self._caller.send(how, self._caller.facts())
        told = how.says.value(facts(**answered(response), settings=self._reader.settings))
        if told is ABSENT or told in (None, ""):
            raise Fatal(f"`{how.says.source}` doesn't say whose credentials these are")
        return str(told)

    def receive(self, webhook: Webhook, payload: Any) -> Receipt:
        """The events in it that mean something."""
        if self.description.webhook is None:
            return Receipt(deliveries=(), reply=HookReply(status=404, body=b"no webhook is described"))
        return hooks.receive(self.description.webhook, self._reader, webhook, payload)

    def greet(self, webhook: Webhook) -> HookReply:
        """The described answer to a handshake."""
        if self.description.webhook is None:
            return super().greet(webhook)
        values = {**self._caller.settings}
        return hooks.greet(self.description.webhook, values, webhook, self.manifest.title)

    def parse(self, body: bytes) -> Sequence[Change]:
        """The changes that an event means."""
        hook = self.description.webhook
        return tuple(hooks.changes(hook, self._reader, decode(body))) if hook is not None else ()

    async def pull(self, kind: PullKind, cursor: str | None, *, scope: str | None = None) -> Page:
        """One page, as described."""
        listing = self.description.pages.get(kind.value)
        if listing is None:
            return await super().pull(kind, cursor, scope=scope)
        return await pages.pull(
            kind,
            listing,
            Walk.at(cursor),
            scope=scope or "",
            caller=self._caller,
            reader=self._reader,
            base_url=str(self.http.base_url),
        )

    async def push(self, command: Command, uploads: Sequence[Upload] = ()) -> Pushed:
        """Carry a command out, as described."""
        how = commands.found(self.description, command)
        if how is None:
            return await super().push(command, uploads)
        return await commands.carry_out(
            how, command, self.description, caller=self._caller, reader=self._reader, uploads=uploads
        )

    async def find(self, query: Query) -> Found:
        """Look something up, as described."""
        how = lookups.described(self.description.find, query)
        if how is None:
            return await super().find(query)
        return await lookups.look_up(how, query, self._caller, self._reader)

    def fetch(self, attachment: Attachment) -> Fetch:
        """With our credentials, where the description says so and the file lies at the vendor's own host."""
        message = self.description.records.message
        needed = message is not None and message.attachments is not None and message.attachments.credentials
        if not needed or not same_origin(attachment.url, str(self.http.base_url)):
            return super().fetch(attachment)
        made = self.endpoint(self.settings)
        headers = dict(made["headers"])
        if isinstance(made.get("auth"), tuple):
            headers["Authorization"] = f"Basic {b64encode(':'.join(made['auth']).encode()).decode()}"
        return Fetch(url=attachment.url, headers=headers)

    def complaint(self, answer: Any, response: httpx.Response) -> AdapterError | None:  # noqa: ARG002 - read again, beside its status
        """The first of the described errors that the answer means."""
        return fault(
            self.description.errors, response, self._reader.settings, hidden=self.settings.every_secret
        )


class Http(Declared):
    """Whatever the file says that the setting `description` names."""

    manifest: ClassVar[Manifest] = Declared.manifest

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> type[Adapter]:
        """The adapter that the named file describes. Raises InvalidSettings."""
        named = settings.get("description")
        if not isinstance(named, str | Path) or not str(named):
            raise InvalidSettings("the adapter `http` needs `description`: the YAML file that says how it is")
        path = Path(named)
        return _of_file(path, path.stat().st_mtime_ns if path.is_file() else 0)


def described(path: Path) -> type[Declared]:
    """The adapter that a file describes. Its README and fixtures lie beside the file.

    Raises:
        DescriptionError: the file can't be used.
    """
    how = load(path)
    signature = how.webhook.signature if how.webhook is not None else None
    return type(
        "".join(word.capitalize() for word in path.stem.replace("_", "-").split("-")),
        (Declared,),
        {
            "__module__": __name__,
            "__doc__": f"{how.title}, as {path.name} describes it.",
            "path": path,
            "description": how,
            "manifest": manifest_of(how),
            "signature": signature,
            "keeps_tokens": how.keeps_tokens,
            "unavailable": how.webhook.unavailable if how.webhook is not None else 503,
        },
    )


@lru_cache(maxsize=64)
def _of_file(path: Path, _changed_at: int) -> type[Declared]:
    """Read once, until the file changes."""
    made = described(path)
    made.manifest = structs.replace(made.manifest, fields=(DESCRIPTION, *made.manifest.fields))
    return made


def _values(settings: Settings, manifest: Manifest) -> dict[str, Any]:
    """All settings by name; of a secret with several active values the first."""
    return {field.name: settings[field.name] for field in manifest.fields}


def _fresh(query: Mapping[str, declared.ForAll], values: Mapping[str, Any]) -> dict[str, str]:
    """Query parameters of every request; the nonce is another each time."""
    context = facts(settings=values, nonce=secrets.token_hex(16))
    return {name: each.text(context) for name, each in query.items()}
