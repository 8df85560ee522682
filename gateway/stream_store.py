"""What the AI has said lately in live streams. Nothing here commits."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TEXT, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from config.database import Direct
from gateway.streams import Key, Said, Stream, sources_of

_WITHIN = timedelta(minutes=10)
"""How far back is looked at most; and so long a comment may have waited for its answer."""
_LOCKS = 0x6C697665
"""The class of advisory locks of streams: "live", in ASCII."""
_LOCK = Direct(
    text("""
SELECT pg_advisory_xact_lock(:class, s.number)
FROM (SELECT DISTINCT hashtext(name) AS number FROM unnest(:names) AS n(name) ORDER BY 1) s
""").bindparams(bindparam("names", type_=ARRAY(TEXT)))
)
# Who answers in a stream has locked it, so what others said there is committed and seen.
_SAID = Direct(
    text("""
WITH touched AS (
  SELECT v.ref, v.connection, s.name FROM unnest(:connections, :names) AS s(connection, name)
  JOIN conversation v ON v.connection = s.connection AND v.stream = s.name
  WHERE v.channel = 'live' AND v.stream <> '' AND v.last_message_at > :since
  UNION ALL
  SELECT v.ref, v.connection, '#' || v.ref FROM conversation v WHERE v.ref = ANY(:refs)
)
SELECT v.connection, v.name, min(c.body ->> 'text') AS text, min(c.created_at) AS at,
  max(t.answer ->> 'language') AS language,
  jsonb_agg(t.answer -> 'citations') FILTER (WHERE t.answer ->> 'state' = 'sent') AS cited
FROM touched v
JOIN command c ON c.conversation_ref = v.ref AND c.connection = v.connection AND c.kind = 'reply'
LEFT JOIN turn t ON t.conversation_ref = v.ref AND t.number = c.turn
WHERE c.created_at > :since AND c.body ->> 'author' = 'ai'
  AND c.state IN ('waiting', 'in_flight', 'done')
GROUP BY v.connection, v.name, v.ref, c.event_ref, c.decision_ref
""").bindparams(
        bindparam("connections", type_=ARRAY(TEXT)),
        bindparam("names", type_=ARRAY(TEXT)),
        bindparam("refs", type_=ARRAY(BIGINT)),
        bindparam("since", type_=TIMESTAMP(timezone=True)),
    )
)


async def load(
    connection: AsyncConnection, wanted: Mapping[Key, int | None], *, now: datetime
) -> dict[Key, Stream]:
    """What was said in these streams, each locked until the transaction ends."""
    if not wanted:
        return {}
    shared = [key for key, ref in wanted.items() if ref is None]
    if shared:
        names = [f"{home}/{name}" for home, name in shared]
        await _LOCK.rows(connection, {"class": _LOCKS, "names": names})
    values = {
        "connections": [home for home, _ in shared],
        "names": [name for _, name in shared],
        "refs": [ref for ref in wanted.values() if ref is not None],
        "since": now - _WITHIN,
    }
    found: dict[Key, Stream] = {key: Stream() for key in wanted}
    for row in await _SAID.rows(connection, values):
        cited = {"citations": (row.cited or [[]])[0], "language": row.language}
        said = Said(text=row.text, sources=sources_of(cited, ""), at=row.at)
        found[row.connection, row.name].said.append(said)
    return found
