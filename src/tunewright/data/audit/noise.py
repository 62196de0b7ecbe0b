"""How much the other rows believe another label of a row than its own: out-of-fold heads, neighbours, confident learning.

Arrays in, arrays out. What of it was tried and how well it ranks planted and judged mistakes is measured by ``benchmarks/label_noise.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tunewright.core.chance import array_generator

FOLDS = 5
SHRINK, STEPS = 0.3, 15
WEIGHT, LEAST_WEIGHT, MOST_WEIGHT = 80.0, 0.01, 0.05
"""Of a head: shrinkage of the covariance, steps of the optimizer, and the weight of the penalty times the rows, within two bounds. All hold
it back more than a classifier that shall be right: a head that fits single rows believes their mistakes."""
NEIGHBOURS, WARMTH, PRIOR, REFERENCES = 15, 0.1, 0.3, 20_000
"""Of the neighbours: how many, the cosine in which their weight falls by e, the weight of what is usual beside them (the nearest has 1),
and among how many rows they are looked for."""
FLOOR, PULL = 0.005, 2.0
"""Of the score: the probability below which a label is simply not believed, however far below; and how much it counts that another one is
believed, beside that the given one is not. The first finds labels that are any other, the second those that are one much like it."""
ENOUGH = 0.7
"""Share of its usual probability from which confident learning takes a label for meant; 1 is the published rule, which misses a third of
the planted mistakes that this finds, at the same precision."""
HASHED, LATENT, ROWS_EACH, FITTED = 1 << 18, 256, 8, 8_000
"""Of the words: places that they are hashed to, dimensions that are left of them, rows that there must be for each of these, and rows that
they are found from."""
LETTERS = 4000
"""Characters of a text whose words are looked at."""
AT_ONCE = 500
"""Rows whose neighbours are looked for in one product."""


@dataclass(frozen=True)
class Doubt:
    """What the other rows say of each row's label.

    Args:
        score: (rows,), from 0 (the label is believed) to 1 (another is, and this one not at all).
        flagged: (rows,) bool, confident learning finds the label wrong: another one is meant.
        suggested: (rows, classes) bool, the labels that are believed.
        belief: (rows,), probability of the label that is believed most against the given ones.
    """

    score: np.ndarray
    flagged: np.ndarray
    suggested: np.ndarray
    belief: np.ndarray


def folds(classes: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """(rows,) the fold of each row: classes as even as can be, copies of a text in one fold.

    Args:
        classes: (rows,) int.
        copies: (rows,) int, the same number for copies of a text.
    """
    texts, first, of = np.unique(copies, return_index=True, return_inverse=True)
    shuffled = array_generator(0, "label-noise").permutation(len(texts))
    order = shuffled[np.argsort(classes[first][shuffled], kind="stable")]
    fold = np.empty(len(texts), dtype=np.int64)
    fold[order] = np.arange(len(texts)) % FOLDS
    found: np.ndarray = fold[of]
    return found


def believed(
    spaces: Sequence[tuple[float, np.ndarray]], labels: np.ndarray, copies: np.ndarray, fold: np.ndarray, several: bool
) -> np.ndarray:
    """(rows, classes) float32, probabilities in which no row's own label has a part: half from a head, half from neighbours.

    Args:
        spaces: the weight of a space, and the vectors of the rows in it, (rows, width) of length 1.
        labels: (rows, classes) float32, 1 where the row has the label.
        copies: (rows,) int, the same number for copies of a text.
        fold: (rows,) int.
        several: whether a row may have several labels or none.
    """
    total = sum(weight for weight, _ in spaces)
    found = np.zeros_like(labels)
    for weight, vectors in spaces:
        found += weight / total / 2 * (heads(vectors, labels, fold, several) + neighbours(vectors, labels, copies))
    return found


def heads(vectors: np.ndarray, labels: np.ndarray, fold: np.ndarray, several: bool) -> np.ndarray:
    """(rows, classes) probabilities of a linear head that was fitted to the other folds. Shapes as in ``believed``."""
    from threadpoolctl import threadpool_limits

    found = np.empty_like(labels)
    with threadpool_limits(1):  # as in ``words``
        white = _whitened(vectors)
        for at in np.unique(fold).tolist():
            out = fold == at
            weights = _fitted(white[~out], labels[~out], several)
            found[out] = _answers(white[out] @ weights[:-1] + weights[-1], several)
    return found


def neighbours(vectors: np.ndarray, labels: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """(rows, classes) share of each label among the nearest rows, the nearer the heavier; copies of a text do not count for it."""
    rows = len(vectors)
    among = np.sort(array_generator(0, "label-noise", 1).permutation(rows)[:REFERENCES])
    others, found = vectors[among], np.empty_like(labels)
    nearest, usual = min(NEIGHBOURS, len(among) - 1), labels.mean(axis=0)
    for start in range(0, rows, AT_ONCE):
        here = slice(start, start + AT_ONCE)
        alike = vectors[here] @ others.T
        alike[copies[here, None] == copies[None, among]] = -np.inf
        which = np.argpartition(-alike, nearest - 1, axis=1)[:, :nearest]
        near = np.take_along_axis(alike, which, axis=1)
        weights = np.exp((near - near.max(axis=1, keepdims=True)) / WARMTH) * (near > 0)
        votes = np.einsum("rn,rnc->rc", weights, labels[among[which]])
        found[here] = (votes + PRIOR * usual) / (weights.sum(axis=1, keepdims=True) + PRIOR)
    return found


def doubt(probabilities: np.ndarray, labels: np.ndarray, several: bool, enough: float = ENOUGH) -> Doubt:
    """Which labels are wrong, and how sure that is.

    Args:
        probabilities: (rows, classes), as ``believed`` gives them.
        labels: (rows, classes) float32, 1 where the row has the label.
        several: whether a row may have several labels or none.
        enough: share of the mean probability of a class in the rows that have it, from which a row is taken to mean it.

    Source: confident learning, Northcutt et al. 2021 (arXiv:1911.00068), section 3.1; the score is our own.
    """
    return _several(probabilities, labels, enough) if several else _one(probabilities, labels, enough)


def _one(probabilities: np.ndarray, labels: np.ndarray, enough: float) -> Doubt:
    rows, given = np.arange(len(labels)), labels.argmax(axis=1)
    own = probabilities[rows, given]
    others = np.where(labels > 0, -1, probabilities)
    best = others.argmax(axis=1)
    usual = (probabilities * labels).sum(axis=0) / np.maximum(labels.sum(axis=0), 1)
    meant = np.where(probabilities >= enough * usual - 1e-6, probabilities, -1)
    flagged = (meant.max(axis=1) >= 0) & (meant.argmax(axis=1) != given)
    suggested = np.zeros(labels.shape, dtype=bool)
    suggested[rows, best] = True
    return Doubt(_score(others[rows, best], own), flagged, suggested, others[rows, best])


def _several(probabilities: np.ndarray, labels: np.ndarray, enough: float) -> Doubt:
    """Each label is a question of its own, yes or no; the row is as doubtful as its most doubtful answer."""
    has = labels > 0
    given = np.where(has, probabilities, 1 - probabilities)
    usual_yes = np.where(has, probabilities, 0).sum(axis=0) / np.maximum(has.sum(axis=0), 1)
    usual_no = np.where(has, 0, 1 - probabilities).sum(axis=0) / np.maximum((~has).sum(axis=0), 1)
    wrong = (1 - given >= enough * np.where(has, usual_no, usual_yes)) & (given < 0.5)
    score = _score(1 - given, given)
    worst = score.argmax(axis=1)
    rows = np.arange(len(labels))
    return Doubt(score[rows, worst], wrong.any(axis=1), np.where(wrong, ~has, has), (1 - given)[rows, worst])


def _score(other: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The odds of another label against the given one, discounted as far as the other one is not believed, as a number from 0 to 1."""
    odds = (other + FLOOR) * np.exp(PULL * (other - 1))
    score: np.ndarray = odds / (odds + own + FLOOR)
    return score


