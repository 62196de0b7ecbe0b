"""Rules look, the recipe's policies decide, and every decision becomes a finding."""

from __future__ import annotations

import inspect
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from tunewright.core.errors import DataRefused, UserError
from tunewright.core.folder import file_hash
from tunewright.core.own_code import load, quoted
from tunewright.core.schema import SPLITS, Finding, Numbers, Place, Policy
from tunewright.core.switches import settings_of
from tunewright.data.audit import RULES
from tunewright.data.audit.base import Hit, Looked, Rule, Services
from tunewright.data.shelf import only, replaced
from tunewright.tasks import TASKS
from tunewright.tasks.base import Role, Task

QUOTED = 5
"""Rows quoted by number in a message; findings.parquet has all."""
FAILED, FAILED_OWN = "rule-failed", "own-rule-failed"
"""What a finding is called that tells of a rule that raised: one of ours, or one of the user's own."""
OWN_WANTED = "a class derived from tunewright.data.audit.base.Rule was wanted, as file.py:Class or package.module:Class"


@dataclass(frozen=True)
class Removed:
    """Rows that a rule took away: their numbers in the table as read, and why, one reason each."""

    rule: str
    numbers: np.ndarray
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Applied:
    """What is left, what was found, and what was taken away."""

    looked: Looked
    findings: tuple[Finding, ...]
    removed: tuple[Removed, ...]


@dataclass(frozen=True)
class Chosen:
    """The rules of a recipe, in the order in which they look, and what is done with the rows that each finds.

    Args:
        rules: name -> rule with its settings; rules that are not enabled are left out.
        policy: name -> policy, of the same rules.
    """

    rules: Mapping[str, Rule]
    policy: Mapping[str, Policy]

    def spec(self) -> dict[str, Any]:
        """Every rule with its settings and its policy, in plain values; one of the user's own with the hash of its file."""
        found = {}
        for name, rule in self.rules.items():
            found[name] = {**rule.stands_for(), "policy": self.policy[name]}
            if ":" in name:
                found[name]["code"] = file_hash(Path(inspect.getfile(type(rule))))
        return found

    def called(self, services: Services) -> list[str | int | None]:
        """What decides about rows from outside: the encoder or the tokenizer's limit, where a rule that asks them may take rows away."""
        used = {service for name, rule in self.rules.items() if self.policy[name] != "keep" for service in rule.uses}
        found: list[str | int | None] = [services.embed_name] if "embed" in used else []
        return [*found, services.max_tokens] if "count_tokens" in used else found


def chosen(rules: Mapping[str, bool | Mapping[str, Any]], policy: Mapping[str, Policy], folder: Path) -> Chosen:
    """Every rule of ours and every one of the user's own that a recipe has enabled.

    Args:
        rules: ``data.rules`` of a recipe.
        policy: ``data.policy`` of a recipe; a rule left out keeps its default.
        folder: where the recipe stands.

    Raises:
        UserError: a rule of the user's own cannot be loaded, or cannot do what its policy says.
    """
    classes = {name: RULES.get(name) for name in RULES.places()}
    classes |= {name: _own(name, folder) for name in rules if ":" in name}
    built = {name: kind.read(settings_of(rules.get(name, {}))).beside(folder) for name, kind in classes.items()}
    if strange := [name for name in policy if name not in built]:
        raise UserError(
            f"data.policy names {strange[0]!r}, which is no rule of data.rules", "", f"Write data.rules: {{{strange[0]}: true}}"
        )
    on = {name: rule for name, rule in built.items() if rule.enabled}
    if idle := [name for name in policy if name not in on]:
        raise UserError(
            f"data.policy.{idle[0]} would do nothing: the rule is off", "", f"Write data.rules: {{{idle[0]}: {built[idle[0]].switched_on}}}"
        )
    return Chosen(on, {name: _allowed(name, rule, policy.get(name, rule.default)) for name, rule in on.items()})


def _own(spec: str, folder: Path) -> type[Rule]:
    found = getattr(load("data.rules", spec, folder, OWN_WANTED), spec.rpartition(":")[2], None)
    if not (isinstance(found, type) and issubclass(found, Rule)):
        raise UserError(f"data.rules: {spec!r} names no rule", OWN_WANTED, "See docs/how-to for a rule of your own")
    return found


