"""The READMEs list exactly the inputs and outputs of the templates and the modules."""

import re

import pytest
from conftest import TOP
from templates import parameters, resolve

MODULES = ["terraform", "terraform/modules/automirror", "terraform/modules/config-rule"]
TEMPLATES = ["automirror.yaml", "config-rule.yaml"]


def blocks(path, kind):
    """Returns the name of each block of a kind, with the attributes that fit on one line."""
    text = (TOP / path).read_text()
    found = re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', text, re.M | re.S)
    assert len(found) == len(re.findall(rf"^{kind} ", text, re.M))
    return [(name, dict(re.findall(r"^  (\w+) += (.+)$", body, re.M))) for name, body in found]


def rows(path, heading):
    section = (TOP / path).read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def text(quoted):
    return quoted.strip('"').replace('\\"', '"')


@pytest.mark.parametrize("module", MODULES)
def test_the_inputs_of_a_module_are_in_its_readme(module):
    known = [
        [f"`{name}`", f"`{is_['type']}`", f"`{is_['default']}`" if "default" in is_ else "**required**"]
        + [text(is_["description"])]
        for name, is_ in blocks(f"{module}/variables.tf", "variable")
    ]
    assert rows(f"{module}/README.md", "Inputs") == known


@pytest.mark.parametrize("module", MODULES)
def test_the_outputs_of_a_module_are_in_its_readme(module):
    known = [[f"`{name}`", text(is_["description"])] for name, is_ in blocks(f"{module}/outputs.tf", "output")]
    assert rows(f"{module}/README.md", "Outputs") == known


def test_the_parameters_of_the_templates_are_in_their_readme():
    listed = rows("cloudformation/README.md", "Parameters")
    defaults = {}
    for names, shown, which, _ in listed:
        names = re.findall(r"`(\w+)`", names)
        values = re.findall(r"`([^`]*)`|(none|\d+)", shown)
        values = ["" if plain == "none" else quoted or plain for quoted, plain in values]
        for name, value in zip(names, values * len(names) if len(values) == 1 else values, strict=True):
            defaults[name] = (value, which)
    ours = [parameters(path) for path in TEMPLATES]
    for name, (value, which) in defaults.items():
        holders = [path.removesuffix(".yaml") for path, known in zip(TEMPLATES, ours) if name in known]
        assert {known[name] for known in ours if name in known} == {value}, name
        assert which == {2: "both", 1: "one each" if name.endswith("MemorySize") else holders[0]}[len(holders)], name
    # This README need not list settings that the README of the project lists.
    settings = re.findall(r"`(MIRROR_[A-Z_]+)`", (TOP / "README.md").read_text())
    known = {"".join(part.capitalize() for part in setting.lower().split("_")) for setting in settings}
    assert (ours[0] | ours[1]).keys() == defaults.keys() | known


def test_the_outputs_of_the_templates_are_in_their_readme():
    section = (TOP / "cloudformation/README.md").read_text().split("## Outputs\n", 1)[1].split("\n## ", 1)[0]
    outputs = {name for path in TEMPLATES for name in resolve(path, {"CreateTopic": "true"})["Outputs"]}
    assert set(re.findall(r"`(\w+)`", section)) == outputs
