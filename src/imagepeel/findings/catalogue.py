"""All rules, by family."""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.errors import UsageError
from imagepeel.findings.finding import LESSONS
from imagepeel.findings.rule import Rule
from imagepeel.findings.rules import FAMILIES

RULES: tuple[Rule, ...] = tuple(rule for rules in FAMILIES.values() for rule in rules)
"""The catalogue, family by family."""

FAMILY_OF = {rule.id: name for name, rules in FAMILIES.items() for rule in rules}
"""The family of each rule, by the rule's id."""

_BY_ID = {rule.id: rule for rule in RULES}
_BY_CODE = {code: rule for rule in reversed(RULES) for code in rule.codes}


def find_rule(name: str) -> Rule:
    """Return the rule with this id, or one of the codes it merges (`W1`, `LINKSHADOW`), in any case.

    UsageError when there is none, with the nearest ids as hint.
    """
    wanted = name.upper()
    found = _BY_ID.get(wanted) or _BY_CODE.get(wanted)
    if found is None:
        import difflib  # start time

        near = difflib.get_close_matches(wanted, _BY_ID, n=3, cutoff=0.7)
        near = near or [id for id in _BY_ID if len(wanted) > 2 and wanted in id][:3]
        hint = f"did you mean {' or '.join(near)}?" if near else "imagepeel wtf --list shows all rules"
        raise UsageError(f"there is no rule {name!r}", hint=hint)
    return found


def select_rules(select: Sequence[str] = (), ignore: Sequence[str] = ()) -> tuple[Rule, ...]:
    """Return the rules named by id, code or lesson in `select` (all when empty), without those in `ignore`.

    A name may be several, separated by commas.  UsageError for a name that is neither.
    """

    def ids(names: Sequence[str]) -> set[str]:
        out: set[str] = set()
        for name in (part.strip() for given in names for part in given.split(",")):
            if name.lower() in LESSONS:
                out.update(rule.id for rule in RULES if rule.lesson == name.lower())
            else:
                out.add(find_rule(name).id)
        return out

    wanted, unwanted = ids(select), ids(ignore)
    return tuple(rule for rule in RULES if (not wanted or rule.id in wanted) and rule.id not in unwanted)
