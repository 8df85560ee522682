"""Writing shared fields to a record: what was begun, what was taken, and what the vendor made of it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct

from sync.copies import SharedRecord
from sync.fields import ATTRIBUTE, FieldRules, copy_of, to_write, value_of
from sync.merge import same


def begin(customer: SharedRecord, rules: FieldRules) -> dict[str, Any]:
    """What to write now, noted down first: it may be heard of before the write is known to have worked."""
    wanted = to_write(customer, rules)
    for name, value in wanted.items():
        copy = customer.shared.setdefault(name, copy_of(customer, name))
        if not any(same(sent, value) for sent in copy.sent):
            copy.sent.append(value)
            customer.dirty = True
    return wanted


def withdraw(customer: SharedRecord, written: Mapping[str, Any]) -> None:
    """The vendor refused what we began to write: who comes to hold one of these values has chosen it."""
    for name, value in written.items():
        copy = customer.shared.get(name)
        if copy is not None:
            copy.sent = [sent for sent in copy.sent if not same(sent, value)]
            customer.dirty = True


class Shown(Struct, frozen=True):
    """A record as the vendor shows it, and the rules to read its values by."""

    record: SharedRecord
    rules: FieldRules

    def value(self, name: str) -> Any:
        """What it shows of a field."""
        return value_of(self.record, name, self.rules.listed[name])


def ignored(customer: SharedRecord, written: Mapping[str, Any], *, before: Shown, after: Shown) -> list[str]:
    """The fields that the vendor left as they were although it took our write."""
    return [
        name
        for name, value in written.items()
        if not same(after.value(name), value)
        and same(after.value(name), before.value(name))
        and not _is_a_form_of(customer, name, (value, after.value(name)))
    ]


def _is_a_form_of(customer: SharedRecord, name: str, pair: tuple[Any, Any]) -> bool:
    """Whether a vendor of this person or case has shown one of these for the other before."""
    for each in customer.everyone:
        turned = each.shared[name].turned if name in each.shared else None
        if turned is not None and any(same([*turned], [*way]) for way in (pair, pair[::-1])):
            return True
    return False


def is_under_way(customer: SharedRecord, names: Sequence[str]) -> bool:
    """Whether one of these fields is being written to another record: what becomes of it there isn't known.

    We may have heard already what that vendor made of it, and not know yet that it was made of our write.
    """
    others = [each for each in customer.everyone if each is not customer]
    return any(name in each.shared and each.shared[name].sent for each in others for name in names)


def confirm(
    customer: SharedRecord,
    written: Mapping[str, Any],
    *,
    now: datetime,
    overtaken: bool = False,
    after: Shown | None = None,
) -> None:
    """The write has worked: this is what they hold, unless we have heard of something newer since.

    A vendor may keep it in a form of its own: text for numbers, say. What it shows instead is taken for an
    edit once, and goes to the others. From then on it is known that the one stands for the other: else
    two such vendors would be written to for ever.
    """
    for name, value in written.items():
        copy = customer.shared.setdefault(name, copy_of(customer, name))
        copy.sent, copy.restore = [], None
        if not overtaken:
            _confirm_one(customer, name, value, value if after is None else after.value(name), now)
    customer.dirty = True


def _confirm_one(customer: SharedRecord, name: str, value: Any, shown: Any, now: datetime) -> None:
    copy = customer.shared[name]
    turned = not same(value, shown)
    known = turned and _is_a_form_of(customer, name, (value, shown))
    copy.turned = (value, shown) if turned else copy.turned
    _mirror(customer, name, shown if known else value)
    if copy.dispute is None:
        copy.before, copy.written_at = copy.held, now
        copy.held, copy.meant = (shown, value) if known else (value, UNSET)


def _mirror(customer: SharedRecord, name: str, value: Any) -> None:
    key = name.removeprefix(ATTRIBUTE)
    if key == name:
        setattr(customer, name, value or type(getattr(customer, name))())
    else:
        customer.attributes = {**customer.attributes, key: value}
        if value is None:
            del customer.attributes[key]
