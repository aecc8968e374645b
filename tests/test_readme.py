"""What the README shows is what the commands do."""

import ast
import importlib
import itertools
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image
from support import processes
from support.images import TINY_CIFAR10
from support.pages import PAGES, README, ROOT
from support.sweeps import finish_at_once

BENCHMARKS = [f for f in sorted(Path(__file__).parents[1].glob("benchmarks/*.py")) if "def main" in f.read_text()]
LINES = re.sub(r" *\\\n *", " ", README)  # a command that goes on
COMMANDS = {
    m[1].split(" #")[0].strip() for m in re.finditer(r"^    (?:\.venv/bin/)?python -m (proj\..*)$", LINES, re.M)
}
TRAIN = sorted(line for line in COMMANDS if line.startswith("proj.train") and "resume=" not in line)
LAUNCHED = [line for line in TRAIN if "launcher=" in line or "trainer=ddp" in line]  # run in tests of their own
SWEEPS = [line for line in TRAIN if " -m " in line and line not in LAUNCHED]
OTHERS = sorted(line for line in COMMANDS - set(TRAIN) if "hydra.launcher" not in line)
FEW = ("trainer=debug", "trainer.max_epochs=1", "dataset.batch_size=20")


def here(line: str) -> list[str]:
    """A command's words, less those that need other machines or processes: test_distributed, test_slurm, test_ray."""
    elsewhere = ("hydra/launcher", "hydra.launcher", "trainer=ddp", "trainer.devices")
    return [word for word in shlex.split(line) if not word.startswith(elsewhere)]


@pytest.fixture
def words_for(tmp_path, data_dir):
    """What a command of the README needs to run here, on tiny data, in moments."""

    def words_for(line: str) -> list[str]:
        if "image_folder" in line:
            photos, listed = tmp_path / "path/to/photos", ["image,label"]
            for name, number in itertools.product("ab", range(40)):
                file = photos / name / f"{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.effect_noise((40, 30), 9 + number).save(file)
                listed.append(f"{name}/{number}.png,{name}")
            if "labels.csv" in line:
                (photos / "labels.csv").write_text("\n".join(listed))
            small = ("weights=null", "backbone=shufflenet_v2_x0_5", "size=32", "cache_dir=null")  # needs no network
            few = [*FEW, "~callbacks.dashboard"] if "model.train=all" in line else FEW  # to trace it takes seconds
            return ["dataset.size=16", *few, *[f"model.{word}" for word in small if "pretrained" in line]]
        if "focal.Focal" in line:
            (tmp_path / "focal.py").write_text(block("class Focal"))
        if "dataset=csv" in line:
            lines = (f"{k},{k % 3},{'xyz'[k % 3]}" for k in range(90))
            (tmp_path / "table.csv").write_text("\n".join(["length,width,species", *lines]))
            reviews = (f"a {['great', 'poor'][k % 2]} film number {k},{k % 2}" for k in range(40))
            (tmp_path / "reviews.csv").write_text("\n".join(["review,rating", *reviews]))
            return list(FEW)
        few = [*FEW, "dataset.val_fraction=0.1", "model.widths=[8,16,16]"] if "fast" in line else FEW
        source = [TINY_CIFAR10] if "cifar10" in line else []
        where = [f"data_dir={data_dir}"] if "dataset=" in line or "preset=" in line else []
        return [*where, *few, *source]

    return words_for


def test_the_pages_show_commands_of_every_kind():
    assert len(COMMANDS) > 10 and all((TRAIN, LAUNCHED, SWEEPS, OTHERS))


@pytest.mark.parametrize("line", [line for line in TRAIN if line not in SWEEPS + LAUNCHED])
def test_every_training_command_runs(command, line, words_for):
    process = command("-m", *here(line), *words_for(line))
    assert process.returncode == 0 and "test accuracy" in process.stdout, process.stderr


