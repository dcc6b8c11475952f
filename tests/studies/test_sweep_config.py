import json

import pytest

from keras_fpt.runs import RunConfig
from keras_fpt.studies import sweep_config
from keras_fpt.studies.sweep_config import Range, SweepConfig

pytestmark = pytest.mark.backend_free
RUN = RunConfig("bit_xor")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning_rate=1e-4,1e-3", ("learning_rate", (1e-4, 1e-3))),
        ("learning-rate=1e-4:1e-2", ("learning_rate", Range(1e-4, 1e-2))),
        ("batch_size=16:64", ("batch_size", Range(16, 64))),
        ("depth=1,2", ("depth", (1, 2))),
        ("readout=last,mean", ("readout", ("last", "mean"))),
        ("learned_positions=true,false", ("learned_positions", (True, False))),
    ],
)
def test_what_to_search_is_read_from_text(text, expected):
    assert sweep_config.parse_search(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate", "a text such as learning_rate=1e-4,1e-3"),
        ("learning_rate=", "a text such as"),
        ("learning_rat=1", "Unknown setting 'learning_rat'"),
        ("seed=1,2", "Unknown setting 'seed'"),
        ("learning_rate=fast", "learning_rate to be float .*'fast'"),
        ("depth=1.5", "depth to be int .*'1.5'"),
        ("learned_positions=1", "learned_positions to be bool"),
        ("learning_rate=1e-3,0.001", "different values .*1e-3,0.001"),
        (
            "dropout=0.5:0.1",
            "a lower to a higher finite number but received 0.5:0.1",
        ),
    ],
)
def test_text_without_values_to_search(text, message):
    with pytest.raises(ValueError, match=message):
        sweep_config.parse_search(text)


def test_a_setting_is_given_once():
    parse = sweep_config.parse_setting
    read = sweep_config.parse_each(["depth=2", "dropout=0"], parse, {"seed": 0})
    assert read == {"depth": 2, "dropout": 0}
    for texts, known in ((["depth=2", "depth=3"], {}), (["depth=2"], read)):
        with pytest.raises(ValueError, match="Received depth twice"):
            sweep_config.parse_each(texts, parse, known)
    with pytest.raises(ValueError, match="Received depth twice"):
        sweep_config.parse_each(["depth=1,2"], sweep_config.parse_search, read)


def test_a_grid_has_all_combinations():
    config = SweepConfig(RUN, search={"dropout": (0, 0.1), "depth": (1, 2)})
    assert config.points == [
        {"dropout": 0, "depth": 1},
        {"dropout": 0, "depth": 2},
        {"dropout": 0.1, "depth": 1},
        {"dropout": 0.1, "depth": 2},
    ]
    runs = config.configs({"depth": 2})
    assert runs["random"] == RunConfig("bit_xor", arm="random").with_settings(
        depth=2
    )


@pytest.mark.parametrize(
    "config",
    [
        SweepConfig(RUN),
        SweepConfig(
            RunConfig("digits", options={"max_length": 3}, steps=7),
            ("fpt", "random_lstm"),
            {"learning_rate": Range(1e-4, 1e-2), "depth": (1, None)},
            trials=5,
            seeds=2,
        ),
    ],
)
def test_what_is_written_is_read(config, tmp_path):
    path = tmp_path / "sweep.json"
    path.write_text(config.to_json())
    assert SweepConfig.read(path) == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arms": ()}, "different arms"),
        ({"arms": ("random-lstm", "random_lstm")}, "different arms"),
        ({"arms": ("best",)}, "Unknown arm 'best'"),
        ({"seeds": 0}, "at least 1 seed"),
        ({"search": {"rate": (1,)}}, "Unknown setting 'rate'"),
        ({"trials": 3}, "as many trials as it has points"),
        ({"search": {"dropout": Range(0, 0.5)}}, "A range needs trials"),
        ({"stack": "1"}, "auto, off or a number of runs from 2 .*'1'"),
        ({"stack": "on"}, "stack"),
    ],
)
def test_sweeps_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        SweepConfig(RUN, **arguments)


@pytest.mark.parametrize(
    "text",
    ["{}", '{"run": 1}', '{"run": {"task": "x"}, "search": {"depth": 1}}'],
)
def test_files_that_are_no_sweep(text, tmp_path):
    path = tmp_path / "sweep.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="sweep.json"):
        SweepConfig.read(path)


def test_a_search_of_the_draw_leaves_other_arms_as_they_are():
    run = RunConfig("bit_xor").with_settings(random_init="flat")
    sweep = SweepConfig(run, search={"init_scale": (0.5, 1.0)})
    configs = sweep.configs({"init_scale": 0.5})
    assert configs["random"].init_scale == 0.5
    assert configs["random"].random_init == "flat"
    assert configs["fpt"] == RunConfig("bit_xor", arm="fpt")
    assert sweep_config.parse_search("init-scale=0.5:4") == (
        "init_scale",
        sweep_config.Range(0.5, 4),
    )


def test_a_sweep_that_was_started_one_by_one_stays_so(tmp_path):
    path = tmp_path / "sweep.json"
    path.write_text(SweepConfig(RUN, stack="off").to_json())
    assert "stack" not in path.read_text()
    assert SweepConfig.read(path).stack == "off"
    assert SweepConfig(RUN).as_started(path).stack == "off"
    assert SweepConfig(RUN, stack="4").as_started(path).stack == "4"
    path.write_text(SweepConfig(RUN).to_json())
    assert SweepConfig(RUN).as_started(path) == SweepConfig.read(path)
    assert SweepConfig.read(path).stack == "auto"
    # Those of several folds are described together.
    before = json.loads(SweepConfig(RUN, stack="off").to_json())
    path.write_text(json.dumps({"sweep": before}))
    assert SweepConfig(RUN).as_started(path, "sweep").stack == "off"
    assert SweepConfig(RUN).as_started(path, "comparison").stack == "auto"
