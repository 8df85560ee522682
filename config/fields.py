"""The part of the configuration that says which fields are kept equal, and how."""

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_CUSTOMER_FIELD = re.compile(r"name|attributes\..+")
_CONVERSATION_FIELD = re.compile(r"status|tags|subject|attributes\..+")
STATUSES = ("pending", "open", "snoozed", "resolved")
"""What a conversation's status can be set to."""


class FieldSettings(BaseModel):
    """How one field is kept equal at the connections that take part."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    owner: str | None = None
    """The connection that the field belongs to."""
    direction: Literal["in", "out", "both"] = "both"
    """`both`: an edit anywhere reaches everywhere. `out`: only the owner's edits count, and edits elsewhere
    are undone. `in`: taken from the owner, or from wherever it changes, and never written."""
    merge: Literal["owner", "newest", "union", "lattice", "append", "ask"] = "owner"
    """Who wins when two sides were edited since they last agreed: the `owner`; the `newest` edit;
    the `union` of what was added, without what was removed; the higher on a `lattice`; ours with theirs
    added (`append`); or a person, who is asked (`ask`)."""
    order: tuple[str, ...] = ()
    """The values of a `lattice`, lowest first."""
    connections: frozenset[str] | None = None
    """The connections that take part; without it, all."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.merge == "owner" and self.owner is None and self.direction != "in":
            raise ValueError(
                "nobody would win when two sides are edited: name its owner (owner: CONNECTION),"
                " or say how edits merge (merge: newest, union, lattice, append or ask)"
            )
        if self.direction == "out" and self.owner is None:
            raise ValueError("direction out needs an owner, whose edits go out (owner: CONNECTION)")
        if (self.merge == "lattice") != bool(self.order):
            raise ValueError(
                "merge: lattice and order: [LOWEST, …, HIGHEST] belong together: give both or neither"
            )
        if self.owner and self.connections is not None and self.owner not in self.connections:
            raise ValueError(f"its owner {self.owner} must be among its connections: add it there")
        return self

    def names(self) -> frozenset[str]:
        """The connections that it speaks of."""
        return (self.connections or frozenset()) | ({self.owner} if self.owner else frozenset())


class SharedFields(BaseModel):
    """The fields that are kept equal. All others are mirrored from where they come and never written."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    customer: dict[str, FieldSettings] = Field(default_factory=dict)
    """Fields of customers: `name`, or `attributes.` and the attribute's name."""
    conversation: dict[str, FieldSettings] = Field(default_factory=dict)
    """Fields of linked conversations: `status`, `tags`, `subject`, or `attributes.` and a name."""

    @field_validator("customer")
    @classmethod
    def _exist(cls, fields: dict[str, FieldSettings]) -> dict[str, FieldSettings]:
        for name in fields:
            if not _CUSTOMER_FIELD.fullmatch(name):
                raise ValueError(
                    f"a customer has no field {name!r} that can be written: use name or attributes.NAME"
                )
        return fields

    @field_validator("conversation")
    @classmethod
    def _can_be_written(cls, fields: dict[str, FieldSettings]) -> dict[str, FieldSettings]:
        for name, chosen in fields.items():
            if not _CONVERSATION_FIELD.fullmatch(name):
                raise ValueError(
                    f"a conversation has no field {name!r} that can be written: use status, tags, subject"
                    " or attributes.NAME"
                )
            if name == "status" and (wrong := set(chosen.order) - set(STATUSES)):
                raise ValueError(
                    f"status: no conversation can be {', '.join(sorted(wrong))}: order {', '.join(STATUSES)}"
                )
            if name in {"status", "subject"} and chosen.merge in {"union", "append"}:
                raise ValueError(f"{name} is one text: {chosen.merge} is for lists; use another merge")
            if name == "tags" and chosen.merge in {"lattice", "append"}:
                raise ValueError(f"tags are a set: {chosen.merge} isn't for them; use merge: union")
        return fields
