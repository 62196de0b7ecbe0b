"""Audit rules: each looks at a table and tells which rows are doubtful. The order of the table is the order in which they look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.core.registry import Registry

if TYPE_CHECKING:
    from tunewright.data.audit.base import Rule

RULES: Registry[Rule] = Registry(
    "rule",
    {
        "unreadable-row": "tunewright.data.audit.rows:UnreadableRow",
        "personal-data": "tunewright.data.audit.personal:PersonalData",
        "secret": "tunewright.data.audit.personal:Secret",
        "empty-text": "tunewright.data.audit.rows:EmptyText",
        "missing-label": "tunewright.data.audit.missing:MissingLabel",
        "unreadable-label": "tunewright.data.audit.missing:UnreadableLabel",
        "span-mismatch": "tunewright.data.audit.spans:SpanMismatch",
        "span-edges": "tunewright.data.audit.spans:SpanEdges",
        "span-overlap": "tunewright.data.audit.spans:SpanOverlap",
        "span-cuts-word": "tunewright.data.audit.spans:SpanCutsWord",
        "tag-sequence": "tunewright.data.audit.spans:TagSequence",
        "answer-spelling": "tunewright.data.audit.answers:AnswerSpelling",
        "answer-place": "tunewright.data.audit.answers:AnswerPlace",
        "answer-not-in-context": "tunewright.data.audit.answers:AnswerNotInContext",
        "mojibake": "tunewright.data.audit.mojibake:Mojibake",
        "control-characters": "tunewright.data.audit.characters:ControlCharacters",
        "markup-only": "tunewright.data.audit.content:MarkupOnly",
        "too-short": "tunewright.data.audit.lengths:TooShort",
        "truncated-text": "tunewright.data.audit.truncated:TruncatedText",
        "wrong-language": "tunewright.data.audit.language:WrongLanguage",
        "constant-column": "tunewright.data.audit.constant:ConstantColumn",
        "shortcut": "tunewright.data.audit.shortcuts:Shortcut",
        "label-variant": "tunewright.data.audit.variants:LabelVariant",
        "label-not-learned": "tunewright.data.audit.rows:LabelNotLearned",
        "conflicting-label": "tunewright.data.audit.duplicates:ConflictingLabel",
        "conflicting-number": "tunewright.data.audit.numbers:ConflictingNumber",
        "number-outlier": "tunewright.data.audit.numbers:NumberOutlier",
        "leak-exact": "tunewright.data.audit.leaks:LeakExact",
        "leak-near": "tunewright.data.audit.near_duplicates:LeakNear",
        "leak-group": "tunewright.data.audit.groups:LeakGroup",
        "leak-time": "tunewright.data.audit.groups:LeakTime",
        "leak-benchmark": "tunewright.data.audit.known_tests:LeakBenchmark",
        "rare-label": "tunewright.data.audit.labels:RareLabel",
        "label-noise": "tunewright.data.audit.label_noise:LabelNoise",
        "exact-duplicate": "tunewright.data.audit.duplicates:ExactDuplicate",
        "normalised-duplicate": "tunewright.data.audit.duplicates:NormalisedDuplicate",
        "near-duplicate": "tunewright.data.audit.near_duplicates:NearDuplicate",
        "semantic-duplicate": "tunewright.data.audit.near_duplicates:SemanticDuplicate",
        "label-never-trained": "tunewright.data.audit.labels:LabelNeverTrained",
        "over-long": "tunewright.data.audit.lengths:OverLong",
        "imbalance": "tunewright.data.audit.labels:Imbalance",
        "covariate-shift": "tunewright.data.audit.shift:CovariateShift",
    },
)

RULES_VERSION = 6
"""Raised when a table is read otherwise than before, or a rule finds other rows, mends them otherwise or tells more of them: datasets then
get a new version."""
