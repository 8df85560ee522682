"""Signatures: what is accepted, and above all what is not."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from adapters.contract import Adapter
from adapters.errors import BadSignature
from adapters.manifest import Tier
from adapters.signatures import Signature
from adapters.testing.checking import NotApplicable, check, require
from adapters.testing.subject import NOW, Subject
from adapters.webhook import Webhook

_BIT = timedelta(seconds=2)


@check(Tier.BRONZE)
def signature_good(subject: Subject) -> None:
    """A webhook signed just now is accepted, by every declared variant."""
    adapter, bare = _ready(subject)
    for each in subject.signatures:
        adapter.verify(subject.signed(each, bare), now=NOW)


@check(Tier.BRONZE)
def signature_missing(subject: Subject) -> None:
    """An unsigned webhook is refused, and so is one with an empty or an unreadable signature."""
    adapter, bare = _ready(subject)
    _refused(adapter, bare, "an unsigned webhook")
    for each in subject.signatures:
        for value in ("", each.prefix, each.prefix + "nonsense", "%%%"):
            _refused(adapter, _replaced(subject.signed(each, bare), each, value), f"the signature {value!r}")


@check(Tier.BRONZE)
def signature_tampered(subject: Subject) -> None:
    """A body that was changed under its signature is refused."""
    adapter, bare = _ready(subject)
    covering = [each for each in subject.signatures if "body}" in each.template]
    if not covering:
        raise NotApplicable("no declared signature covers the body")
    for each in covering:
        good = subject.signed(each, bare)
        for body in (good.body + b" ", b" " + good.body, good.body[:-1], b"{}", good.body.upper()):
            if body != good.body:
                _refused(adapter, msgspec.structs.replace(good, body=body), "a changed body")


@check(Tier.BRONZE)
def signature_stale(subject: Subject) -> None:
    """A webhook is refused once it is older than the tolerance, or comes from the future."""
    adapter, bare = _ready(subject)
    timed = [each for each in subject.signatures if each.timestamp_place and each.tolerance is not None]
    if not timed:
        raise NotApplicable("no declared signature bears a time")
    for each in timed:
        assert each.tolerance is not None
        require(
            "{timestamp}" in each.template, f"the {each.timestamp_place} isn't covered: anybody can renew it"
        )
        adapter.verify(subject.signed(each, bare, at=NOW - each.tolerance + _BIT), now=NOW)
        for at in (NOW - each.tolerance - _BIT, NOW + each.tolerance + _BIT):
            _refused(adapter, subject.signed(each, bare, at=at), f"a webhook of {at} at {NOW}")


@check(Tier.BRONZE)
def signature_rotated(subject: Subject) -> None:
    """While secrets are being changed the old and the new one hold; afterwards the old one doesn't."""
    _, bare = _ready(subject)
    for each in subject.signatures:
        fresh, old = "kit-fresh-secret", subject.settings[each.secret_field]
        both = subject.make(settings={each.secret_field: [fresh, old]})
        for secret in (fresh, old):
            both.verify(subject.signed(each, bare, secret=secret), now=NOW)
        after = subject.make(settings={each.secret_field: fresh})
        _refused(after, subject.signed(each, bare, secret=old), "the old secret, after it was taken away,")


@check(Tier.BRONZE)
def signature_variants(subject: Subject) -> None:
    """What is nearly right is wrong: another hash, encoding, separator, prefix, place or time unit."""
    adapter, bare = _ready(subject)
    for each in subject.signatures:
        good = subject.signed(each, bare)
        for what, variant in _variants(each):
            near = subject.signed(variant, bare)
            if near != good:
                _refused(adapter, near, what)


@check(Tier.BRONZE)
def signature_strongest(subject: Subject) -> None:
    """Of several variants the strongest that a webhook bears decides: a good weak one opens nothing."""
    if len(subject.signatures) < 2:  # noqa: PLR2004 - one alone can't be avoided
        raise NotApplicable("one signature is declared")
    adapter, bare = _ready(subject)
    strong, *weaker = subject.signatures
    forged = subject.signed(strong, bare, secret="kit-guessed-secret")  # noqa: S106 - a guess
    for each in weaker:
        _refused(adapter, subject.signed(each, forged), "a forged strong signature beside a good weak one")


