"""Questions in paragraphs of articles, as the SQuAD data sets are written, as rows: one for each question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def is_nested(value: Any) -> bool:
    """Whether a JSON document is a list of articles with paragraphs and their questions, perhaps under ``data``."""
    return any(
        isinstance(part, Mapping) and "context" in part and isinstance(part.get("qas"), list)
        for article in _articles(value)
        if isinstance(article, Mapping)
        for part in _list(article.get("paragraphs"))
    )


def rows(value: Any) -> list[Any]:
    """One row for each question: ``id, title, question, context, answers``, and what else stands beside the question.

    ``is_impossible`` says that there is no answer; ``plausible_answers`` are no answers and stay beside. What is no article, paragraph
    or question is handed on as it is, so that the reader can tell it.
    """
    return [row for article in _articles(value) for row in _of_article(article)]


def _of_article(article: Any) -> Iterator[Any]:
    if not isinstance(article, Mapping) or not isinstance(article.get("paragraphs"), list):
        yield _unread(article)
        return
    for part in article["paragraphs"]:
        if not isinstance(part, Mapping) or not isinstance(part.get("qas"), list):
            yield _unread(part)
            continue
        for asked in part["qas"]:
            yield _row(article.get("title"), part.get("context"), asked) if isinstance(asked, Mapping) else _unread(asked)


def _row(title: Any, context: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    answers = [] if asked.get("is_impossible") is True else asked.get("answers")
    first = {"id": asked.get("id"), "title": title, "question": asked.get("question"), "context": context, "answers": answers}
    return first | {name: value for name, value in asked.items() if name not in first and name != "is_impossible"}


def _unread(value: Any) -> Any:
    """Something that the reader takes for no row."""
    return [value] if isinstance(value, Mapping) else value


def _articles(value: Any) -> list[Any]:
    return _list(value.get("data") if isinstance(value, Mapping) else value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
