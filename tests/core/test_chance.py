from __future__ import annotations

import random

import numpy as np

from tunewright.core import chance


def test_each_purpose_run_and_index_has_a_stream_of_its_own() -> None:
    keys = [(seed, purpose, index) for seed in (0, 1, 11) for purpose in ("split", "order", "1/order") for index in (0, 1)]
    seeds = {chance.seed_for(*key) for key in keys}
    assert len(seeds) == len(keys)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_the_same_key_gives_the_same_stream_and_the_global_one_stays_untouched() -> None:
    random.seed(3)
    np.random.seed(3)
    wanted = random.Random(3).random()
    first = (chance.generator(1, "split").random(), chance.array_generator(1, "split").random())
    assert first == (chance.generator(1, "split").random(), chance.array_generator(1, "split").random())
    assert random.random() == wanted
    assert np.random.random() == np.random.RandomState(3).random()


def test_streams_stay_what_they_were_in_earlier_releases() -> None:
    assert chance.seed_for(0, "split") == 2676002425
    assert chance.seed_for(7, "order", 3) == 1157754309