@pytest.mark.parametrize("line", LAUNCHED)
def test_every_launcher_and_its_settings_are_there(command, line):
    words = [word for word in shlex.split(line)[1:] if word != "-m" and "," not in word]  # of a single run
    process = command("-m", "proj.train", *words, "--cfg", "all")
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("line", SWEEPS)
def test_every_sweep_runs(line, tmp_path, words_for):
    one = ["seed=1"] if "seed" in line or "sweep=" in line else []
    one += ["optimizer.lr=0.001"] if "sweep=" in line else []
    one += ["hydra.sweeper.n_trials=2"] if "optuna" in line else []
    process = processes.run(tmp_path, *here(line), *words_for(line), *one, before=finish_at_once)
    assert process.returncode == 0 and "The best again" in process.stdout, process.stderr


@pytest.mark.parametrize("line", OTHERS)
def test_every_other_command_runs(line, trained, tmp_path):
    for name in re.findall(r"outputs/(?:[\w-]+/?)+(?:\*(?=/))?", line):
        name = name.replace("*", "0_seed=1")  # a job of a sweep
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(trained("dataset=digits", "model=mlp"), tmp_path / name)
    if "best.ckpt" in line:
        shutil.copy(trained("dataset=digits", "model=mlp") / "best.ckpt", tmp_path)
        (tmp_path / "photos").mkdir()
        Image.new("L", (20, 30), 255).save(tmp_path / "photos/a.png")
    process = processes.run(tmp_path, *shlex.split(line), before=export_no_network)
    assert process.returncode == 0 and process.stdout, process.stderr


def export_no_network() -> None:
    """To import what exports takes seconds: `test_export` does that."""
    import proj.use.export

    proj.use.export.to_onnx = lambda *arguments: (b"", None)
    proj.use.export.compare = lambda *arguments: None


def block(pattern: str) -> str:
    return re.search(rf"```\w+\n((?:(?!```).)*?{pattern}.*?)```", README, re.S)[1]


def test_the_datasets_and_the_model_that_it_adds_train(command, tmp_path, data_dir):
    (tmp_path / "wine.py").write_text(block("class WineDataModule"))
    (tmp_path / "linear.py").write_text(block("class Linear"))
    options = {"dataset/wine": "wine.Wine", "dataset/kmnist": "datasets.KMNIST", "model/linear": "linear.L"}
    for name, pattern in options.items():
        file = tmp_path / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block(pattern))
    words = ("-m", "proj.train", "--config-dir=conf", "-m", f"data_dir={data_dir}", "trainer.max_epochs=1")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}  # as for `python -m`, started there
    process = command(*words, "dataset=wine,kmnist", "model=linear", env=env)
    assert process.returncode == 0, process.stderr
    assert len(list(tmp_path.glob("outputs/sweeps/*/*/metrics.json"))) == 2
    (run,) = (tmp_path / "outputs" / "sweeps").glob("*/0_*")
    for words, sentence in (([], "add trust=linear,wine"), (["trust=linear,wine"], "evaluation.json")):
        process = command("-m", "proj.evaluate", f"run={run}", *words, env=env)
        assert sentence in process.stdout + process.stderr and process.returncode == (0 if words else 1), process.stderr


