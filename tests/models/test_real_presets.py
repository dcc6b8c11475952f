"""The cut on two real pretrained models, if they are available."""

import os
import pathlib

import numpy as np
import pytest
from families import make_inputs, numpy, run_uncut
from keras import ops

from keras_fpt import presets
from keras_fpt.models.cut import cut_at_embedding

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["minilm", "smollm2"])
def test_hidden_states_are_those_of_the_uncut_model(name):
    folder = os.environ.get("KERAS_FPT_TEST_MODELS")
    if folder is None or not (pathlib.Path(folder) / name).is_dir():
        pytest.skip(f"KERAS_FPT_TEST_MODELS names no folder with {name}/")
    backbone = presets.load_backbone(os.path.join(folder, name))
    mask = np.ones((2, 12), "int32")
    embeddings, hidden, _ = run_uncut(backbone, make_inputs(backbone, mask))
    cut = cut_at_embedding(backbone)
    ours = numpy(cut(*map(ops.convert_to_tensor, (embeddings, mask))))
    np.testing.assert_allclose(ours, hidden, atol=1e-4)
    assert hidden.std() > 0.1
