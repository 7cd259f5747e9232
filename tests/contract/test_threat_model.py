"""The threat model names places and tests that there are."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THREATS = {
    text.partition("\n")[0]: text
    for text in re.split(r"^## ", (ROOT / "docs/threat-model.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
}


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("threat", THREATS)
def test_a_threat_has_a_defence_in_a_place_and_a_proof(threat: str) -> None:
    defence, said, proof = THREATS[threat].partition("**Proof.**")
    assert "**Defence.**" in defence
    assert said
    places = re.findall(r"`((?:libs|services|deploy)/[^`:]+|requirements\.lock)`", defence)
    assert [place for place in places if not (ROOT / place).exists()] == []
    proofs = re.findall(r"^- `([^`]+)::(test_\w+)`$", proof, re.MULTILINE)
    assert proofs
    assert [f"{path}::{name}" for path, name in proofs if name not in functions_of(path)] == []
    assert len(proofs) == len(re.findall(r"^- ", proof, re.MULTILINE))
