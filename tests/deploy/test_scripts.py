"""What the scripts say and do in states that moto does not have, with a stub in place of the AWS CLI.

The stub knows calls by what their arguments contain, and fails on any other call. So no call goes unnoticed.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import jmespath
import pytest
from conftest import TOP

SCRIPTS = sorted((TOP / "cloudformation").glob("*.sh"))
STUB = f"""#!{sys.executable}
import json, sys
from pathlib import Path
folder = Path(__file__).parent
said = " ".join(sys.argv[1:])
with (folder / "calls").open("a") as calls:
    calls.write(said + "\\n")
answers = json.loads((folder / "answers").read_text())
for answer in answers:
    if all(part in said for part in answer["call"]):
        # An answer is given once if there is another one for the same call behind it.
        if any(other["call"] == answer["call"] for other in answers if other is not answer):
            answers.remove(answer)
            (folder / "answers").write_text(json.dumps(answers))
        sys.stdout.write(answer["out"])
        if "file" in answer:
            Path(sys.argv[-1]).write_text(answer["file"])
        sys.stderr.write(answer.get("err", ""))
        sys.exit(answer.get("code", 0))
sys.exit(f"the stub knows no call {{said}}")
"""
CALLER = {"call": ["sts get-caller-identity"], "out": "111122223333\tarn:aws:iam::111122223333:user/alice\n"}
NO_STACK = {
    "call": ["describe-stacks"],
    "out": "",
    "err": "An error occurred (ValidationError): Stack with id automirror does not exist",
    "code": 255,
}
NOT_YET = NO_STACK | {"call": ["describe-stacks", "not_null"]}
NO_OTHER_OWNER = {"call": ["describe-stacks", "ParameterValue=="], "out": "\n"}
BUCKET = {"call": ["get-bucket-location"], "out": "eu-west-1\n"}
RECORDS = {"call": ["recorder-status"], "out": "True\n"}
ALL_TYPES = {"call": ["describe-configuration-recorders", "recordingGroup"], "out": "True\tTrue\n"}
CONTINUOUS = {"call": ["describe-configuration-recorders", "recordingMode"], "out": "CONTINUOUS\tNone\tNone\n"}
TRAIL = {"call": ["describe-trails"], "out": "trail\n"}
TARGET = {"call": ["describe-traffic-mirror-targets"], "out": "tmt-1\n"}
UPLOADED = {"call": ["s3 cp"], "out": ""}
INSTANCE, SESSION, A_TARGET = "AWS::EC2::Instance", "AWS::EC2::TrafficMirrorSession", "AWS::EC2::TrafficMirrorTarget"
AHEAD = [CALLER, BUCKET, RECORDS, ALL_TYPES, CONTINUOUS, TRAIL, TARGET]


def excluding(*types):
    strategy = {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"}
    return {"recordingStrategy": strategy, "exclusionByResourceTypes": {"resourceTypes": list(types)}}


class Stage:
    """A copy of the scripts, packages that are empty files, and the stub."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "bin").mkdir()
        stub = folder / "bin/aws"
        stub.write_text(STUB)
        stub.chmod(0o755)
        (folder / "cloudformation").mkdir()
        for path in [*SCRIPTS, TOP / "cloudformation/automirror.yaml"]:
            copy = folder / "cloudformation" / path.name
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o755)
        self.packages("arm64")

    def packages(self, *architectures):
        folder = self.folder / "target/package"
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for architecture in architectures:
            for name in ("automirror", "config-rule"):
                (folder / f"{name}-{architecture}.zip").write_text("zip")

    def run(self, script, *arguments, answers=(), code=0, says="", **environment):
        (self.folder / "bin/answers").write_text(json.dumps(list(answers)))
        (self.folder / "bin/calls").write_text("")
        place = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "AWS_REGION": "eu-west-1", "PAUSE": "0"}
        done = subprocess.run(
            [self.folder / "cloudformation" / script, *arguments],
            env=place | environment,
            text=True,
            capture_output=True,
            input=says,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert "the stub knows no call" not in said, said
        return said

    def calls(self):
        return (self.folder / "bin/calls").read_text().splitlines()


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


# Usage


@pytest.mark.parametrize("script", [path.name for path in SCRIPTS])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_changes_nothing(stage, script, option):
    said = stage.run(script, option)
    assert f"{script} " in said and "--help" in said
    assert stage.calls() == []


@pytest.mark.parametrize(
    "script, arguments, said",
    [
        ("deploy.sh", [], "BUCKET is missing"),
        ("deploy.sh", ["MirrorTargetIds=tmt-1"], "BUCKET is missing"),
        ("deploy.sh", ["MirrorTargetIds=tmt-1", "MirrorMode=detect"], "BUCKET is missing"),
        ("deploy.sh", ["--name", "blue"], "BUCKET is missing"),
        ("deploy.sh", ["--review", "--skip-checks"], "BUCKET is missing"),
        ("deploy.sh", ["bucket", "another"], "another is not PARAMETER=VALUE"),
        ("deploy.sh", ["bucket", "--role-arn"], "--role-arn needs a value"),
        ("deploy.sh", ["bucket", "--tag"], "--tag needs a value"),
        ("deploy.sh", ["--verbose"], "there is no option --verbose"),
        ("deploy.sh", ["bucket", "MirrorMode"], "MirrorMode is not PARAMETER=VALUE"),
        ("deploy.sh", ["bucket", "--name"], "--name needs a value"),
        ("deploy.sh", ["bucket", "--tag", "team"], "the tag team is not KEY=VALUE"),
        ("remove.sh", ["--force"], "there is no option --force"),
        ("remove.sh", ["automirror"], "there is no option automirror"),
        ("remove.sh", ["--name"], "--name needs a value"),
        ("remove.sh", ["--name=blue"], "there is no option --name=blue"),
    ],
)
def test_anything_odd_is_answered_with_the_usage(stage, script, arguments, said):
    told = stage.run(script, *arguments, code=2)
    assert said in told and "--help" in told
    assert stage.calls() == []


@pytest.mark.parametrize(
    "script, variable", [("deploy.sh", "NAME"), ("deploy.sh", "CONFIG_RULE"), ("remove.sh", "NAME")]
)
def test_the_variables_of_before_are_not_ignored(stage, script, variable):
    arguments = ["bucket"] if script == "deploy.sh" else []
    assert f"{variable} is not used any more" in stage.run(script, *arguments, code=1, **{variable: "blue"})
    assert stage.calls() == []


# deploy.sh looks ahead


def test_a_bucket_of_another_region_is_named(stage):
    bucket = BUCKET | {"out": "us-west-2\n"}
    said = stage.run("deploy.sh", "zips", answers=[CALLER, bucket], code=1)
    assert "the bucket zips is in us-west-2" in said and "aws s3 mb s3://zips-eu-west-1 --region eu-west-1" in said


def test_a_recorder_that_does_not_record_is_named(stage):
    answers = [CALLER, BUCKET, NO_OTHER_OWNER, NO_STACK, RECORDS | {"out": "None\n"}]
    assert "give CreateConfigRule=false" in stage.run("deploy.sh", "zips", answers=answers, code=1)
    assert not any("create" in call or "deploy" in call for call in stage.calls())


MISSING = {
    "call": ["describe-traffic-mirror-targets"],
    "out": "",
    "err": "An error occurred (InvalidTrafficMirrorTargetId.NotFound): The target tmt-9 does not exist",
    "code": 255,
}


SOURCES_LEFT_OUT = "Evaluations then come only on schedule"
TARGETS_LEFT_OUT = "It then shows no verdicts of targets"
HEALTH = "ConfigRuleTargetHealth=15"


@pytest.mark.parametrize(
    "answer, parameters, told",
    [
        ("True\tTrue", [HEALTH], []),
        ("True\tFalse", [], []),
        ("True\tFalse", ["ConfigRuleTargetHealth="], []),
        ("True\tFalse", [HEALTH], [TARGETS_LEFT_OUT]),
        ("False\tTrue", [HEALTH], [SOURCES_LEFT_OUT]),
        ("False\tFalse", [HEALTH], [SOURCES_LEFT_OUT, TARGETS_LEFT_OUT]),
        # No recording group is to be seen.
        ("None", [], [SOURCES_LEFT_OUT]),
        ("None", [HEALTH], [SOURCES_LEFT_OUT, TARGETS_LEFT_OUT]),
    ],
)
def test_a_recorder_that_leaves_out_a_type_is_told(stage, answer, parameters, told):
    types = ALL_TYPES | {"out": f"{answer}\n"}
    answers = [CALLER, BUCKET, NO_OTHER_OWNER, NO_STACK, RECORDS, types, CONTINUOUS, TRAIL, MISSING]
    said = stage.run("deploy.sh", "zips", "MirrorTargetIds=tmt-9", *parameters, answers=answers, code=1)
    assert [note for note in (SOURCES_LEFT_OUT, TARGETS_LEFT_OUT) if note in said] == told


@pytest.mark.parametrize(
    "group, sources, targets",
    [
        ({"allSupported": True, "resourceTypes": []}, True, True),
        ({"allSupported": False, "resourceTypes": [INSTANCE, SESSION]}, True, False),
        ({"allSupported": False, "resourceTypes": [INSTANCE, SESSION, A_TARGET]}, True, True),
        ({"allSupported": False, "resourceTypes": [INSTANCE, A_TARGET]}, False, True),
        ({"allSupported": False, "resourceTypes": ["AWS::EC2::InstanceConnectEndpoint", SESSION]}, False, False),
        ({"allSupported": False} | excluding("AWS::EC2::Volume"), True, True),
        ({"allSupported": False, "resourceTypes": []} | excluding(SESSION), False, True),
        ({"allSupported": False} | excluding(INSTANCE), False, True),
        ({"allSupported": False} | excluding(A_TARGET), True, False),
        ({"allSupported": False}, False, False),
    ],
)
def test_what_the_recorder_leaves_out_is_understood(stage, group, sources, targets):
    stage.run("deploy.sh", "zips", answers=deployed(NO_OTHER_OWNER, NOT_YET))
    (call,) = [call for call in stage.calls() if "recordingGroup" in call]
    answer = {"ConfigurationRecorders": [{"recordingGroup": group}]}
    assert jmespath.search(call.partition("--query ")[2], answer) == [sources, targets]


DAILY = "once a day only"
UNKNOWN = "does not tell how often AWS Config records"


@pytest.mark.parametrize(
    "mode, said",
    [
        ({"recordingFrequency": "CONTINUOUS"}, None),
        ({"recordingFrequency": "CONTINUOUS", "recordingModeOverrides": []}, None),
        ({"recordingFrequency": "DAILY"}, DAILY),
        ({"recordingFrequency": "DAILY", "recordingModeOverrides": [("CONTINUOUS", "Instance")]}, DAILY),
        (
            {"recordingFrequency": "DAILY", "recordingModeOverrides": [("CONTINUOUS", "Instance TrafficMirrorSession")]},
            None,
        ),
        ({"recordingFrequency": "CONTINUOUS", "recordingModeOverrides": [("DAILY", "Volume")]}, None),
        ({"recordingFrequency": "CONTINUOUS", "recordingModeOverrides": [("DAILY", "Volume Instance")]}, DAILY),
        ({"recordingFrequency": "CONTINUOUS", "recordingModeOverrides": [("DAILY", "TrafficMirrorSession")]}, DAILY),
        # An AWS CLI of before 2023-11 leaves out what it does not know.
        (None, UNKNOWN),
    ],
)
def test_a_recorder_that_records_once_a_day_is_no_surprise(stage, mode, said):
    recorder = {"name": "default"} | ({"recordingMode": mode} if mode else {})
    if mode and "recordingModeOverrides" in mode:
        mode["recordingModeOverrides"] = [
            {"recordingFrequency": often, "resourceTypes": [f"AWS::EC2::{one}" for one in types.split()]}
            for often, types in mode["recordingModeOverrides"]
        ]
    # What the AWS CLI prints for the query of the script.
    stage.run("deploy.sh", "zips", answers=deployed(NO_OTHER_OWNER, NOT_YET))
    (call,) = [call for call in stage.calls() if "recordingMode" in call]
    found = jmespath.search(call.partition("--query ")[2], {"ConfigurationRecorders": [recorder]}) or ["None"]
    printed = CONTINUOUS | {"out": "\t".join(one or "None" for one in found) + "\n"}
    told = stage.run("deploy.sh", "zips", answers=[printed, *deployed(NO_OTHER_OWNER, NOT_YET)])
    assert {note for note in (DAILY, UNKNOWN) if note in told} == ({said} if said else set())


def test_a_target_that_does_not_exist_is_named(stage):
    answers = [CALLER, BUCKET, NO_OTHER_OWNER, NO_STACK, RECORDS, ALL_TYPES, CONTINUOUS, TRAIL, MISSING]
    said = stage.run("deploy.sh", "zips", "MirrorTargetIds=tmt-9", answers=answers, code=1)
    assert "MirrorTargetIds: The target tmt-9 does not exist" in said


def test_a_second_stack_with_the_same_owner_is_refused(stage):
    taken = NO_OTHER_OWNER | {"out": "automirror\n"}
    said = stage.run(
        "deploy.sh", "--name", "blue", "zips", "MirrorOwner=automirror", answers=[CALLER, BUCKET, taken, NO_STACK], code=1
    )
    assert "the stack automirror already has MirrorOwner=automirror" in said


@pytest.mark.parametrize(
    "there, given, said",
    [
        ([], [], "Run make package"),
        (["x86_64"], ["Architecture=arm64"], "Give Architecture=x86_64, or build those for arm64"),
        (["arm64"], ["Architecture=x86_64"], "rustup target add x86_64-unknown-linux-gnu"),
    ],
)
def test_missing_packages_are_named_with_what_to_type(stage, there, given, said):
    stage.packages(*there)
    assert said in stage.run("deploy.sh", "zips", *given, answers=[CALLER, BUCKET, NO_STACK], code=1)


# The states of a stack


def deployed(*more, sweep="{}"):
    """Answers for a deployment that succeeds."""
    made = "StackStatus\tCREATE_COMPLETE\nCreateConfigRule\ttrue\nFunctionName\tf\nLogGroupName\tlog\nMirrorOwner\tautomirror\n"
    return [
        *more,
        *AHEAD,
        NO_OTHER_OWNER,
        UPLOADED,
        {"call": ["cloudformation deploy"], "out": ""},
        {"call": ["lambda invoke"], "out": "None\n", "file": sweep},
        {"call": ["start-config-rules-evaluation"], "out": ""},
        {"call": ["describe-stacks", "Stacks[0].Outputs[].[OutputKey"], "out": "FunctionName\tf\n"},
        {"call": ["describe-stacks", "not_null"], "out": made},
    ]


def stack(status):
    return {"call": ["describe-stacks", "not_null"], "out": f"StackStatus\t{status}\nCreateConfigRule\ttrue\n"}


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_failed_to_be_created_is_deleted_before_the_next_try(stage, status):
    deletion = [{"call": ["delete-stack --stack-name automirror"], "out": ""}, {"call": ["wait stack-delete"], "out": ""}]
    stage.run("deploy.sh", "zips", answers=deployed(*deletion, NO_OTHER_OWNER, stack(status)))
    calls = [call.split()[1] for call in stage.calls()]
    assert calls.index("delete-stack") < calls.index("deploy")


@pytest.mark.parametrize(
    "status, said",
    [
        ("UPDATE_IN_PROGRESS", "Wait until that has ended"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name automirror"),
        ("DELETE_FAILED", "remove.sh --name automirror"),
    ],
)
def test_a_state_in_which_nothing_can_be_deployed_is_explained(stage, status, said):
    told = stage.run("deploy.sh", "zips", answers=[CALLER, BUCKET, stack(status)], code=1)
    assert said in told and not any("delete-stack" in call for call in stage.calls())


def test_a_failure_shows_what_failed(stage):
    failing = [
        {"call": ["cloudformation deploy"], "out": "", "err": "Failed to create/update the stack\n", "code": 255},
        {"call": ["describe-stack-events"], "out": "Queue\tYou are not authorized: explicit deny in an SCP\n" * 40},
    ]
    said = stage.run("deploy.sh", "zips", answers=[NO_OTHER_OWNER, *failing, *AHEAD, UPLOADED, NO_STACK], code=1)
    assert said.count("explicit deny in an SCP") == 10


def test_the_packages_that_are_there_decide_the_architecture(stage):
    stage.packages("x86_64")
    stage.run("deploy.sh", "zips", "--tag", "team=net work", answers=deployed(NO_OTHER_OWNER, NOT_YET))
    (call,) = [call for call in stage.calls() if "cloudformation deploy" in call]
    assert "Architecture=x86_64" in call and "--tags team=net work" in call and "--s3-bucket zips" in call
    assert "MirrorOwner=automirror ConfigRuleName=automirror" in call


def test_the_wait_is_announced_and_who_gets_the_alarms(stage):
    nobody, wait = "nobody gets the alarms", "this takes about five minutes"
    said = stage.run("deploy.sh", "zips", answers=deployed(NO_OTHER_OWNER, NOT_YET))
    assert wait in said and nobody in said and "AlarmEmail" in said
    for reader in ("EventBusArn=arn:aws:events:eu-west-1:111122223333:event-bus/x", "CreateAlarms=false"):
        said = stage.run("deploy.sh", "zips", reader, answers=deployed(NO_OTHER_OWNER, NOT_YET))
        assert wait in said and nobody not in said, reader
    with_topic = deployed(NO_OTHER_OWNER, NOT_YET)
    with_topic[-1] = with_topic[-1] | {"out": with_topic[-1]["out"] + "TopicArn\tarn:aws:sns:eu-west-1:111122223333:x\n"}
    assert nobody not in stage.run("deploy.sh", "zips", answers=with_topic)


@pytest.mark.parametrize("is_broken", [True, False])
def test_a_sweep_that_finds_a_broken_setting_is_not_overlooked(stage, is_broken):
    sweep = json.dumps({"summary": {"broken_settings": is_broken}}, separators=(",", ":"))
    not_yet = NO_STACK | {"call": ["describe-stacks", "not_null"]}
    said = stage.run("deploy.sh", "zips", answers=deployed(NO_OTHER_OWNER, not_yet, sweep=sweep))
    assert ("note: a setting names only what does not exist (setting-broken above)" in said) == is_broken


def test_a_review_executes_nothing(stage):
    answers = [NO_OTHER_OWNER, {"call": ["--no-execute-changeset"], "out": ""}, *AHEAD, UPLOADED, NO_STACK]
    assert "change set" in stage.run("deploy.sh", "zips", "--review", answers=answers)
    assert not any("invoke" in call for call in stage.calls())


# remove.sh

RULE_STACK_IS_GONE = {"call": ["describe-stacks", "automirror-config-rule"], **{k: v for k, v in NO_STACK.items() if k != "call"}}


def removing(status, *sessions, protected="False", rule="true", owner="automirror", mode="enforce"):
    listed = [
        {"call": ["describe-traffic-mirror-sessions"], "out": "".join(f"{one}\n" for one in ids)} for ids in sessions
    ]
    return [
        {"call": ["sts get-caller-identity"], "out": "111122223333\n"},
        RULE_STACK_IS_GONE,
        {"call": ["describe-stacks"], "out": f"{status}\t{protected}\t{rule}\t{owner}\t{mode}\n"},
        {"call": ["delete-stack"], "out": ""},
        {"call": ["wait stack-delete-complete"], "out": ""},
        *listed,
    ]


@pytest.mark.parametrize(
    "status",
    ["CREATE_COMPLETE", "UPDATE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"],
)
def test_a_stack_can_be_removed_in_any_state(stage, status):
    said = stage.run("remove.sh", "--yes", answers=removing(status, []))
    assert "removed the stack automirror and 0 mirror sessions" in said


def test_ec2_that_still_shows_deleted_sessions_is_not_taken_for_failure(stage):
    answers = removing("CREATE_COMPLETE", ["tms-1"], ["tms-1"], ["tms-1"], [])
    assert "removed the stack automirror and 1 mirror sessions" in stage.run("remove.sh", "--yes", answers=answers)


def test_sessions_that_are_left_are_listed_with_the_command(stage):
    said = stage.run("remove.sh", "--yes", answers=removing("CREATE_COMPLETE", ["tms-1", "tms-2"]), code=1)
    assert "delete-traffic-mirror-session" in said and "tms-1\ntms-2" in said


def test_a_filter_that_ec2_takes_for_used_is_tried_again(stage):
    failed = {"call": ["wait stack-delete-complete"], "out": "", "err": "Waiter failed\n", "code": 255}
    said = stage.run("remove.sh", "--yes", answers=[failed, *removing("CREATE_COMPLETE", [])])
    assert "removed the stack" in said and sum("delete-stack" in call for call in stage.calls()) == 2


def test_what_could_not_be_deleted_is_shown(stage):
    events = {"call": ["describe-stack-events"], "out": "Lifecycle\t3 sessions are left. AccessDenied\n"}
    answers = [events, *removing("CREATE_COMPLETE", ["tms-1"])]
    answers[5] |= {"code": 255}
    said = stage.run("remove.sh", "--yes", answers=answers, code=1)
    assert "3 sessions are left. AccessDenied" in said and "1 sessions of this installation are left" in said


@pytest.mark.parametrize("says", ["", "yes\n", "automirror-2\n"])
def test_nothing_is_removed_without_the_name(stage, says):
    assert "nothing is removed" in stage.run("remove.sh", answers=removing("CREATE_COMPLETE", []), says=says, code=1)
    assert not any("delete-stack" in call for call in stage.calls())


def test_a_protected_stack_is_named_with_the_command(stage):
    said = stage.run("remove.sh", "--yes", answers=removing("CREATE_COMPLETE", [], protected="True"), code=1)
    assert "update-termination-protection" in said and not any("delete-stack" in call for call in stage.calls())


def test_a_stack_that_would_not_delete_its_sessions_is_not_removed(stage):
    said = stage.run("remove.sh", "--yes", answers=removing("UPDATE_COMPLETE", [], rule="None"), code=1)
    assert "of an older version" in said and not any("delete-stack" in call for call in stage.calls())


@pytest.mark.parametrize(
    "status, can_be_updated", [("UPDATE_COMPLETE", True), ("DELETE_FAILED", False), ("ROLLBACK_COMPLETE", False)]
)
def test_in_the_mode_detect_sessions_that_are_left_are_told_before_anything_goes(stage, status, can_be_updated):
    answers = removing(status, ["tms-1", "tms-2"], mode="detect")
    said = stage.run("remove.sh", "--yes", answers=answers, code=1)
    assert "2 sessions of this installation are left, and with MirrorMode=detect no role may delete them" in said
    assert "mirrorctl remove --region eu-west-1\n" in said
    assert ("deploy.sh --name automirror BUCKET MirrorMode=enforce" in said) == can_be_updated
    assert not any("delete-stack" in call for call in stage.calls())


def test_in_the_mode_detect_a_stack_without_sessions_is_removed(stage):
    said = stage.run("remove.sh", "--yes", answers=removing("CREATE_COMPLETE", [], mode="detect"))
    assert "removed the stack automirror and 0 mirror sessions" in said


# Portability


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_use_nothing_that_bash_3_2_lacks(path):
    text = path.read_text()
    found = re.findall(r"mapfile|readarray|declare -A|\$\{\w+(?:,,|\^\^)|realpath|readlink -f|\|&|&>>|wait -n", text)
    assert found == []
    # An empty array is unbound there, so its expansion must stand after +.
    for name in re.findall(r"^(?:  local )?(\w+)=\(\)", text, re.M):
        plain = re.findall(rf'(?<!\+)"\$\{{{name}\[@\]\}}"', text)
        guarded = rf"\${{#{name}[@]}}"
        assert not plain or guarded.replace("\\", "") in text, f"{path.name}: {name}"


def test_shellcheck_finds_nothing():
    tool = TOP / "target/tools/templates/bin/shellcheck"
    others = [TOP / "package/release.sh", TOP / "tests/aws/run.sh", TOP / ".ci/run"]
    done = subprocess.run([tool, *SCRIPTS, *others], text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (0, "")
