"""Every request under the vendor's own description."""

from adapters.errors import Unsupported
from adapters.manifest import Tier
from adapters.testing.checking import check, require
from adapters.testing.checks.operations import operations
from adapters.testing.subject import Subject


@check(Tier.GOLD)
async def requests_valid(subject: Subject) -> None:
    """Every request is valid under the vendor's published description, without unknown keys."""
    require(
        subject.description,
        "give the vendor's OpenAPI description (`description` in fixtures/subject.toml or in the test class),"
        " or say in an exemption why there is none",
    )
    assert subject.description is not None
    from adapters.testing.judge import Judge  # noqa: PLC0415 - openapi-core is an extra

    for what, operate in operations(subject).items():
        judge = Judge(subject.description, subject.vendor(), base_path=subject.declared.base_path)
        async with subject.opened(judge) as (adapter, _):
            try:
                await operate(adapter)
            except Unsupported as error:
                raise AssertionError(f"{what} is declared, and unsupported") from error
        require(not judge.faults, f"{what}: {'; '.join(judge.faults)}")
