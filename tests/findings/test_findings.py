"""What `mirrorctl doctor` says in the formats of others, judged by their own schemas.

tests/mirrorctl has what the tests in Rust have seen it say: asff.json, ocsf.json and, of an account in which everything
is fine, asff-fine.json and ocsf-fine.json.
"""

import json
import re
from datetime import datetime
from pathlib import Path

import ocsf_json_schema
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[1] / "mirrorctl"
# Security Hub takes no more at once (user guide, Using BatchImportFindings).
BYTES = 240 * 1024
NAMESPACES = {"Software and Configuration Checks", "TTPs", "Effects", "Unusual Behaviors", "Sensitive Data Identifications"}
# What is fine, what is limited, what nobody can tell, and what is broken.
ASFF_RESULTS = {"PASSED", "WARNING", "NOT_AVAILABLE", "FAILED"}
OCSF_VERSION = "1.5.0"
OCSF_RESULTS = {"Pass", "Warning", "Unknown", "Fail"}


def read(name):
    return json.loads((FOLDER / name).read_text())


ASFF = read("asff.json") + read("asff-fine.json")
OCSF = read("ocsf.json") + read("ocsf-fine.json")


@pytest.fixture(scope="module")
def security_hub():
    model = ServiceModel(Loader().load_service_model("securityhub", "service-2"))
    return model.operation_model("BatchImportFindings").input_shape


@pytest.fixture(scope="module")
def compliance_finding():
    schema = ocsf_json_schema.get_ocsf_schema(version=OCSF_VERSION)
    return ocsf_json_schema.OcsfJsonSchemaEmbedded(schema).get_class_schema("compliance_finding", ["cloud"])


