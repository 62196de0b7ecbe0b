"""What the audit tells of a really dirty table: twenty findings as a summary holds them, of every severity, done with in every way."""

from __future__ import annotations

from typing import Any

FILE = "export_2026-07_support_tickets_all_queues.csv"
READ = 12_480
TEXT = "My parcel was due on Tuesday and has still not come, nobody answers the phone, and the invoice was charged twice. " * 2

# rule, severity, action, rows concerned, message
_FOUND = (
    ("encoding", "info", "keep", 0, f"{FILE} was read as windows-1252, because it is no UTF-8"),
    ("unreadable-row", "error", "drop", 14, "14 rows could not be read: 9 cells, 8 wanted (11); 10 cells, 8 wanted (3)"),
    ("empty-text", "warning", "drop", 31, "31 rows without a text"),
    ("missing-label", "warning", "drop", 88, "88 rows without a label; 12 of them with a word that stands for none"),
    ("mojibake", "warning", "fix", 106, "106 rows with letters garbled by a wrong encoding, as 'cafÃ©' for 'café'"),
    ("label-variant", "warning", "fix", 145, "9 names of labels look like variants of others: 'Billing ', 'biling', 'BILLING'"),
    ("markup-only", "warning", "keep", 7, "7 rows that hold nothing but markup"),
    ("wrong-language", "warning", "keep", 212, "212 rows are not in English, as most rows are: German (180), French (32)"),
    ("personal-data", "warning", "keep", 640, "640 rows with personal data: 412 e-mail addresses, 208 phone numbers, 31 IBANs"),
    ("secret", "error", "keep", 3, "3 rows with a key or password that opens something"),
    ("conflicting-label", "warning", "keep", 58, "27 texts have different labels in 58 rows"),
    ("leak-exact", "error", "keep", 96, "test shares 48 of its 1,240 rows (3.9 %) with train (48 rows there)"),
    ("leak-group", "error", "refuse", 331, "test shares 29 customers with train (331 rows)"),
    (
        "rare-label",
        "warning",
        "keep",
        11,
        "2 labels have fewer than 10 rows: 'safety: smoke or fire' (6), 'praise for the driver of the van' (5)",
    ),
    ("exact-duplicate", "info", "drop", 402, "201 rows that repeat an earlier row with the same label (190 in train, 11 in test)"),
    ("near-duplicate", "info", "keep", 377, "377 rows in 160 clusters say nearly the same (Jaccard 0.8 or more)"),
    ("label-noise", "warning", "keep", 240, "240 rows whose label is probably wrong; the surest are quoted first"),
    ("shortcut", "warning", "keep", 911, "the word 'unsubscribe' predicts the label 'marketing' almost alone (precision 0.99 in 911 rows)"),
    ("over-long", "info", "keep", 73, "73 rows are longer than 256 tokens: 9,120 tokens are lost"),
    ("imbalance", "info", "keep", 0, "labels of very different frequency in train: 'billing' has 4,100 rows (41.0 %), 'praise' has 9"),
    ("checks/house_rules.py:NoTicketNumber", "warning", "keep", 19, "19 rows name a ticket number of the old system"),
    ("own-rule-failed", "error", "keep", 0, "the rule checks/house_rules.py:Signed raised ZeroDivisionError: division by zero"),
)
NO_RECIPE = {"encoding", "markup-only", "checks/house_rules.py:NoTicketNumber"}


def _shown(rule: str, rows: int) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = [{"file": FILE, "row": 17 + 230 * at, "text": TEXT[7 * at :]} for at in range(min(rows, 5))]
    if rule == "label-noise":
        shown = [one | {"label": "billing", "suggested": "technical problem"} for one in shown]
    return shown


def _message(message: str, rows: int, action: str) -> str:
    where = f" (rows 17, 247, 477, 707 and 937 of {FILE} and {rows - 5:,} more)" if rows > 5 else ""
    return f"{message}{where}.{ {'drop': f' Removed: {rows:,}.', 'fix': f' Repaired: {rows:,}.'}.get(action, '') }"


def findings() -> list[dict[str, Any]]:
    """In the order in which the rules looked."""
    return [
        {
            "rule": rule,
            "severity": severity,
            "message": _message(message, rows, action),
            "remedy": "Look at the rows and decide, or let the recipe decide for you",
            "recipe": "" if rule in NO_RECIPE else f"data.policy.{rule}: drop",
            "action": action,
            "rows": rows,
            "shown": _shown(rule, rows),
        }
        for rule, severity, action, rows, message in _FOUND
    ]


def summary() -> dict[str, Any]:
    """The summary of the dataset that was prepared from it."""
    by_rule = {"unreadable-row": 14, "empty-text": 31, "missing-label": 88, "exact-duplicate": 190}
    kept = READ - sum(by_rule.values())
    names = {"billing": 0.41, "late delivery": 0.3, "technical problem": 0.2, "returns and refunds of parcels that came broken": 0.08}
    rows = {"train": kept - 2 * 1_240, "validation": 1_240, "test": 1_240}
    splits = {
        split: {"rows": count, "labels": {name: int(share * count) for name, share in names.items()} | {"praise | <b>": count // 1000}}
        for split, count in rows.items()
    }
    source = {"name": FILE, "format": "csv", "encoding": "windows-1252", "delimiter": ";", "rows": READ, "bytes": 3_918_221}
    return {
        "task": "text-classification",
        "columns": {"text": "body", "label": "queue"},
        "labels": [*names, "praise | <b>"],
        "sources": [source | {"sha256": "0f" * 32, "split": None}],
        "rows": {"read": READ, "kept": kept, "quarantined": sum(by_rule.values()), "by_rule": by_rule},
        "split": {"by": "stratified", "made": ["validation", "test"], "given": [], "seed": 0},
        "splits": splits,
        "never_trained": {},
        "test_without_label": 0,
        "rules": {"empty-text": "drop", "leak-exact": "keep"},
        "findings": findings(),
    }
