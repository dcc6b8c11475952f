"""Batches of a long token array for next-token prediction."""

from typing import Any

import keras
import numpy as np


class TokenBlocks(keras.utils.PyDataset):
    """Random blocks of a token array, each once per epoch.

    A batch depends only on the seed and its number, so a resumed run sees
    the same batches. The order of blocks does not depend on the length of the
    sequences that they are cut into: a run that changes from short to long
    sequences still sees every token once per epoch.

    Args:
        tokens: int array of shape `(n,)`.
        block_length: int, tokens per block.
        sequence_length: int, a divisor of `block_length`.
        batch_tokens: int, a multiple of `block_length`.
        seed: int.
        batches: range of batch numbers; numbers after the end of an epoch are
            in the next epoch, which has another order.

    Each item is `({"token_ids", "padding_mask"}, next_tokens)`, all of shape
    `(batch_tokens / sequence_length, sequence_length)`.
    """

    def __init__(
        self,
        tokens: np.ndarray,
        block_length: int,
        sequence_length: int,
        batch_tokens: int,
        seed: int,
        batches: range,
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.block_length = block_length
        self.sequence_length = sequence_length
        self.blocks_per_batch = batch_tokens // block_length
        self.num_blocks = (len(tokens) - 1) // block_length
        if self.num_blocks < self.blocks_per_batch:
            raise ValueError(
                f"Expected at least {batch_tokens + 1:,} tokens of text to "
                f"train on but received {len(tokens):,}. Give more text or "
                "smaller batches."
            )
        self.seed = seed
        self.batches = batches
        self._order: tuple[Any, Any] = (None, None)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[dict[str, Any], Any]:
        per_epoch = self.num_blocks // self.blocks_per_batch
        epoch, batch = divmod(self.batches[index], per_epoch)
        if self._order[0] != epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._order = (epoch, generator.permutation(self.num_blocks))
        first = batch * self.blocks_per_batch
        chosen = self._order[1][first : first + self.blocks_per_batch]
        blocks = np.stack(
            [
                self.tokens[start : start + self.block_length + 1]
                for start in chosen * self.block_length
            ]
        ).astype("int32")
        x = blocks[:, :-1].reshape(-1, self.sequence_length)
        y = blocks[:, 1:].reshape(-1, self.sequence_length)
        return {"token_ids": x, "padding_mask": np.ones_like(x)}, y
