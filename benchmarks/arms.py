"""Train every arm on several tasks with one small budget and print a table.

    python benchmarks/arms.py --output runs/arms

Each run is a folder in `--output`, as `keras-fpt train` writes it. Finished
runs are not repeated, and interrupted runs are resumed. The arm `vit` is
skipped unless it is named, since its weights must be downloaded.

All arms have the same learning rate and seed here, so the table shows what the
software does, not which arm is better: for that, each arm needs its own best
learning rate and several seeds (Rothermel et al., 2021).
"""

import argparse
import pathlib

from keras_fpt.runs import RunConfig, arms, train

STEPS = {"bit_xor": 500, "digits": 300, "mnist": 200}


def main():
    arguments = parse()
    rows = {}
    for arm in arguments.arms:
        for task in arguments.tasks:
            config = RunConfig(
                task,
                arguments.preset,
                arm,
                steps=arguments.steps or STEPS[task],
                batch_size=arguments.batch_size,
                learning_rate=arguments.learning_rate,
                seed=arguments.seed,
                data_dir=arguments.data_dir,
            ).with_settings(
                readout=arguments.readout,
                learned_positions=arguments.learned_positions,
                quantize=arguments.quantize,
                dtype=arguments.dtype,
            )
            folder = pathlib.Path(arguments.output, f"{task}-{arm}")
            metrics = train(config, folder, resume=True)
            rows.setdefault(arm, {})[task] = metrics
    print(table(rows, arguments.tasks))


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--output", required=True, help="folder of the runs")
    parser.add_argument("--tasks", nargs="+", default=list(STEPS))
    parser.add_argument(
        "--arms",
        nargs="+",
        default=[name for name in arms.ARMS if name != "vit"],
    )
    parser.add_argument("--preset")
    parser.add_argument("--readout", default="last")
    parser.add_argument("--learned-positions", action="store_true")
    parser.add_argument("--quantize")
    parser.add_argument("--dtype")
    parser.add_argument("--steps", type=int, help=f"default: {STEPS}")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir")
    return parser.parse_args()


def table(rows, tasks):
    """A Markdown table of test accuracies, one row per arm."""
    lines = [
        "| arm | trained parameters | " + " | ".join(tasks) + " |",
        "| --- |" + " --- |" * (len(tasks) + 1),
    ]
    for arm, metrics in rows.items():
        first = metrics[tasks[0]]
        cells = [
            f"`{arm}`",
            f"{first['trainable_parameters']:,} of "
            f"{first['total_parameters']:,}",
            *(
                f"{metrics[task]['test_accuracy']:.1%} "
                f"({metrics[task]['wall_seconds']:.0f} s)"
                for task in tasks
            ),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
