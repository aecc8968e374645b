"""report.html: what its charts and its table hold, and how a browser shows it."""

import html
import itertools
import json
import math
import os
import re
import shutil
import statistics
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.made_runs import write_run

from proj.reports.charts import ALL_POINTS, POINTS, charts
from proj.reports.compare import compare
from proj.reports.page import plotly
from proj.reports.parallel import coordinate
from proj.reports.report import report
from proj.reports.runs import Run
from proj.reports.scales import error_scale, linear_scale, text

CHARTS = ["val/acc %", "val/acc % against training time", "val/loss", "train/loss", "Parallel coordinates"]
STRANGE = "</script><script>alert(1)</script>"
QUOTED = """<a title="it's"> & so on"""


def own_text(folder: Path) -> str:
    """report.html without Plotly's script."""
    return (folder / "report.html").read_text(encoding="utf-8").replace(plotly(), "")


def drawn(folder: Path) -> dict[str, dict]:
    """The charts in report.html by their titles; they have to be JSON as browsers read it."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', own_text(folder))
    made = json.loads(found[1], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return {chart["title"]: chart for chart in made}


def traces(chart: dict) -> dict[str, dict]:
    return {trace.get("uid"): trace for trace in chart["traces"]}


def test_a_curve_is_the_mean_over_the_seeds_in_a_band_of_one_deviation(tmp_path):
    for seed, accuracy in enumerate((0.6, 0.7, 0.8)):
        write_run(tmp_path / f"{seed}", accuracy, seed=seed)
    write_run(tmp_path / "alone", 0.5, lr=0.5)
    report([tmp_path])
    made = drawn(tmp_path)
    assert list(made) == [CHARTS[0], "val/acc % of every seed", *CHARTS[1:]]
    lines = traces(made["val/acc %"])  # below 90 %, on a linear scale
    assert lines["0"]["x"] == [1, 2, 3] and lines["0"]["y"] == pytest.approx([70 / 3, 140 / 3, 70], rel=1e-4)
    deviation = statistics.stdev((60, 70, 80))
    assert lines["0band"]["y"][2:4] == pytest.approx([70 + deviation, 70 - deviation])
    assert lines["1"]["y"][-1] == 50 and "1band" not in lines


def test_accuracies_above_90_per_cent_are_apart_by_their_error_rate(tmp_path):
    for lr, accuracy in ((0.1, 0.99), (0.2, 0.999), (0.3, 0.9), (0.4, 1.0)):
        write_run(tmp_path / f"{lr}", accuracy, lr=lr, epochs=1)
    report([tmp_path])
    chart = drawn(tmp_path)["val/acc %"]
    best, third, second, first = (traces(chart)[f"{place}"]["y"][0] for place in range(4))
    assert third - second == pytest.approx(second - first, rel=1e-3) and best > third
    axis = chart["layout"]["yaxis"]
    places = dict(zip(axis["ticktext"], axis["tickvals"], strict=True))
    assert places["99"] == pytest.approx(second) and places["100"] == pytest.approx(best, rel=1e-4)
    assert all(a - b > 0.05 for a, b in itertools.pairwise(axis["tickvals"]))
    assert "error rate" in chart["note"]


def test_the_mean_of_a_row_lies_between_its_dots_also_where_the_best_of_them_has_no_error(tmp_path):
    for seed, accuracy in enumerate((1.0, 1.0, 0.75, 1.0, 0.75)):
        write_run(tmp_path / f"{seed}", accuracy, seed=seed)
    report([tmp_path])
    chart = drawn(tmp_path)["val/acc % of every seed"]
    dots, bar = [trace["x"] for trace in chart["traces"] if "marker" in trace]
    assert min(dots) < bar[0] < max(dots) and "error rate" in chart["note"]


@pytest.mark.parametrize("accuracies", ([0.9, 1, 0.75], [0.91, 0.95], [0.97, 0.975], [0.9, 0.905], [0.9965, 0.997]))
def test_an_axis_of_the_error_rate_has_three_labels_within_its_range(accuracies):
    _, axis = error_scale(accuracies)
    assert sum(axis["range"][0] <= at <= axis["range"][1] for at in axis["tickvals"]) >= 3


VALUES = ([True, False, None], [0.001 * k for k in range(1, 200)], [10**-k for k in range(9)])
VALUES += ([*range(100, 109)], [f"v{k}" for k in range(60)])


@pytest.mark.parametrize("values", VALUES)
def test_labels_of_an_axis_do_not_lie_on_one_another(values):
    places, labels = coordinate(values)
    known = [place for place, value in zip(places, values, strict=True) if value is not None]
    assert min(known) == 0 and max(known) == 1 and 2 <= len(labels) <= 17 and None not in known
    heights = [height for height, _ in labels]
    assert all(b - a >= 0.06 for a, b in itertools.pairwise(heights))


def test_missing_values_failed_jobs_and_runs_without_curves_leave_the_page_whole(tmp_path):
    write_run(tmp_path / "alone/0", 0.8)
    report([tmp_path / "alone"])
    assert list(drawn(tmp_path / "alone")) == CHARTS[:-1]  # parallel coordinates take two
    write_run(tmp_path / "two/0", 0.8, dropout=0.1, seconds=600)
    write_run(tmp_path / "two/1", float("nan"), lr=0.5, seconds=9000)
    for file in tmp_path.glob("two/*/events*"):
        file.unlink()
    (tmp_path / "two/2").mkdir()
    (tmp_path / "two/2/config.yaml").write_text((tmp_path / "two/0/config.yaml").read_text().replace("0.01", "0.7"))
    (tmp_path / "two/2/status.json").write_text('{"status": "failed", "reason": "why"}\n')
    report([tmp_path / "two"])
    assert list(drawn(tmp_path / "two")) == ["val/acc % against training time", "Parallel coordinates"]
    text = own_text(tmp_path / "two")
    assert text.count("<tr class=trace") == 3 and all(f">{cell}<" in text for cell in ("failed", "10 min", "2.5 h"))
    for k in (0, 1):
        (tmp_path / f"two/{k}/metrics.json").unlink()
    report([tmp_path / "two"])
    assert list(drawn(tmp_path / "two")) == ["Parallel coordinates"]  # of the settings alone


def test_the_page_loads_nothing_and_holds_strange_values_as_text(tmp_path):
    write_run(tmp_path / "a", 0.5, epochs=400, note=STRANGE, rate=float("inf"))
    write_run(tmp_path / "b", float("nan"), note="[bold]{{data}}", rate=float("nan"))
    report([tmp_path], title="{{plotly}}<b>")
    text = own_text(tmp_path)
    assert not re.search(r"https?:|\bsrc=|<link|@import|url\((?!#)|fetch|import\(", text)
    assert STRANGE not in text and text.count("<script") == 3 == text.count("</script")
    assert "&lt;/script&gt;" in text and "<h1>{{plotly}}&lt;b&gt;</h1>" in text and "[bold]{{data}}</td>" in text
    epochs = traces(drawn(tmp_path)["train/loss"])["0"]["x"]
    assert POINTS / 2 < len(epochs) <= POINTS
    ticks = [label["text"] for label in drawn(tmp_path)["Parallel coordinates"]["layout"]["annotations"]]
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in ticks  # Plotly draws some of HTML


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no such names")
def test_quotation_marks_are_escaped_as_both_html_and_plotly_read_them():
    assert html.unescape(text(QUOTED)) == QUOTED
    known = re.search(r"\{mu:\S{1,9},amp:.*?\}", plotly())[0]  # the named signs that Plotly's charts read
    assert all(f"{name}:" in known for name in re.findall("&([a-z]+);", text(QUOTED)))


def test_a_folder_of_any_name_is_linked_and_runs_nothing(tmp_path):
    for seed, name in enumerate((b"\xff", b"javascript:alert(1)", b"<!--<script>")):
        write_run(tmp_path / os.fsdecode(name), lr=seed + 1)
    report([tmp_path])
    text = (tmp_path / "report.html").read_bytes()
    assert b'href="./%FF/">\xff/best.ckpt<' in text and b"<!--<script>" not in text
    assert b'href="./javascript%3Aalert%281%29/"' in text and b'href="./%3C%21--%3Cscript%3E/"' in text


@pytest.mark.parametrize("count", (40, 300))
def test_with_many_curves_each_has_fewer_points_and_the_page_stays_below_6_mb(tmp_path, count):
    curves = {f"{k}": [(epoch + k / 7, math.sin(epoch) / 7) for epoch in range(200)] for k in range(6)}
    configs = [{"optimizer.lr": k % count / 7, "monitor": "0", "seed": k} for k in range(300)]
    runs = [Run(tmp_path / f"{k}", config, {}, curves, "finished") for k, config in enumerate(configs)]
    made = charts(compare(runs), {})
    points = [len(trace["x"]) for chart in made for trace in chart["traces"] if "epoch" in str(chart["layout"])]
    assert sum(points) <= ALL_POINTS * 1.2 and min(points) >= 20
    assert len(json.dumps(made, separators=(",", ":"))) < 1e6 and len(plotly()) < 4.9e6


def test_a_search_shows_its_history_and_the_importance_of_each_setting(tmp_path):
    for number, (accuracy, finished) in enumerate(((0.5, True), (0.7, True), (0.6, True), (0.8, False))):
        own = {"lr": number / 10, "finished": finished, "changed": {"trial": {"number": number}}}
        write_run(tmp_path / f"search/{number}", accuracy, **own)
    (tmp_path / "search/importance.json").write_text('{"optimizer.lr": 0.25, "<b>": 0.75, "odd": NaN}\n')
    report([tmp_path / "search"])
    made = drawn(tmp_path / "search")
    assert list(made)[2:4] == ["The search: val/acc % of each trial", "The search: importance of each setting"]
    best, *trials = made["The search: val/acc % of each trial"]["traces"]
    assert best["x"] == [0, 1, 2] and best["y"] == pytest.approx([50, 70, 70])
    assert {(*trial["x"], *trial["marker"]["symbol"]) for trial in trials} == {
        (0, "circle"), (1, "circle"), (2, "circle"), (3, "circle-open")
    }  # fmt: skip
    (bars,) = made["The search: importance of each setting"]["traces"]
    assert bars["y"] == ["optimizer.lr", "&lt;b&gt;"] and bars["x"] == [0.25, 0.75]
    write_run(tmp_path / "other", 0.5)
    report([tmp_path])  # the importance is that of the search's runs alone
    assert not [title for title in drawn(tmp_path) if "importance" in title]
    shutil.copytree(tmp_path / "search", tmp_path / "moved")  # trials of two searches have no order among them
    report([tmp_path])
    assert not [title for title in drawn(tmp_path) if "trial" in title]


DRAWN = "document.querySelectorAll('.main-svg').length >= 2 * document.querySelectorAll('.grid section').length"


@contextmanager
def opened(file: Path):
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    if not (chromium := shutil.which("chromium")):
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(file.as_uri())
        page.wait_for_function(DRAWN)
        yield page
        browser.close()
    assert {*asked} == {file.as_uri()} and not wrong


COLOR = "line => getComputedStyle(line.querySelector('.js-line')).stroke"
BRIGHT = "lines => lines.filter(line => getComputedStyle(line).opacity == 1).map(line => line.classList[2])"


def test_a_browser_finds_a_rows_curve_sorts_the_table_and_tells_twelve_colours_apart(tmp_path):
    for k in range(12):
        write_run(tmp_path / f"{k}", 0.98 + k / 1000, lr=f"<i>{k}" if k == 3 else k / 10, model=("mlp", "cnn")[k % 2])
    report([tmp_path])
    with opened(tmp_path / "report.html") as page:
        for scheme, width in (("light", 1400), ("dark", 400)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            page.reload()
            page.wait_for_function(DRAWN)
            first = page.locator(".grid section:first-child .scatterlayer .trace")
            assert len({line.evaluate(COLOR) for line in first.all()}) == 12
            assert page.evaluate("document.documentElement.scrollWidth") == width
            page.hover("tbody tr:nth-child(5)")
            assert first.evaluate_all(BRIGHT) == ["trace4"]
            page.hover("h1")
            assert len(first.evaluate_all(BRIGHT)) == 12
            places = "rows => rows.map(row => row.cells[0].innerText)"
            page.click("th:nth-child(4)")  # val/acc: the lowest first
            assert page.locator("tbody tr").evaluate_all(places) == [f"{12 - k}" for k in range(12)]
            assert page.locator("tbody i, svg i").count() == 0 and "<i>3" in page.locator("tbody").inner_text()


def test_a_value_far_off_on_the_bad_side_presses_no_curve_flat_and_one_on_the_good_side_is_shown():
    values = [0.6 + k / 1000 for k in range(100)]
    for metric, bad, good, scale in (("val/loss", 50.0, -5.0, 1), ("val/acc", 0.01, 0.89, 100)):
        _, axis = linear_scale(metric, [*values, bad, good])
        low, high = axis["range"]
        assert low <= good * scale <= high and not low <= bad * scale <= high
