//! What EC2 says of every instance and interface beside what is modelled here, so that answers are as long as
//! EC2's: the elements of the examples of `DescribeInstances` (EC2 API) for an instance with one volume.

use std::sync::LazyLock;

use serde_json::{Value, json};

pub(super) static OF_INSTANCE: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "amiLaunchIndex": 0,
        "architecture": "x86_64",
        "blockDeviceMapping": {"item": [{
            "deviceName": "/dev/xvda",
            "ebs": {
                "attachTime": "2026-01-01T00:00:00.000Z",
                "deleteOnTermination": true,
                "status": "attached",
                "volumeId": "vol-00000000000000000",
            },
        }]},
        "bootMode": "uefi-preferred",
        "capacityReservationSpecification": {"capacityReservationPreference": "open"},
        "clientToken": "00000000-0000-0000-0000-000000000000",
        "cpuOptions": {"coreCount": 1, "threadsPerCore": 2},
        "currentInstanceBootMode": "uefi",
        "dnsName": "",
        "ebsOptimized": true,
        "enaSupport": true,
        "enclaveOptions": {"enabled": false},
        "groupSet": {"item": [{"groupId": "sg-00000000000000000", "groupName": "default"}]},
        "hibernationOptions": {"configured": false},
        "hypervisor": "xen",
        "iamInstanceProfile": {
            "arn": "arn:aws:iam::111122223333:instance-profile/an-instance-profile",
            "id": "AIPA0000000000000000",
        },
        "keyName": "a-key-pair",
        "maintenanceOptions": {"autoRecovery": "default", "rebootMigration": "default"},
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpProtocolIpv6": "disabled",
            "httpPutResponseHopLimit": 2,
            "httpTokens": "required",
            "instanceMetadataTags": "disabled",
            "state": "applied",
        },
        "monitoring": {"state": "disabled"},
        "networkPerformanceOptions": {"bandwidthWeighting": "default"},
        "platformDetails": "Linux/UNIX",
        "privateDnsName": "ip-10-0-0-10.ec2.internal",
        "privateDnsNameOptions": {
            "enableResourceNameDnsAAAARecord": false,
            "enableResourceNameDnsARecord": false,
            "hostnameType": "ip-name",
        },
        "rootDeviceName": "/dev/xvda",
        "rootDeviceType": "ebs",
        "sourceDestCheck": true,
        "usageOperation": "RunInstances",
        "usageOperationUpdateTime": "2026-01-01T00:00:00.000Z",
        "virtualizationType": "hvm",
    })
});

pub(super) static OF_INTERFACE: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "macAddress": "02:00:00:00:00:00",
        "privateDnsName": "ip-10-0-0-10.ec2.internal",
    })
});