def beyond_limits(shape, value, path=""):
    """What the model says of values and botocore does not check: enumerations, patterns, and limits in the text."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            member = shape.members[name]
            yield from beyond_limits(member, inner, f"{path}.{name}")
            yield from beyond_documented(member.documentation, inner, f"{path}.{name}")
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            yield from beyond_limits(shape.member, inner, f"{path}[{index}]")
    elif shape.type_name == "map":
        for name, inner in value.items():
            yield from beyond_limits(shape.key, name, f"{path}.{name}")
            yield from beyond_limits(shape.value, inner, f"{path}.{name}")
    elif shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none of {shape.enum}"
        if "pattern" in shape.metadata and not re.search(shape.metadata["pattern"], value):
            yield f"{path}: {value!r} is empty"


def beyond_documented(documentation, value, path):
    text = re.sub(r"<[^>]+>|\s+", " ", documentation)
    longest = re.search(r"Maximum (?:length of|of) (\d+)", text)
    if isinstance(value, str) and longest and int(longest[1]) < len(value):
        yield f"{path}: {len(value)} characters"
    most = re.search(r"Maximum number of (\d+) items?", text)
    if isinstance(value, list) and most and int(most[1]) < len(value):
        yield f"{path}: {len(value)} items"
    pairs = re.search(r"up to (\d+) key-value pairs.*up to (\d+) characters.*up to (\d+) characters", text)
    if isinstance(value, dict) and pairs:
        count, key, longest = map(int, pairs.groups())
        if count < len(value) or any(key < len(k) or longest < len(v) for k, v in value.items()):
            yield f"{path}: too many pairs, or too long ones"


def faults(shape, findings):
    report = ParamValidator().validate({"Findings": findings}, shape)
    return [report.generate_report()] if report.has_errors() else list(beyond_limits(shape, {"Findings": findings}))


def test_security_hub_takes_the_findings(security_hub):
    assert faults(security_hub, ASFF) == []
    assert {finding["Compliance"]["Status"] for finding in ASFF} == ASFF_RESULTS
    for finding in ASFF:
        assert len(json.dumps(finding)) < BYTES


WRONG = {
    "a field that does not exist": lambda it: it.update(Colour="red"),
    "no resources": lambda it: it.pop("Resources"),
    "another severity": lambda it: it["Severity"].update(Label="BAD"),
    "another severity of the provider": lambda it: it["FindingProviderFields"]["Severity"].update(Label="BAD"),
    "another result": lambda it: it["Compliance"].update(Status="BROKEN"),
    "a title that is too long": lambda it: it.update(Title="x" * 257),
    "a description that is too long": lambda it: it.update(Description="x" * 1025),
    "an empty description": lambda it: it.update(Description=""),
    "advice that is too long": lambda it: it.update(Remediation={"Recommendation": {"Text": "x" * 513}}),
    "too many resources": lambda it: it.update(Resources=it["Resources"] * 33),
    "a field that is too long": lambda it: it["ProductFields"].update(x="x" * 2049),
    "too many fields": lambda it: it["ProductFields"].update({str(n): "x" for n in range(50)}),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_security_hub_would_refuse_is_noticed(security_hub, change):
    finding = json.loads(json.dumps(ASFF[0]))
    change(finding)
    assert faults(security_hub, [finding])


def test_each_finding_says_whose_it_is_and_keeps_to_the_guide():
    for finding in ASFF:
        account, region = finding["AwsAccountId"], finding["Region"]
        assert finding["SchemaVersion"] == "2018-10-08"
        assert finding["ProductArn"] == f"arn:aws:securityhub:{region}:{account}:product/{account}/default"
        assert finding["GeneratorId"].startswith("mirrorctl/doctor")
        for time in [finding["CreatedAt"], finding["UpdatedAt"]]:
            assert datetime.fromisoformat(time).tzinfo, time
        assert {kind.split("/")[0] for kind in finding["Types"]} <= NAMESPACES
        # A provider changes both from here only (user guide, Using FindingProviderFields).
        for name in ["Severity", "Types"]:
            assert finding["FindingProviderFields"][name] == finding[name]
        is_fine = finding["Compliance"]["Status"] == "PASSED"
        assert (finding["RecordState"] == "ARCHIVED") == is_fine
        assert (finding["Severity"]["Label"] == "INFORMATIONAL") == is_fine
        assert ("Remediation" in finding) != is_fine


def test_ocsf_takes_the_findings(compliance_finding):
    validator = Draft202012Validator(compliance_finding)
    for finding in OCSF:
        assert finding["metadata"]["version"] == OCSF_VERSION
        assert [error.message for error in validator.iter_errors(finding)] == []
    assert {finding["compliance"]["status"] for finding in OCSF} == OCSF_RESULTS


def test_what_ocsf_would_refuse_is_noticed(compliance_finding):
    validator = Draft202012Validator(compliance_finding)
    for change in [
        lambda it: it.update(colour="red"),
        lambda it: it.update(severity_id=7),
        lambda it: it["compliance"]["checks"][0].update(status_id=7),
        lambda it: it["cloud"].pop("provider"),
        lambda it: it["finding_info"].pop("uid"),
        lambda it: it["metadata"].pop("product"),
        lambda it: it["resources"][0].update(colour="red"),
        lambda it: it.pop("time"),
    ]:
        finding = json.loads(json.dumps(OCSF[1]))
        change(finding)
        assert not validator.is_valid(finding)


def captions():
    """The captions of the numbers of a compliance finding, of a result, and of an account."""
    schema = ocsf_json_schema.get_ocsf_schema(version=OCSF_VERSION)

    def of(kind, name, attribute):
        numbers = schema[kind][name]["attributes"][attribute]["enum"]
        return {int(number): it["caption"] for number, it in numbers.items()}

    names = ["activity_id", "category_uid", "class_uid", "severity_id", "status_id", "type_uid"]
    found = {name: of("classes", "compliance_finding", name) for name in names}
    return found, of("objects", "compliance", "status_id"), of("objects", "account", "type_id")


def test_each_number_has_its_caption():
    of_class, results, accounts = captions()
    for finding in OCSF:
        for number, caption in [
            ("activity_id", "activity_name"),
            ("category_uid", "category_name"),
            ("class_uid", "class_name"),
            ("severity_id", "severity"),
            ("status_id", "status"),
            ("type_uid", "type_name"),
        ]:
            assert of_class[number][finding[number]] == finding[caption]
        for it in [finding["compliance"], *finding["compliance"]["checks"]]:
            assert results[it["status_id"]] == it["status"]
        account = finding["cloud"]["account"]
        assert accounts[account["type_id"]] == account["type"]
        assert finding["type_uid"] == finding["class_uid"] * 100 + finding["activity_id"]
        assert (finding["activity_name"] == "Close") == (finding["compliance"]["status"] == "Pass")


def test_both_formats_say_the_same():
    pairs = zip(sorted(ASFF, key=lambda it: it["Id"]), sorted(OCSF, key=lambda it: it["finding_info"]["uid"]), strict=True)
    for asff, ocsf in pairs:
        assert asff["Id"] == ocsf["finding_info"]["uid"]
        assert asff["Title"] == ocsf["finding_info"]["title"]
        assert asff["Severity"]["Label"].title() == ocsf["severity"]
        assert [it["Id"] for it in asff["Resources"]] == [it["uid"] for it in ocsf["resources"]]