def test_each_addition_takes_under_15_lines():
    for pattern in ("class WineDataModule", "class Linear", "wine.Wine", "linear.L", "datasets.KMNIST"):
        assert len([line for line in block(pattern).splitlines() if line]) < 15


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_every_benchmark_has_a_command_in_the_readme_and_finds_what_it_measures(file, monkeypatch, capsys):
    assert f"python benchmarks/{file.name}" in README
    monkeypatch.syspath_prepend(file.parent)
    monkeypatch.setattr("sys.argv", [file.name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(file.stem).main()
    assert "usage:" in capsys.readouterr().out


def anchors(page: Path) -> set[str]:
    """What a link can name behind `#`, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_every_link_and_picture_is_there_and_every_page_is_led_to(page):
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)  # in code such brackets are a call
    links = re.findall(r"\]\(([^)]+)\)", prose) + re.findall(r'src="([^"]+)"', prose)
    for link in links:
        file, _, heading = link.partition("#")
        there = page.parent / file if file else page
        assert link.startswith("https://") or there.exists(), link
        assert link.startswith("https://") or not heading or heading in anchors(there), link
    place = page.relative_to(ROOT).as_posix()
    assert page is PAGES[0] or f"]({place})" in PAGES[0].read_text(encoding="utf-8")


def test_the_messages_that_the_page_on_faults_shows_are_those_of_the_program():
    """Of each message at least four runs of three words, since the page shortens them."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sorted((ROOT / "src/proj").rglob("*.py"))]
    texts = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    said = "\n".join(" ".join(re.findall(r"[\w./-]+", text)) for text in texts if isinstance(text, str))
    page = (ROOT / "docs/robustness.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| (.+) \|$", page.partition("| what breaks |")[2], re.M)
    assert len(rows) > 15
    for fault, message in rows[1:]:
        words = re.findall(r"[\w./-]+", message)
        runs = [" ".join(words[place : place + 3]) for place in range(len(words) - 2)]
        assert sum(run in said for run in runs) >= 4 or message.startswith("nothing: "), fault


def test_every_file_that_a_page_names_with_its_folder_is_there():
    for page in (*PAGES, ROOT / "CONTRIBUTING.md"):
        names = re.findall(r"[`\"]([\w.]+/[\w./]*\.(?:py|yaml|ipynb|html))\b", page.read_text(encoding="utf-8"))
        for name in set(names) - {"conf/dataset/kmnist.yaml"}:  # which a reader may add
            assert any((ROOT / place / name).is_file() for place in ("", "src/proj")), f"{page.name}: {name}"


def masked(text: str) -> list[str]:
    """The lines of an output without their numbers, and with one blank for several."""
    return [" ".join(re.sub(r"\d[\d,.]*", "#", line).split()) for line in text.splitlines()]


def shown(page: str, first: str) -> list[str]:
    """The `masked` lines of the output that a page shows, from the one that begins with `first` to the first cut."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return masked(text[text.index(f"\n    {first}") :].partition("\n    …")[0].strip())


@pytest.mark.parametrize(
    ("page", "first", "words"),
    (
        ("training.md", "iris on iris:", "proj.train hydra.run.dir=outputs/iris/iris/2026-11-21_13-05-31"),
        ("checkpoints.md", "accuracy 98", "proj.evaluate run=digits"),
    ),
)
def test_the_outputs_that_the_pages_show_are_those_of_the_commands_but_for_numbers(
    command, digits, tmp_path, page, first, words
):
    shutil.copytree(digits, tmp_path / "digits")
    printed = masked(command("-m", *words.split()).stdout)
    lines = [
        line for line in shown(page, first) if not line.startswith(("# - ", "on cpu"))
    ]  # classes of another dataset, a GPU
    assert len(lines) > 3 and not [line for line in lines if line not in printed], printed


def test_the_readme_names_every_option_of_its_groups_and_no_other():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGES[0].read_text(encoding="utf-8"), re.M)
    assert len(rows) > 5
    for group, words in rows:
        options = {file.stem for file in (ROOT / "conf" / group).glob("*.yaml")}
        assert options and options <= {*re.findall(r"`(\w+)`", words)}, group
        others = {*re.findall(r"`(\w+)`", words)} - options
        assert others <= {"monitor", "whitened_cnn"}, group


DEFAULTS = {  # whose values the pages name: of a file of conf/, which stands in this place of the configuration
    ("train", ""): "save_every",
    ("dataset/image_folder", ""): "dataset.test_fraction dataset.val_fraction dataset.size dataset.memory_limit_mb "
    "dataset.cache_dir",
    ("dataset/csv", ""): "dataset.test_fraction dataset.val_fraction dataset.split_seed dataset.max_categories",
    ("dataset_model/image_folder_cnn", ""): "dataset.shift",
    ("model/pretrained", "model."): "model.views model.layer_decay",
    ("callbacks/average", "callbacks."): "callbacks.average.update_every_n_steps callbacks.average.decay",
    ("hydra/sweeper/optuna", "hydra.sweeper."): "hydra.sweeper.seed",
}


@pytest.mark.parametrize(("file", "place"), DEFAULTS)
def test_the_defaults_that_the_pages_name_are_those_of_conf(file, place):
    conf = OmegaConf.load(ROOT / "conf" / f"{file}.yaml")
    for setting in DEFAULTS[file, place].split():
        assert f"`{setting}={OmegaConf.select(conf, setting.removeprefix(place))}`" in README


LIMITS = {  # of the program, with the words of the pages about them
    "proj.use.evaluation.LISTED": (1000, "with more than 1,000 classes its cells"),
    "proj.use.evaluation.SHOWN": (30, "the 30 most confident mistakes"),
    "proj.use.prediction.SHOWN": (30, "draws the first 30 images"),
    "proj.use.quantization.SEEN": (500, "calibrated on 500 training examples"),
    "proj.use.quantization.LOST": (0.005, "more than 0.5 points of accuracy"),
    "proj.use.export.BATCHES": ((1, 2, 7), "in batches of 1, 2 and 7"),
    "proj.training.precision.FEW_MULTIPLICATIONS": (200_000, "from 200,000 multiplications per example on"),
    "proj.training.precision.FEW_WEIGHTS": (1_000_000, "from a million weights on"),
    "proj.training.threads.SMALL": (1e8, "fewer than 10⁸ multiplications"),
    "proj.training.build.FEW_IMAGES": (100, "fewer than a hundred to train on of each class"),
    "proj.training.progress_bar.LINE_INTERVAL": (60, "at most once a minute"),
    "proj.models.tabm.LARGE": (10_000, "256 from 10,000 training examples on"),
    "proj.models.tabm.EMBEDDING": (8, "Eight weighted sums"),
    "proj.system.locks.SILENCE": (12, "waits 12 s for a sign of life"),
    "proj.data.tables.table_file.LARGE": (30_000_000, "a file of more than 30 MB"),
    "proj.data.tables.new_table.FAR": (10, "ten standard deviations or more"),
    "proj.data.tables.new_table.SCALED": (8, "more than eight times"),
    "proj.data.photos.image_file.MAX_PIXELS": (178_956_970, "more than 178,956,970 pixels"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_the_limits_that_the_pages_name_are_those_of_the_program(name):
    value, words = LIMITS[name]
    module, _, constant = name.rpartition(".")
    assert getattr(importlib.import_module(module), constant) == value and words in " ".join(README.split())


def test_the_readme_is_read_in_minutes():
    assert len(PAGES[0].read_bytes()) <= 10_000


def test_the_first_commands_set_everything_up():
    run, test = re.findall(r"^    (python3 -m venv .*)$", README, re.M)
    assert run.endswith("python -m proj.train") and test.endswith("python -m pytest")


def test_no_word_of_a_documented_command_is_one_that_a_shell_would_change():
    """zsh, the shell of macOS, also takes brackets for patterns, ~x for a user, and # for a word."""
    pages = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = re.findall(r"^    (?:[\w./]*python3? |uv |pip )(?!.*Scripts).*(?:\\\n.*)*", pages, re.M)
    shown += [
        span for span in re.findall(r"`([^`\n]+)`", pages) if re.match(r"python -m |'?[+~]*[\w./]+=[\[{(]|'?~\w", span)
    ]
    assert len(shown) > 100
    for command in shown:
        bare = re.sub(r"'[^']*'|\"[^\"]*\"|\\\n|<[a-z_]+>|&&", "", command)  # less what is quoted, and placeholders
        assert not re.search(r"[\[\](){}*?$#]| ~(?!/)|^~", bare), command
