"""The masks of the cloze task: which words are hidden, and that several masks hide each once."""

from __future__ import annotations

import numpy as np
import pytest

from training.tasks.cloze import cloze_batch, with_blanks, with_every_kth

WORDS = np.array([[2, 5, 6, 7, 8, 9], [2, 5, 6, 0, 0, 0]], np.int32)
ENDS = np.array([[5, 6, 7, 8, 9, 3], [5, 6, 3, 0, 0, 0]], np.int32)
BATCH = cloze_batch({"inputs": WORDS, "targets": ENDS, "weights": (ENDS > 0).astype("float32")})


@pytest.mark.parametrize("masks", [2, 3, 5])
def test_the_masks_of_an_epoch_hide_each_word_once(masks):
    made = [with_every_kth(BATCH, masks, number) for number in range(masks)]
    np.testing.assert_array_equal(sum(batch["weights"] for batch in made), BATCH["weights"])
    for batch in made:
        np.testing.assert_array_equal(batch["blanks"], batch["weights"] > 0)


def test_a_share_of_none_hides_one_word_a_sentence():
    batch = with_blanks(BATCH, np.random.default_rng(1), share=0.0)
    assert batch["blanks"].sum(axis=1).tolist() == [1, 1]
    assert (BATCH["weights"][batch["blanks"]] == 1).all()
