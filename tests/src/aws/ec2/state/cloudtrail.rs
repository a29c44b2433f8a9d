//! The events that CloudTrail sends through EventBridge for calls, successful and failed.

use serde_json::{Map, Value, json};

use super::event::timestamp;
use super::{Caller, CreateSession, Field, ModifySession, Refusal, Session, Tags, World};

const XMLNS: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

impl World {
    /// Tells of a call in the older, flat shape.
    pub(super) fn tell_call(
        &mut self,
        caller: &Caller,
        action: &str,
        request: Value,
        response: Result<Value, &Refusal>,
    ) {
        let request_id = self.new_uuid();
        let response = response.map(|mut response| {
            response["requestId"] = json!(request_id);
            response
        });
        self.tell_trail(caller, action, request, response, &request_id);
    }

    /// Tells of a call in the shape of the mirror actions: wrapped, the request in Pascal case.
    pub(super) fn tell_wrapped_call(
        &mut self,
        caller: &Caller,
        action: &str,
        request: Value,
        response: Result<Value, &Refusal>,
    ) {
        let request_id = self.new_uuid();
        let response = response.map(|mut response| {
            response["requestId"] = json!(request_id);
            response["xmlns"] = json!(XMLNS);
            json!({ format!("{action}Response"): response })
        });
        let wrapped = Map::from_iter([(format!("{action}Request"), request)]);
        self.tell_trail(caller, action, wrapped.into(), response, &request_id);
    }

    /// Records a change of tags. No product code uses the event of such a call, so it has none.
    pub(super) fn record_tags(
        &mut self,
        caller: &Caller,
        action: &str,
        resources: &[String],
        tags: &[Value],
    ) {
        let resources: Vec<_> = resources.iter().map(|id| json!({ "resourceId": id })).collect();
        let detail = json!({
            "userIdentity": caller.identity(),
            "eventTime": timestamp(self.now),
            "eventSource": "ec2.amazonaws.com",
            "eventName": action,
            // Ids of other things stay what they are, however many tags are changed.
            "eventID": format!("00000000-0000-4000-9000-{:012x}", self.trail().count()),
            "recipientAccountId": caller.account,
            "requestParameters": {
                "resourcesSet": { "items": resources }, "tagSet": { "items": tags },
            },
        });
        self.record_call(&detail);
    }

    fn tell_trail(
        &mut self,
        caller: &Caller,
        action: &str,
        request: Value,
        response: Result<Value, &Refusal>,
        request_id: &str,
    ) {
        let mut detail = json!({
            "eventVersion": "1.08",
            "userIdentity": caller.identity(),
            "eventTime": timestamp(self.now),
            "eventSource": "ec2.amazonaws.com",
            "eventName": action,
            "awsRegion": self.region,
            "sourceIPAddress": "198.51.100.1",
            "userAgent": "local-cloud",
            "requestID": request_id,
            "eventID": self.new_uuid(),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": caller.account,
            "eventCategory": "Management",
        });
        detail["requestParameters"] = request;
        match response {
            Ok(response) => detail["responseElements"] = response,
            Err(refusal) => {
                let side = if refusal.status() >= 500 { "Server" } else { "Client" };
                detail["errorCode"] = json!(format!("{side}.{}", refusal.code));
                detail["errorMessage"] = json!(refusal.message);
            }
        }
        self.record_call(&detail);
        self.tell(&caller.account, "aws.ec2", "AWS API Call via CloudTrail", &[], detail);
    }
}

pub(super) fn create_request(request: &CreateSession) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "NetworkInterfaceId", &request.interface);
    put(&mut fields, "TrafficMirrorTargetId", &request.target);
    put(&mut fields, "TrafficMirrorFilterId", &request.filter);
    put_some(&mut fields, "SessionNumber", request.number.as_ref());
    put_some(&mut fields, "PacketLength", request.packet_length.as_ref());
    put_some(&mut fields, "VirtualNetworkId", request.vni.as_ref());
    put_some(&mut fields, "Description", request.description.as_ref());
    put_some(&mut fields, "ClientToken", request.client_token.as_ref());
    if !request.tags.is_empty() {
        let tags: Vec<_> =
            request.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        let specification =
            json!({ "ResourceType": "traffic-mirror-session", "Tag": tags, "tag": 1 });
        fields.insert("TagSpecification".to_owned(), specification);
    }
    Value::Object(fields)
}

pub(super) fn modify_request(request: &ModifySession) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "TrafficMirrorSessionId", &request.session);
    put_some(&mut fields, "TrafficMirrorTargetId", request.target.as_ref());
    put_some(&mut fields, "TrafficMirrorFilterId", request.filter.as_ref());
    put_some(&mut fields, "SessionNumber", request.number.as_ref());
    put_some(&mut fields, "PacketLength", request.packet_length.as_ref());
    put_some(&mut fields, "VirtualNetworkId", request.vni.as_ref());
    put_some(&mut fields, "Description", request.description.as_ref());
    if !request.remove.is_empty() {
        let entry =
            |(index, field): (usize, &Field)| json!({ "content": field.name(), "tag": index + 1 });
        let removed: Vec<_> = request.remove.iter().enumerate().map(entry).collect();
        fields.insert("RemoveField".to_owned(), json!(removed));
    }
    Value::Object(fields)
}

/// A session in a response.
pub(super) fn session(session: &Session) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "trafficMirrorSessionId", &session.id);
    put(&mut fields, "trafficMirrorTargetId", &session.target);
    put(&mut fields, "trafficMirrorFilterId", &session.filter);
    put(&mut fields, "networkInterfaceId", &session.interface);
    put(&mut fields, "ownerId", &session.owner);
    put_some(&mut fields, "packetLength", session.packet_length.as_ref());
    put_some(&mut fields, "sessionNumber", Some(&session.number));
    put_some(&mut fields, "virtualNetworkId", Some(&session.vni));
    put_some(&mut fields, "description", session.description.as_ref());
    fields.insert("tagSet".to_owned(), tag_set(&session.tags));
    Value::Object(fields)
}

/// An empty set is an empty string.
fn tag_set(tags: &Tags) -> Value {
    if tags.is_empty() {
        return json!("");
    }
    let items: Vec<_> =
        tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({ "item": items })
}

fn put(fields: &mut Map<String, Value>, name: &str, value: &str) {
    if !value.is_empty() {
        fields.insert(name.to_owned(), json!(value));
    }
}

fn put_some<T: serde::Serialize>(fields: &mut Map<String, Value>, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), json!(value));
    }
}
