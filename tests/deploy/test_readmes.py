"""The READMEs list exactly the inputs and outputs of the template and the modules, and no document is lost."""

import re

import pytest
from conftest import TOP
from templates import parameters, resolve

MODULES = ["terraform", "terraform/modules/automirror", "terraform/modules/config-rule"]


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


def test_the_parameters_of_the_template_are_in_its_readme():
    defaults = {}
    for names, shown, _ in rows("cloudformation/README.md", "Parameters"):
        names = re.findall(r"`(\w+)`", names)
        values = re.findall(r"`([^`]*)`|(none|\d+)", shown)
        values = ["" if plain == "none" else quoted or plain for quoted, plain in values]
        for name, value in zip(names, values * len(names) if len(values) == 1 else values, strict=True):
            defaults[name] = value
    ours = parameters("automirror.yaml")
    for name, value in defaults.items():
        assert ours[name] == value, name
    # This README need not list settings that docs/settings.md lists.
    settings = re.findall(r"`(MIRROR_[A-Z_]+)`", (TOP / "docs/settings.md").read_text())
    known = {"".join(part.capitalize() for part in setting.lower().split("_")) for setting in settings}
    assert ours.keys() - defaults.keys() <= known and defaults.keys() <= ours.keys()


def test_the_outputs_of_the_template_are_in_its_readme():
    section = (TOP / "cloudformation/README.md").read_text().split("## Outputs\n", 1)[1].split("\n## ", 1)[0]
    topic = "arn:aws:sns:us-east-1:210987654321:alarms"
    outputs = set(resolve("automirror.yaml", {"AlarmTopicArn": topic})["Outputs"])
    assert set(re.findall(r"`(\w+)`", section)) == outputs


IGNORED = {"target", ".git", ".terraform", "node_modules"}
# The most lines of the README. What does not belong to the first hour has a place in docs/.
FIRST_HOUR = 180


def files(*patterns):
    """Returns the files of the project with these names, without what is built or fetched."""
    found = {path for pattern in patterns for path in TOP.rglob(pattern)}
    return sorted(path for path in found if not IGNORED & set(path.relative_to(TOP).parts))


def prose(path):
    """Returns the text of a document without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.M | re.S)


def slugs(path):
    """Returns the anchors of the headings of a file, as GitHub forms them."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path):
    """Returns the links of a document that stay inside the repository, each with the file and the anchor it names."""
    inline = re.findall(r"\]\(([^)\s]+)[^)]*\)", prose(path))
    named = re.findall(r"^\[[^\]]+\]: (\S+)", prose(path), re.M)
    for link in inline + named:
        if not re.match(r"[a-z]+:", link):
            file, _, anchor = link.partition("#")
            yield link, (path.parent / file).resolve() if file else path, anchor


DOCUMENTS = files("*.md")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_links_inside_the_repository_lead_somewhere(path):
    for link, there, anchor in links(path):
        assert there.exists(), link
        assert not anchor or anchor in slugs(there), link


def test_what_code_and_templates_say_of_documents_is_there():
    for path in files("*.md", "*.py", "*.rs", "*.sh", "*.tf", "*.hcl", "*.toml", "*.yaml", "*.yml", "Makefile"):
        for file, anchor in re.findall(r"\b(docs/[\w/-]+\.md)(?:#([\w-]+))?", path.read_text()):
            assert (TOP / file).exists(), f"{path}: {file}"
            assert not anchor or anchor in slugs(TOP / file), f"{path}: {file}#{anchor}"


def test_every_document_can_be_reached_from_the_readme():
    reached, left = set(), {TOP / "README.md"}
    while left:
        reached |= left
        named = {there / "README.md" if there.is_dir() else there for path in left for _, there, _ in links(path)}
        left = (named & set(DOCUMENTS)) - reached
    assert {path for path in DOCUMENTS if path.is_relative_to(TOP / "docs")} <= reached


def test_the_readme_is_the_first_hour():
    assert len((TOP / "README.md").read_text().splitlines()) <= FIRST_HOUR
