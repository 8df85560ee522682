"""Reading a multipart form as a vendor would."""

import re
from typing import Any

_NAME = re.compile(r'name="([^"]*)"(?:; filename="([^"]*)")?')
_TYPE = re.compile(r"content-type: (\S+)", re.IGNORECASE)


def fields(content: bytes, content_type: str) -> dict[str, Any]:
    """The fields: texts, and of files a dict with `name`, `type` and `data`; `[]` makes a list."""
    boundary = b"--" + content_type.partition("boundary=")[2].encode()
    read: dict[str, Any] = {}
    for part in content.split(boundary)[1:-1]:
        head, _, body = part.removesuffix(b"\r\n").partition(b"\r\n\r\n")
        name, value = _read(head.decode(), body)
        if name.endswith("[]"):
            read.setdefault(name.removesuffix("[]"), []).append(value)
        else:
            read[name] = value
    return read


def _read(head: str, body: bytes) -> tuple[str, Any]:
    named, typed = _NAME.search(head), _TYPE.search(head)
    assert named is not None
    name, filename = named.groups()
    if filename is None:
        return name, body.decode()
    return name, {"name": filename, "type": typed[1] if typed else "", "data": body}