def skill(probabilities: np.ndarray, labels: np.ndarray, several: bool) -> float:
    """How far the beliefs agree with the given labels beyond what always believing the usual ones would: at most 1, near 0 for chance."""
    if several:
        agree, usual = ((probabilities >= 0.5) == (labels > 0)).mean(), np.maximum(labels.mean(axis=0), 1 - labels.mean(axis=0)).mean()
    else:
        agree, usual = (probabilities.argmax(axis=1) == labels.argmax(axis=1)).mean(), labels.mean(axis=0).max()
    return float((agree - usual) / max(1 - usual, 1e-9))


def words(texts: Iterable[Sequence[str]]) -> np.ndarray:
    """(rows, latent) float32 of length 1: the words and pairs of words of each text, weighted by rarity, in fewer dimensions.

    Args:
        texts: chunk by chunk.

    Source: latent semantic analysis, Deerwester et al. 1990; the dimensions by a randomised SVD, Halko et al. 2011 (arXiv:0909.4061).
    """
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    hashing = HashingVectorizer(ngram_range=(1, 2), n_features=HASHED, alternate_sign=False, norm=None, dtype=np.float32)
    counts = vstack([hashing.transform([text[:LETTERS] for text in chunk]) for chunk in texts], format="csr")
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    some = weighted[np.sort(array_generator(0, "label-noise", 2).permutation(weighted.shape[0])[:FITTED])]
    shared = np.flatnonzero(some.getnnz(axis=0) > 1)
    size = min(LATENT, some.shape[0] // ROWS_EACH, len(shared) - 1)
    if size < 1:
        return np.zeros((weighted.shape[0], 1), dtype=np.float32)
    with threadpool_limits(1):  # threads that wait for each other in small products cost many times what they save on a busy machine
        _, _, axes = randomized_svd(some[:, shared], size, n_iter=1, random_state=0)
    return unit(np.asarray(weighted[:, shared] @ axes.T.astype(np.float32)))


def unit(vectors: np.ndarray) -> np.ndarray:
    """The same directions at length 1; a vector of nothing stays."""
    scaled: np.ndarray = (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return scaled


def _whitened(vectors: np.ndarray) -> np.ndarray:
    """Every direction equally wide, small ones less so: the optimizer then needs few steps, and the penalty weighs alike."""
    centred = vectors - vectors.mean(axis=0)
    spread = centred.T @ centred / len(centred)
    spread = (spread + SHRINK * np.trace(spread) / len(spread) * np.eye(len(spread))).astype(np.float64)
    sizes, axes = np.linalg.eigh(spread)
    white: np.ndarray = centred @ (axes / np.sqrt(np.maximum(sizes, 1e-12))).astype(np.float32)
    return white


def _fitted(vectors: np.ndarray, labels: np.ndarray, several: bool) -> np.ndarray:
    """(width + 1, classes) float32, weights and bias of a penalised logistic regression."""
    from scipy.optimize import minimize

    shape = (vectors.shape[1] + 1, labels.shape[1])
    weight = min(max(WEIGHT / len(vectors), LEAST_WEIGHT), MOST_WEIGHT)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape).astype(np.float32)
        logits = vectors @ weights[:-1] + weights[-1]
        answers = _answers(logits, several)
        if several:
            total = float((np.logaddexp(0, logits) - labels * logits).sum())
        else:
            total = -float(np.log(np.maximum((answers * labels).sum(axis=1), 1e-30)).sum())
        wrong = (answers - labels) / len(labels)
        gradient = np.concatenate([vectors.T @ wrong + weight * weights[:-1], wrong.sum(axis=0, keepdims=True)])
        return total / len(labels) + weight / 2 * float((weights[:-1] ** 2).sum()), gradient.ravel().astype(np.float64)

    best = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    weights: np.ndarray = best.x.reshape(shape).astype(np.float32)
    return weights


def _answers(logits: np.ndarray, several: bool) -> np.ndarray:
    """Logits as probabilities: of one class among all, or of each label by itself."""
    if several:
        yes: np.ndarray = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        return yes
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    one: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return one
