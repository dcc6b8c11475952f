"""A preset with quantized layers does not load.

The fault: KerasHub 0.32 saves the dtype policies of a backbone's quantized
layers as a `DTypePolicyMap` in `config.json`, but `Backbone.from_preset`
builds the backbone with the default policy instead. The quantized weights
then do not fit its layers.

No upstream issue was found. The pull request
https://github.com/keras-team/keras-hub/pull/2367 (2025) added the reading of
such maps, which does not reach the backbone.
"""

from typing import Any


def saved_dtypes(config: dict[str, Any], dtype: Any) -> Any:
    """The `dtype` argument for `Backbone.from_preset`.

    Args:
        config: dict, the content of the preset's `config.json`.
        dtype: Keras dtype or policy of the layers that are not quantized, or
            `None`.

    Returns:
        The saved `DTypePolicyMap`, serialized, with `dtype` in it; or `dtype`
        itself for a preset without quantized layers.
    """
    saved = config.get("config", {}).get("dtype")
    is_map = isinstance(saved, dict)
    is_map = is_map and saved.get("class_name") == "DTypePolicyMap"
    if not is_map:
        return dtype
    if dtype is not None:
        saved["config"]["default_policy"] = dtype
        for policy in saved["config"]["policy_map"].values():
            policy["config"]["source_name"] = dtype
    return saved
