//! The deployed function: which one it is, and its settings.

use aws_config::SdkConfig;
use aws_sdk_lambda::{Client, error::ProvideErrorMetadata, types::FunctionConfiguration};
use serde::{Deserialize, Serialize};

use crate::{
    problem::{NO_SUCH_FUNCTION, Problem, SEVERAL_FUNCTIONS},
    settings::{Origin, Settings},
};

/// What is told of the deployed function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deployed {
    pub(crate) name: String,
    /// When code or settings last changed, as Lambda writes it.
    pub(crate) last_modified: Option<String>,
    /// The group in CloudWatch Logs that its log is in.
    #[serde(default)]
    pub(crate) log_group: String,
}

/// The beginning of the description that both ways of deploying give to config-rule. It has the same
/// settings, and is not the one to ask.
const CONFIG_RULE: &str = "Evaluates for AWS Config";

/// The function of this name, or without a name the only one in the region that has automirror's settings.
/// None where there is none.
pub(crate) async fn deployed(
    config: &SdkConfig,
    name: Option<&str>,
) -> Result<Option<(Deployed, Settings)>, Problem> {
    let client = Client::new(config);
    match name {
        Some(name) => by_name(&client, name).await.map(Some),
        None => only_one(&client).await,
    }
}

async fn by_name(client: &Client, name: &str) -> Result<(Deployed, Settings), Problem> {
    let answer = client.get_function_configuration().function_name(name).send().await;
    let answer = answer.map_err(|error| match error.code() {
        Some("ResourceNotFoundException") => Problem::new(&NO_SUCH_FUNCTION, name),
        code => Problem::of_call("lambda:GetFunctionConfiguration", code, &error),
    })?;
    if is_rule(answer.description()) {
        let detail = format!("{name} is the function of the Config rule");
        return Err(Problem::new(&NO_SUCH_FUNCTION, detail));
    }
    let environment = answer.environment().and_then(|it| it.variables());
    let variables = environment.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone()));
    let settings = Settings::new(Origin::Function(name.to_owned()), variables)?;
    let last_modified = answer.last_modified().map(str::to_owned);
    let group = answer.logging_config().and_then(|it| it.log_group());
    let log_group = group.map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned);
    Ok((Deployed { name: name.to_owned(), last_modified, log_group }, settings))
}

async fn only_one(client: &Client) -> Result<Option<(Deployed, Settings)>, Problem> {
    let mut pages = client.list_functions().into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(function) = pages.next().await {
        let function =
            function.map_err(|error| Problem::refused("lambda:ListFunctions", &error))?;
        if is_automirror(&function) {
            found.extend(function.function_name().map(str::to_owned));
        }
    }
    match found.as_slice() {
        [] => Ok(None),
        [name] => by_name(client, name).await.map(Some),
        several => Err(Problem::new(&SEVERAL_FUNCTIONS, several.join(", "))),
    }
}

fn is_automirror(function: &FunctionConfiguration) -> bool {
    let variables = function.environment().and_then(|it| it.variables());
    let has_settings =
        variables.is_some_and(|it| it.keys().any(|name| name.starts_with("MIRROR_")));
    has_settings && !is_rule(function.description())
}

fn is_rule(description: Option<&str>) -> bool {
    description.is_some_and(|it| it.starts_with(CONFIG_RULE))
}
