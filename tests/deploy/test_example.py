"""The example with a sensor can be created in moto, a session leads to it, and it leaves nothing."""

import re

import story
from conftest import TOP
from test_cloudformation import made, outputs_of

SENSOR = TOP / "cloudformation/examples/sensor.yaml"


def all_of(aws):
    ec2 = aws.client("ec2")
    return {
        "groups": {one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]},
        "targets": ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"],
        "filters": ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"],
    }


def test_a_session_leads_to_the_sensor_through_the_filter(aws):
    ec2, stacks = aws.client("ec2"), aws.client("cloudformation")
    (subnet, *_) = ec2.describe_subnets()["Subnets"]
    before = all_of(aws)
    stacks.create_stack(
        StackName="sensor",
        TemplateBody=SENSOR.read_text(),
        Parameters=[
            {"ParameterKey": "VpcId", "ParameterValue": subnet["VpcId"]},
            {"ParameterKey": "SubnetId", "ParameterValue": subnet["SubnetId"]},
        ],
    )
    outputs = outputs_of(aws, "sensor")
    (target,) = ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"]
    assert target["TrafficMirrorTargetId"] == outputs["MirrorTargetIds"]
    ids = made(aws, "sensor")
    assert target["NetworkInterfaceId"] == ids["Interface"]
    (rule,) = ec2.describe_security_groups(GroupIds=[ids["SecurityGroup"]])["SecurityGroups"][0]["IpPermissions"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("udp", 4789, 4789)
    (found,) = ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"]
    assert len(found["IngressFilterRules"]) == len(found["EgressFilterRules"]) == 1
    (sensor,) = ec2.describe_instances(InstanceIds=[outputs["SensorId"]])["Reservations"][0]["Instances"]
    assert {"Key": "Mirror", "Value": "False"} in sensor["Tags"]
    source = story.launch(aws, {"Name": "source"})
    session = ec2.create_traffic_mirror_session(
        NetworkInterfaceId=source["NetworkInterfaces"][0]["NetworkInterfaceId"],
        TrafficMirrorTargetId=outputs["MirrorTargetIds"],
        TrafficMirrorFilterId=outputs["MirrorFilterId"],
        SessionNumber=1,
    )
    ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=session["TrafficMirrorSession"]["TrafficMirrorSessionId"])
    ec2.terminate_instances(InstanceIds=[source["InstanceId"]])
    stacks.delete_stack(StackName="sensor")
    assert all_of(aws) == before


def test_what_moto_does_not_look_at():
    """moto gives the instance another interface, and that one no security group, and runs no program."""
    text = SENSOR.read_text()
    assert "      GroupSet: [!Ref SecurityGroup]\n" in text
    assert "        - DeviceIndex: \"0\"\n          NetworkInterfaceId: !Ref Interface\n" in text
    program = re.search(r"<<'PYTHON'\n(.*?)\n +PYTHON\n", text, re.S)[1]
    indent = re.match(" +", program)[0]
    compile("\n".join(line.removeprefix(indent) for line in program.splitlines()), "sensor", "exec")


def test_the_outputs_are_parameters_of_automirror():
    main = (TOP / "cloudformation/automirror.yaml").read_text()
    named = re.findall(r"^  (Mirror\w+):$", SENSOR.read_text().split("Outputs:", 1)[1], re.M)
    assert named == ["MirrorTargetIds", "MirrorFilterId"]
    assert all(f"\n  {name}:\n    Type: String" in main for name in named)
