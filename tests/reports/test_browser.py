"""The page in a browser, at the widths of phone and desktop, light and dark.

One browser shows it several times, in frames of which each has a width and a
color scheme, and clicks and points in them.
"""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from written_runs import write_run

from keras_fpt.reports import write_report
from keras_fpt.runs import class_results

pytestmark = pytest.mark.backend_free
FRAMES = {
    "small phone": (360, "light", "allow-scripts"),
    "phone": (400, "dark", "allow-scripts"),
    "desktop": (1280, "light", "allow-scripts"),
    "desktop at night": (1280, "dark", "allow-scripts"),
    "without scripts": (360, "light", ""),
}
# Runs within the page that has the frames.
SCRIPT = """
const parts = (color) => color.match(/[\\d.]+/g).map(Number);
const luminance = (color) => parts(color).slice(0, 3)
  .map((c) => c / 255)
  .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}
function background(element, view) {
  for (let e = element; e; e = e.parentElement) {
    const color = view.getComputedStyle(e).backgroundColor;
    if ((parts(color)[3] ?? 1) > 0) return color;
  }
}
function leastContrast(page, view) {
  const hasText = (e) => [...e.childNodes].some(
    (n) => n.nodeType === 3 && n.textContent.trim());
  const drawn = [...page.body.querySelectorAll("*")].filter(
    (e) => hasText(e) && e.getClientRects().length &&
      !e.closest("script, title, metadata") &&
      // Numbers on the cells of a picture have colors of their own.
      !(e.matches("text") && e.style.fill));
  const values = drawn.map((e) => {
    const style = view.getComputedStyle(e);
    const color = e.matches("text") ? style.fill : style.color;
    return [contrast(color, background(e, view)), e.outerHTML.slice(0, 80)];
  });
  return values.sort((a, b) => a[0] - b[0])[0];
}
function table(page, name) {
  return page.querySelector(`[aria-label="${name}"] table`);
}
function column(page, name, head) {
  const found = table(page, name);
  const heads = [...found.tHead.rows[0].cells];
  const place = heads.findIndex((cell) => cell.textContent === head);
  const button = heads[place].querySelector("button");
  const read = () => [...found.tBodies[0].rows].map(
    (row) => row.cells[place].textContent);
  const result = { before: read() };
  for (const order of ["first", "second"]) {
    button.focus();
    page.activeElement.click();
    result[order] = [heads[place].getAttribute("aria-sort"), read()];
  }
  return result;
}
function pointAt(page, view, svg, number) {
  const box = svg.querySelectorAll(".value")[number].getBoundingClientRect();
  svg.dispatchEvent(new view.PointerEvent("pointermove", {
    clientX: box.x + box.width / 2 + 3,
    clientY: box.y + box.height / 2, bubbles: true }));
  const tip = page.querySelector("#tip");
  return tip.hidden ? null : tip.textContent;
}
addEventListener("load", () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const [page, view] = [frame.contentDocument, frame.contentWindow];
    const root = page.documentElement;
    const result = found[frame.title] = {
      buttons: page.querySelectorAll("th button").length,
      titles: page.querySelectorAll(".value title").length,
      links: [...page.querySelectorAll("nav a")].map(
        (a) => !!page.getElementById(decodeURI(a.hash.slice(1)))),
      dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
      contrast: leastContrast(page, view),
      title: page.title,
    };
    if (result.buttons) {
      const svg = [...page.querySelectorAll(".pictures svg")];
      result.tip = pointAt(page, view, svg[0], 1);
      svg[1].dispatchEvent(new view.KeyboardEvent(
        "keydown", { key: "ArrowRight" }));
      result.key_tip = page.querySelector("#tip").textContent;
      const circles = svg.at(-1).querySelectorAll(".value").length;
      result.right_tip = pointAt(page, view, svg.at(-1), circles - 1);
      result.sorted = {
        validation: column(page, "All runs", "validation"),
        test: column(page, "Results of each arm", "test"),
        folder: column(page, "All runs", "folder"),
      };
    }
    const wide = [...page.querySelectorAll(".wide")];
    result.scrolled = wide.filter((e) => e.scrollWidth > e.clientWidth).length;
    result.widths = [root.scrollWidth, root.clientWidth];
    result.cut = wide.filter(
      (e) => e.getBoundingClientRect().right > root.clientWidth).length;
  }
  document.querySelector("pre").textContent = JSON.stringify(found);
});
"""


@pytest.fixture(scope="module")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(names)} found")
    return found


