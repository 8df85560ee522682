"""How well and how fast the signals are told: `python tests/benchmarks/signals.py`.

Reads NLU++ (banking and hotels, CC BY 4.0) from the reference material, to measure only: its intent `handoff`
against `asked_for_person`. Says so and leaves where the data are absent.
"""

import json
import os
import sys
import timeit
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from rules.engine import decide  # noqa: E402
from rules.facts import AiFacts, CustomerFacts, Facts, MessageFacts  # noqa: E402
from rules.policy import load_policies  # noqa: E402
from rules.signals import asked_for_person, did_not_help, thanked  # noqa: E402


def say(line: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{line}\n")


def told_apart(domain: Path, *, verbose: bool) -> None:
    """Recall and precision of `asked_for_person` on one domain."""
    intents: dict[str, list[str]] = {}
    for fold in sorted(domain.glob("*.json")):
        for row in json.loads(fold.read_text(encoding="utf-8")):
            intents[row["text"]] = row.get("intents", [])
    wanted = {text for text, names in intents.items() if "handoff" in names}
    found = {text for text in intents if asked_for_person(text)}
    right = len(wanted & found)
    say(
        f"{domain.name}: {len(intents)} texts, {len(wanted)} ask for a person;"
        f" recall {right / len(wanted):.3f}, precision {right / max(len(found), 1):.3f}"
    )
    if verbose:
        for text in sorted(wanted - found):
            say(f"  missed: {text}")
        for text in sorted(found - wanted):
            say(f"  false:  {text}")


def microseconds(call: object, times: int = 2000) -> float:
    """The mean duration of a call."""
    assert callable(call)
    return timeit.timeit(call, number=times) / times * 1e6


def main() -> None:
    """Print the report."""
    reference = Path(os.environ.get("DESKBRIDGE_REFERENCE", ROOT.parent / "shared")) / "data" / "nlupp"
    if reference.is_dir():
        for name in ("banking", "hotels"):
            told_apart(reference / name, verbose="-v" in sys.argv)
    else:
        say(f"NLU++ is not at {reference} (set DESKBRIDGE_REFERENCE): accuracy not measured")
    text = "我的订单还没有到，麻烦帮我看看快递到哪里了。 Where is my order? It is due on Monday."
    for detect in (asked_for_person, did_not_help, thanked):
        say(f"{detect.__name__}: {microseconds(lambda detect=detect: detect(text)):.0f} µs")
    policies = load_policies(ROOT / "config" / "policies")
    facts = Facts(
        now=datetime.now(UTC),
        ai=AiFacts(turns=3, failed_turns=3),
        customer=CustomerFacts(attributes={"tier": "gold", "note": "x" * 50}),
        message=MessageFacts(text=text),
    )
    say(f"decide, default policy: {microseconds(lambda: decide(facts, policies)):.0f} µs")


if __name__ == "__main__":
    main()
