"""What a short run does not import, and that it is there all the same for who uses it."""

import subprocess
import sys

import pytest

from proj.system import lazy_imports

# Each took from 0.2 to 4 s of the processor when every run imported it.
NEVER = {"torch._dynamo.eval_frame", "torch._inductor", "torch.onnx", "torch.distributed.tensor", "sympy"}
NEVER |= {"torchvision", "scipy", "sklearn", "matplotlib", "pandas", "plotly", "optuna", "onnx", "onnxruntime"}
NEVER |= {"triton", "boto3.session"}

RUNS = f"""
import inspect, sys, unittest
from proj import configure, train

def run(*words):
    short = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "hydra.run.dir=" + words[0]]
    train(configure(*words, *short))
    return {NEVER} & {{*sys.modules}}

several = ["dataset=iris", "trainer=ddp", "trainer.devices=1", "trainer.accelerator=cpu"]  # as each process of several
for words in (several, ["dataset=digits"], ["dataset=csv", "data_dir=table.csv", "dataset.target=kind"]):
    assert not (found := run(*words)), (words, found)
inspect.getmodule(eval("lambda: 0"))  # which looks at all modules
with unittest.TestCase().assertWarns(UserWarning):  # and so does this
    import warnings
    warnings.warn("")
assert not {NEVER} & {{*sys.modules}}
digits = ["dataset=mnist", "dataset.batch_size=60", "data_dir=" + sys.argv[1]]
backbone = ["model=pretrained", "model.weights=null", "model.backbone=shufflenet_v2_x0_5", "model.size=32"]
for words in (digits, [*backbone, "model.views=1", "model.cache_dir=null", *digits]):
    assert (found := run(*words)) <= {{"torchvision", "torch.onnx"}}, (words, found)  # its backbones name the latter
"""


def test_short_runs_import_neither_a_compiler_nor_what_only_other_metrics_or_networks_need(tmp_path, data_dir):
    (tmp_path / "table.csv").write_text("size,kind\n" + "".join(f"{row},{'ab'[row % 2]}\n" for row in range(80)))
    process = subprocess.run([sys.executable, "-c", RUNS, str(data_dir)], cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `slow_one` with a module in it, whose imports are counted."""
    (tmp_path / "slow_one").mkdir()
    (tmp_path / "slow_one" / "__init__.py").write_text("from slow_one import part\nbig = part.big\n")
    (tmp_path / "slow_one" / "part.py").write_text("import builtins\nbig = object()\n")
    monkeypatch.syspath_prepend(tmp_path)
    finder = lazy_imports.Postpone()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    yield finder
    for name in [name for name in sys.modules if name.partition(".")[0] == "slow_one"]:
        del sys.modules[name]


def test_a_version_that_a_stand_in_does_not_fit_is_imported_whole(package, monkeypatch):
    def does_not_fit(module):
        import slow_one.part as part

        module.small = part.small

    monkeypatch.setitem(lazy_imports.STAND_INS, "slow_one", does_not_fit)
    package.left = {"slow_one"}
    import slow_one

    assert slow_one.big is sys.modules["slow_one.part"].big is slow_one.part.big
    assert not isinstance(slow_one, lazy_imports.Postponed)


def test_what_a_stand_in_cannot_answer_is_answered_by_the_module_with_what_was_imported_of_it(package, monkeypatch):
    def small(module):
        import slow_one.part as part

        module.small = part.big

    monkeypatch.setitem(lazy_imports.STAND_INS, "slow_one", small)
    package.left = {"slow_one"}
    import slow_one

    part = slow_one.part
    assert isinstance(slow_one, lazy_imports.Postponed) and slow_one.small is part.big
    assert slow_one.big is part.big and sys.modules["slow_one"].part is part and "big" in dir(slow_one)
    with pytest.raises(AttributeError, match="nothing"):
        _ = slow_one.nothing