def write_runs(folder):
    """Runs of two tasks, one of which has results by class."""
    for seed, accuracy in enumerate((0.91, 0.93)):
        for arm, less in (("fpt", 0), ("random", 0.73)):
            name = f"{arm}-of-a-folder-with-a-long-name-{seed + 9}"
            write_run(folder / name, accuracy - less, arm=arm, seed=seed)
    slow = {"learning_rate": 1e-4, "test": False}
    write_run(folder / "slow", 0.095, **slow)
    write_run(folder / "lost", arm="random", error="inf", **slow)
    write_run(folder / "walks")
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(100, 3)) + 2 * np.eye(3)[labels]
    measured = class_results.measure(logits, labels, ["up", "<b>on</b>", "in"])
    mistakes = class_results.worst_mistakes(logits, labels)
    for name in ("config.json", "metrics.json"):
        path = folder / "walks" / name
        entry = {**json.loads(path.read_text()), "task": "my walks"}
        if name == "metrics.json":
            entry |= {f"test_{key}": v for key, v in measured.items()}
            entry["test_mistakes"] = mistakes
        path.write_text(json.dumps(entry))


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory):
    """What the browser says of the page in each frame."""
    folder = tmp_path_factory.mktemp("page")
    write_runs(folder / "runs")
    write_report([folder / "runs"], folder / "report.html")
    page = (folder / "report.html").read_text()
    # An injected script.
    page = page.replace("</body>", "<script>document.title='X'</script></body>")
    frames = [
        f'<iframe title="{name}" srcdoc="{html.escape(page)}" '
        f'sandbox="allow-same-origin {allowed}" '
        f'style="width: {width}px; height: 800px; color-scheme: {scheme}">'
        "</iframe>"
        for name, (width, scheme, allowed) in FRAMES.items()
    ]
    path = folder / "frames.html"
    path.write_text(
        f"<!DOCTYPE html><meta charset='utf-8'>{''.join(frames)}<pre></pre>"
        f"<script>{SCRIPT}</script>"
    )
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu"]
    dumped = subprocess.run(
        [*command, "--dump-dom", path.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    return json.loads(html.unescape(re.findall("<pre>(.*?)</pre>", dumped)[0]))


def test_no_page_scrolls_sideways_and_tables_do(shown):
    for name, page in shown.items():
        assert page["widths"][0] == page["widths"][1], name
        assert page["cut"] == 0, name
    assert shown["small phone"]["scrolled"] >= 3


def test_it_can_be_read_in_light_and_in_the_dark(shown):
    for name, page in shown.items():
        assert page["dark"] == (FRAMES[name][1] == "dark"), name
        assert page["contrast"][0] >= 4.5, (name, page["contrast"])


def number(text):
    return float(text.split()[0])


def test_a_click_on_a_head_sorts(shown):
    for name, page in shown.items():
        if name == "without scripts":
            assert page["buttons"] == 0
            continue
        for head in ("validation", "test"):
            found = page["sorted"][head]
            texts = [text for text in found["before"] if text]
            missing = [""] * (len(found["before"]) - len(texts))
            ascending = sorted(texts, key=number)
            assert ascending != sorted(texts)  # Of numbers, not of texts.
            assert found["first"] == ["ascending", ascending + missing]
            order, descending = found["second"]
            assert order == "descending"
            assert [*map(number, filter(None, descending))] == sorted(
                map(number, texts), reverse=True
            )
            assert descending[len(texts) :] == missing
        folders = page["sorted"]["folder"]["first"][1]
        assert [name.rpartition("/")[2][:8] for name in folders[:3]] == [
            *("fpt-of-a", "fpt-of-a", "lost")
        ]
        assert folders[0].endswith("-9") and folders[1].endswith("-10")


def test_a_pointer_on_a_curve_shows_its_values(shown):
    for name, page in shown.items():
        if name == "without scripts":
            assert page["titles"] > 10  # Which the browser shows.
            continue
        assert page["titles"] == 0
        # Of both arms, at the step.
        assert page["tip"].splitlines() == [
            "step 20",
            "fpt: 92.00% (91.00% to 93.00%)",
            "random: 19.00% (18.00% to 20.00%)",
        ]
        assert page["key_tip"].startswith("learning rate 0.0001\nfpt: 9.50%")
        assert page["right_tip"].startswith("probability ")


def test_contents_lead_somewhere_and_no_other_script_runs(shown):
    for page in shown.values():
        assert len(page["links"]) >= 4 and all(page["links"])
        assert page["title"] == "keras-fpt: Results of the runs"
