"""The representations of a model in Python and in notebooks."""

import html
from typing import Any

from keras_fpt import freezing


def text(model: Any) -> str:
    """A model in one line: its backbone, policy and trained parameters.

    Args:
        model: an `FPTClassifier`, or another model of its base class.
    """
    facts = [f"policy={model.policy}", _trained(model)]
    name = type(model).__name__
    return f"<{name} {model.name} on {_backbone(model)}: {', '.join(facts)}>"


def table(model: Any) -> str:
    """A model as an HTML table of its parameter groups, for notebooks.

    Args:
        model: as for `text`.
    """
    caption = f"{type(model).__name__} on {_backbone(model)}: {_trained(model)}"
    if not model.built:
        return (
            f"<p>{html.escape(caption)}, policy {html.escape(model.policy)}</p>"
        )
    report = freezing.parameter_report(model)
    rows = "".join(
        f'<tr><td style="text-align: left">{html.escape(str(group))}</td>'
        f"<td>{'trains' if row.trains else 'frozen'}</td>"
        f"<td>{row.parameters:,}</td><td>{row.share:.1%}</td></tr>"
        for group, row in report.iterrows()
    )
    return (
        f"<table><caption>{html.escape(caption)}</caption><tr>"
        f"<th>group</th><th>policy {html.escape(model.policy)}</th>"
        f"<th>parameters</th><th>share</th></tr>{rows}</table>"
    )


def _backbone(model: Any) -> str:
    return type(model.backbone).__name__


def _trained(model: Any) -> str:
    if not model.built:
        return "not built yet"
    trained = freezing.count_parameters(model.trainable_variables)
    total = freezing.count_parameters(model.weights)
    share = f"{trained / total:.2%}"
    return f"{trained:,} of {total:,} parameters are trained ({share})"
