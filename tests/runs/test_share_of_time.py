"""A run's share of the time of a stack."""

import pytest

from keras_fpt.runs import manifest, share_of_time
from keras_fpt.runs.saved_progress import SavedProgress

pytestmark = pytest.mark.backend_free


@pytest.mark.parametrize(
    ("stack", "share", "expected"),
    [(("a", "b", "c", "d"), None, 25), ((), None, 100), (("a", "b"), 70, 70)],
)
def test_a_stack_of_an_earlier_version_had_equal_shares(
    stack, share, expected, tmp_path, monkeypatch
):
    made = None if not stack else type("Made", (), {"stack": stack})
    monkeypatch.setattr(manifest, "read", lambda folder: made)
    saved = SavedProgress(10, "torch", seconds=100.0, share_seconds=share)
    found = share_of_time.ShareOfTime.of(saved, tmp_path)
    assert found.seconds == pytest.approx(expected, abs=1)
    assert found.is_shared == bool(stack)
