import copy
import shutil

import pytest
import torch
from torch import nn

from common.errors import InputError
from reid.training.compilation import compile_modules

CPU = torch.device("cpu")


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling on the CPU needs g++")
def test_a_compiled_module_computes_and_learns_what_it_did() -> None:
    torch.manual_seed(0)
    # In float64: the order of sums differs, and rounding must not decide.
    plain = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()).double().train()
    compiled = copy.deepcopy(plain)
    compile_modules(compiled, device=CPU)
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    outputs = [module(images) for module in (plain, compiled)]
    torch.testing.assert_close(outputs[1], outputs[0])
    for output in outputs:
        output.square().sum().backward()
    torch.testing.assert_close(compiled[0].weight.grad, plain[0].weight.grad)
    assert compiled.state_dict().keys() == plain.state_dict().keys()


def test_without_a_compiler_it_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_compiles(*arguments: object, **options: object) -> None:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1")

    monkeypatch.setattr(torch, "compile", nothing_compiles)
    with pytest.raises(InputError, match=r"run\.compile: torch cannot compile here \(.*No working C\+\+") as error:
        compile_modules(nn.Linear(2, 2), device=CPU)
    assert "TORCHDYNAMO" not in str(error.value)