@check(Tier.BRONZE)
def redelivered(subject: Subject) -> None:
    """The same event has the same key and lane when it is sent again: it is accepted only once."""
    for name, body in subject.webhooks.items():
        adapter = subject.make()
        receipts = [
            adapter.verify(_signed(subject, subject.webhook(body), at=at), now=at)
            for at in (NOW, NOW + timedelta(minutes=10))
        ]
        first, second = [[(each.key, each.lane) for each in receipt.deliveries] for receipt in receipts]
        require(first == second, f"{name}.json has the keys and lanes {first}, and sent again {second}")
        require(len(set(first)) == len(first), f"{name}.json holds two deliveries with one key: {first}")


@check(Tier.SILVER)
def signature_known(subject: Subject) -> None:
    """A webhook signed by the vendor, or by another tool, is accepted: declarations can be wrong, too."""
    if not subject.signatures:
        raise NotApplicable("no signature is declared")
    require(
        subject.known,
        "put a webhook that was signed elsewhere into fixtures/signatures/: by the vendor, its documentation,"
        " or a command such as openssl. What is only signed by its own declaration proves nothing",
    )
    for name, known in subject.known.items():
        fields = {each.secret_field: known.secret for each in subject.signatures}
        adapter = subject.make(settings={**known.settings, **fields})
        try:
            adapter.verify(known.webhook(), now=known.at)
        except BadSignature as error:
            raise AssertionError(f"signatures/{name}.json ({known.source}) is refused: {error}") from error


def _ready(subject: Subject) -> tuple[Adapter, Webhook]:
    if not subject.signatures:
        raise NotApplicable("no signature is declared")
    body = next(iter(subject.webhooks.values()), b"{}")
    return subject.make(), subject.webhook(body)


def _signed(subject: Subject, bare: Webhook, *, at: datetime) -> Webhook:
    return subject.signed(subject.signatures[0], bare, at=at) if subject.signatures else bare


def _refused(adapter: Adapter, webhook: Webhook, what: str) -> None:
    try:
        adapter.verify(webhook, now=NOW)
    except BadSignature:
        return
    raise AssertionError(f"{what} is accepted")


def _replaced(webhook: Webhook, signature: Signature, value: str) -> Webhook:
    if signature.header:
        return msgspec.structs.replace(webhook, headers={**webhook.headers, signature.header.lower(): value})
    return msgspec.structs.replace(webhook, query={**webhook.query, signature.parameter or "": value})


def _variants(signature: Signature) -> Iterator[tuple[str, Signature]]:
    """Signatures that differ from the declared one in a single thing."""
    replace = msgspec.structs.replace
    template = signature.template
    if signature.method != "shared":
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            yield f"the hash {algorithm}", replace(signature, algorithm=algorithm)
        for encoding in ("hex", "base64", "base64_hex"):
            yield f"the encoding {encoding}", replace(signature, encoding=encoding)
        yield "a separator before the body", replace(signature, signed=template.replace("{body}", ".{body}"))
        yield "a separator taken away", replace(signature, signed=template.replace(".", "").replace(":", ""))
        yield "a line's end after the body", replace(signature, signed=template + "\n")
        if "{timestamp}" in template:
            yield "a time that isn't covered", replace(signature, signed=template.replace("{timestamp}", ""))
    if signature.method == "hmac":
        plain = replace(signature, method="digest", signed="{secret}" + template)
        yield "a plain digest over secret and body", plain
    yield "a prefix", replace(signature, prefix="v0=" + signature.prefix)
    if signature.prefix:
        yield "no prefix", replace(signature, prefix="")
    if signature.timestamp_place:
        other = "ms" if signature.timestamp_unit == "s" else "s"
        yield f"a time in {other}", replace(signature, timestamp_unit=other)
    elsewhere = {"header": None, "parameter": "signature"} if signature.header else {"header": "X-Signature"}
    yield "another place", replace(signature, **{"parameter": None, **elsewhere})
