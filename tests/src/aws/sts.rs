//! STS: whose credentials these are, and the credentials of a role.

use std::collections::BTreeMap;

use quick_xml::se::to_string_with_root;
use serde::Serialize;

use crate::aws::ec2::{Caller, Refusal};

/// The version of its Query protocol, which tells its requests from EC2's.
pub(crate) const VERSION: &str = "2011-06-15";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Identity<'a> {
    arn: &'a str,
    user_id: &'a str,
    account: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Assumed<'a> {
    credentials: Credentials<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorResponse<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Error<'a> {
    #[serde(rename = "Type")]
    kind: &'a str,
    code: &'a str,
    message: &'a str,
}

/// Does what a request asks for; the answer is the XML of the response.
pub(crate) fn answer(
    caller: &Caller,
    action: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<String, Refusal> {
    match action {
        "GetCallerIdentity" => {
            let (arn, account) = (&caller.arn(), &caller.account);
            let identity = Identity { arn, user_id: &caller.access_key, account };
            Ok(respond(action, &identity))
        }
        "AssumeRole" => {
            let text = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
            let (arn, session) = (text("RoleArn"), text("RoleSessionName"));
            let account = arn.split(':').nth(4).unwrap_or_default();
            let role = arn.rsplit('/').next().unwrap_or_default();
            // As `Caller` reads them: the key is the account, the token the role and the session.
            let credentials = Credentials {
                access_key_id: account,
                secret_access_key: "x",
                session_token: &format!("assumed-role/{role}/{session}"),
                expiration: "2999-01-01T00:00:00Z",
            };
            Ok(respond(action, &Assumed { credentials }))
        }
        _ => Err(Refusal::new("InvalidAction", format!("Could not find operation {action}"))),
    }
}

/// The body of an error response.
pub(crate) fn refuse(refusal: &Refusal) -> String {
    let error = Error { kind: "Sender", code: &refusal.code, message: &refusal.message };
    write("ErrorResponse", &ErrorResponse { error })
}

fn respond(action: &str, result: &impl Serialize) -> String {
    let result = write(&format!("{action}Result"), result);
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{result}\
         <ResponseMetadata><RequestId>00000000-0000-4000-9000-000000000000</RequestId>\
         </ResponseMetadata></{action}Response>"
    )
}

fn write(root: &str, body: &impl Serialize) -> String {
    to_string_with_root(root, body).expect("structures of text are XML")
}