def _allowed(name: str, rule: Rule, wanted: Policy) -> Policy:
    if wanted not in rule.policies:
        raise UserError(f"data.policy.{name}: {wanted} is none of its policies", f"Known for this rule: {', '.join(rule.policies)}")
    return wanted


def apply(when: Literal["clean", "split"], looked: Looked, chosen: Chosen, task: Task) -> Applied:
    """Let every rule of this moment look, one after the other, each at what the ones before it left.

    A rule with the policy ``refuse`` goes on by its default, so that all refusals are told at once by ``refuse``. A rule that raises is
    itself a finding, called ``rule-failed``, and the others look on.
    """
    findings: list[Finding] = []
    removed: list[Removed] = []
    policy = chosen.policy
    for name, rule in chosen.rules.items():
        if rule.when == when and serves(rule, task, looked.roles):
            hits, failed = _looks(name, rule, looked, vital=rule.vital and policy[name] == "fix")
            findings += failed
            for hit in hits:
                found, gone, looked = _decide(name, rule, hit, policy[name], looked)
                findings.append(found)
                removed += [gone] if gone is not None and len(gone.numbers) else []
            lost = np.concatenate([one.numbers for one in removed if one.rule == name] or [np.zeros(0, dtype=np.int64)])
            looked = looked.only(~np.isin(looked.number, lost)) if len(lost) else looked
    return Applied(looked, tuple(findings), tuple(removed))


def _looks(name: str, rule: Rule, looked: Looked, vital: bool) -> tuple[list[Hit], list[Finding]]:
    """What a rule found; and where it raised, the finding that says so. What a ``vital`` rule raises goes on to the caller."""
    hits: list[Hit] = []
    try:
        hits.extend(rule.look(looked))
    except UserError:
        raise
    except Exception as error:
        if vital:
            raise
        return hits, [_failed(name, error)]
    return hits, []


def _failed(name: str, error: Exception) -> Finding:
    own = ":" in name
    return Finding(
        rule=FAILED_OWN if own else FAILED,
        severity="error",
        message=f"the rule {name} raised {quoted(error, '')}; what it looks for is not known of these rows",
        remedy="Mend the rule"
        if own
        else "Report this as a bug of tunewright, with the message; data.rules can leave the rule out meanwhile",
        recipe=f"data.rules: {{{name}: false}}",
    )


def refuse(findings: Sequence[Finding]) -> None:
    """Stop if any finding says ``refuse``.

    Raises:
        DataRefused: naming every refusing rule, what it found and how to see the rows.
    """
    refused = [finding for finding in findings if finding.action == "refuse"]
    if refused:
        lines = "\n".join(f"  {finding}\n    remedy: {finding.remedy.rstrip('.')}." for finding in refused)
        keys = " ".join(f"--set data.policy.{rule}={_milder(rule)}" for rule in dict.fromkeys(finding.rule for finding in refused))
        raise DataRefused(
            f"{len(refused)} finding(s) that the recipe's data.policy refuses:\n{lines}",
            "",
            f"To see every row, prepare the dataset with {keys} and open findings.parquet",
        )


def quote(places: Sequence[Place]) -> str:
    """The first rows by number, and how many more there are.

    >>> quote([Place(file="a.csv", row=3), Place(file="a.csv", row=9)])
    'rows 3 and 9 of a.csv'
    """
    shown, rest = places[:QUOTED], len(places) - QUOTED
    if len({place.file for place in shown}) == 1:
        numbers = [str(place.row) for place in shown]
        tail = f" of {shown[0].file}"
        head = "row " if len(places) == 1 else "rows "
    else:
        numbers, head, tail = [str(place) for place in shown], "", ""
    if rest > 0:
        return f"{head}{', '.join(numbers)}{tail} and {rest:,} more"
    return head + (" and ".join(filter(None, [", ".join(numbers[:-1]), numbers[-1]]))) + tail


def serves(rule: Rule, task: Task, roles: Sequence[Role]) -> bool:
    """Whether a rule is one for this task, and has something to look at in a table with these roles."""
    has = {role.kind for role in roles}
    return bool(has.intersection(rule.looks_at)) and (not rule.tasks or TASKS.name_of(task) in rule.tasks)


