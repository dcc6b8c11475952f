import numpy as np
import pytest

from keras_fpt.pretraining.token_blocks import TokenBlocks

pytestmark = pytest.mark.backend_free

TOKENS = np.arange(1601)


def blocks(sequence_length, batches, seed=0):
    return TokenBlocks(TOKENS, 16, sequence_length, 64, seed, batches)


@pytest.mark.parametrize("sequence_length", [4, 16])
def test_an_epoch_holds_every_token_once(sequence_length):
    epoch = blocks(sequence_length, range(25))
    x = np.concatenate([epoch[i][0]["token_ids"].ravel() for i in range(25)])
    assert sorted(x) == list(range(1600))


def test_targets_are_the_next_tokens():
    x, y = blocks(4, range(3))[2]
    np.testing.assert_array_equal(y, x["token_ids"] + 1)
    assert x["padding_mask"].all() and y.shape == (16, 4)


def test_a_later_start_sees_the_same_batches():
    np.testing.assert_array_equal(
        blocks(16, range(30))[28][1], blocks(16, range(28, 30))[0][1]
    )


def test_epochs_and_seeds_have_their_own_order():
    first = blocks(16, range(50))
    assert (first[0][1] != first[25][1]).any()
    assert (first[0][1] != blocks(16, range(50), seed=1)[0][1]).any()


def test_short_and_long_batches_hold_the_same_tokens():
    np.testing.assert_array_equal(
        blocks(4, range(9))[7][1].ravel(), blocks(16, range(9))[7][1].ravel()
    )


def test_too_few_tokens():
    with pytest.raises(ValueError, match="at least 65 tokens"):
        TokenBlocks(TOKENS[:40], 16, 16, 64, 0, range(1))