def _decide(name: str, rule: Rule, hit: Hit, wanted: Policy, looked: Looked) -> tuple[Finding, Removed | None, Looked]:
    """The finding of a hit, the rows it takes away, and the rows with its repairs."""
    action: Policy = "keep" if hit.told_only else wanted
    does = rule.default if action == "refuse" else action
    spared = np.zeros(len(hit.rows), dtype=bool) if rule.reaches_test else looked.locked[hit.rows]
    gone = None
    done, counted = "", _figures(rule, hit, looked)
    if does == "drop":
        meant = np.ones(len(hit.rows), dtype=bool) if hit.removable is None else hit.removable
        gone = _removed(name, hit, meant & ~spared, looked)
        counted |= {"removed": len(gone.numbers) + len(hit.places), "left_in_test": int((meant & spared).sum())}
        done = f" Removed: {counted['removed']:,}." + _stay(int(counted["left_in_test"]))
    elif does == "fix":
        looked = _fixed(looked, hit, ~spared)
        counted |= {"repaired": int((~spared).sum()), "left_in_test": int(spared.sum())}
        done = f" Repaired: {counted['repaired']:,}." + _stay(int(counted["left_in_test"]))
    places = hit.places or looked.places(hit.rows)
    rows = f" ({quote(places)})" if places else ""
    finding = Finding(
        rule=name,
        severity="info" if hit.remedy else rule.severity,
        message=f"{hit.message}{rows}.{'' if action == 'refuse' else done}",
        remedy=hit.remedy or rule.remedy,
        action=action,
        places=places,
        groups=() if hit.groups is None else _compact(hit.groups),
        recipe="" if hit.remedy else rule.recipe,
        kept=() if gone is None or hit.places else _compact(~np.isin(looked.number[hit.rows], gone.numbers)),
        numbers=counted,
    )
    return finding, gone, looked


def _compact(numbers: np.ndarray) -> Numbers:
    return Numbers(array("q", numbers.astype(np.int64).tobytes()))


def _figures(rule: Rule, hit: Hit, looked: Looked) -> dict[str, int | float]:
    """What can be counted of every hit, the settings of its rule that are numbers, and what the rule itself measured."""
    settings = {name: value for name, value in rule if isinstance(value, (int, float)) and not isinstance(value, bool)}
    found: dict[str, int | float] = {**settings, "rows": len(hit.rows) or len(hit.places), "rows_looked_at": len(looked)}
    if len(hit.rows):
        found["share"] = len(hit.rows) / len(looked)
        here, whole = (np.bincount(split, minlength=len(SPLITS)).tolist() for split in (looked.split[hit.rows], looked.split))
        for name, count, total in zip(SPLITS, here, whole, strict=True):
            found |= {f"rows_{name}": count, f"share_{name}": count / total} if count else {}
    if hit.groups is not None and len(hit.groups):
        sizes = np.unique(hit.groups, return_counts=True)[1]
        found |= {"clusters": len(sizes), "largest_cluster": int(sizes.max())}
    return {**found, **hit.numbers}


def _stay(count: int) -> str:
    return f" Left alone in the test split of the source: {count:,}." if count else ""


def _removed(name: str, hit: Hit, away: np.ndarray, looked: Looked) -> Removed:
    reasons = repeat(hit.reasons, len(hit.rows)) if isinstance(hit.reasons, str) else hit.reasons
    return Removed(name, looked.number[hit.rows[away]], tuple(compress(reasons, away)))


def _fixed(looked: Looked, hit: Hit, mended: np.ndarray) -> Looked:
    """The rows with the values of ``hit.fixed`` where ``mended`` (bool, one per hit) says so."""
    values = {name: only(pa.table({name: found}), mended)[name] for name, found in hit.fixed.items()}
    return looked.mended({name: replaced(looked.rows[name], hit.rows[mended], new) for name, new in values.items()})


def _milder(rule: str) -> Policy:
    return "drop" if rule in RULES.places() and "keep" not in RULES.get(rule).policies else "keep"
