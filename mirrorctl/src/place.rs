//! Where to look: the accounts and regions, and the credentials for each.

use std::collections::BTreeSet;

use aws_config::{
    Region, SdkConfig, profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
    sts::AssumeRoleProvider,
};
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError,
};
use futures_util::{StreamExt, stream};
use shared::{id::AccountId, text::quote};
use shared_ec2::client::{self, Ec2};

use crate::{
    arguments::{ALL, Global, is_region},
    problem::{AWS_REFUSED, BAD_AWS_CONFIG, NO_ANSWER, NO_CREDENTIALS, NO_REGION, Problem, causes},
};

/// An account and region.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) account: AccountId,
    pub(crate) region: String,
    /// How AWS is called there.
    pub(crate) config: SdkConfig,
}

impl Place {
    /// How it is named to people.
    pub(crate) fn name(&self) -> String {
        name(self.account.as_str(), &self.region)
    }
}

/// How an account and region are named to people.
pub(crate) fn name(account: &str, region: &str) -> String {
    format!("{account} {region}")
}

/// Accounts that are asked at once.
const CONCURRENT: usize = 8;

/// The places that the arguments name: each region of each account, in the order of the arguments.
pub(crate) async fn places(global: &Global) -> Result<Vec<Result<Place, Problem>>, Problem> {
    let own = own_config(global).await?;
    let configs = if global.role_arn.is_empty() {
        vec![Ok(own)]
    } else {
        let assumed = global.role_arn.iter().map(|role| assume(&own, role));
        stream::iter(assumed).buffered(CONCURRENT).collect().await
    };
    let accounts = configs.into_iter().map(|config| in_regions(global, config));
    let places: Vec<_> = stream::iter(accounts).buffered(CONCURRENT).collect().await;
    Ok(places.into_iter().flatten().collect())
}

/// The configuration of who runs the command.
async fn own_config(global: &Global) -> Result<SdkConfig, Problem> {
    let mut loader = client::loader(concat!("mirrorctl-", env!("CARGO_PKG_VERSION")));
    if let Some(profile) = &global.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = global.region.iter().find(|region| *region != ALL) {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = loader.load().await;
    let Some(region) = config.region() else {
        return Err(Problem::new(
            &NO_REGION,
            "neither the arguments nor the AWS configuration name one",
        ));
    };
    if !is_region(region.as_ref()) {
        let detail = format!("{} is not the name of a region", quote(region.as_ref()));
        return Err(Problem::new(&BAD_AWS_CONFIG, detail));
    }
    tracing::debug!("credentials are looked for, in region {region}");
    let provider = match &global.profile {
        Some(profile) => Some(of_profile(profile, region)),
        None => config.credentials_provider(),
    };
    let Some(provider) = provider else {
        return Err(Problem::new(&NO_CREDENTIALS, "AWS's usual places have none"));
    };
    // Once, here: each place would otherwise say the same.
    let credentials = provider.provide_credentials().await.map_err(|error| {
        let kind = match error {
            CredentialsError::InvalidConfiguration(_) => &BAD_AWS_CONFIG,
            CredentialsError::ProviderTimedOut(_) => &NO_ANSWER,
            _ => &NO_CREDENTIALS,
        };
        let of = global.profile.as_deref().map(|it| format!("profile {}: ", quote(it)));
        Problem::new(kind, of.unwrap_or_default() + &causes(&error))
    })?;
    let credentials = SharedCredentialsProvider::new(credentials);
    Ok(config.into_builder().credentials_provider(credentials).build())
}

/// The credentials of a profile. By itself the SDK looks for keys in the environment first, whoever names a profile.
fn of_profile(profile: &str, region: &Region) -> SharedCredentialsProvider {
    let calls = ProviderConfig::without_region()
        .with_region(Some(region.clone()))
        .with_http_client(client::http_client());
    let provider =
        ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&calls);
    SharedCredentialsProvider::new(provider.build())
}

async fn assume(own: &SdkConfig, role: &str) -> Result<SdkConfig, Problem> {
    let provider = AssumeRoleProvider::builder(role).session_name("mirrorctl").configure(own);
    let provider = provider.build().await;
    let credentials = provider.provide_credentials().await.map_err(|error| {
        let kind = match error {
            CredentialsError::CredentialsNotLoaded(_)
            | CredentialsError::InvalidConfiguration(_) => &NO_CREDENTIALS,
            CredentialsError::ProviderTimedOut(_) => &NO_ANSWER,
            _ => &AWS_REFUSED,
        };
        Problem::new(kind, format!("role {role}: {}", causes(&error)))
    })?;
    let credentials = SharedCredentialsProvider::new(credentials);
    Ok(own.to_builder().credentials_provider(credentials).build())
}

/// The regions of one account.
async fn in_regions(
    global: &Global,
    config: Result<SdkConfig, Problem>,
) -> Vec<Result<Place, Problem>> {
    let found = async {
        let config = config?;
        let account = account(&config).await?;
        let regions = regions(global, &config).await?;
        let place = |region: String| Place {
            account: account.clone(),
            config: config.to_builder().region(Region::new(region.clone())).build(),
            region,
        };
        Ok(regions.into_iter().map(place).collect::<Vec<_>>())
    };
    match found.await {
        Ok(places) => places.into_iter().map(Ok).collect(),
        Err(problem) => vec![Err(problem)],
    }
}

async fn account(config: &SdkConfig) -> Result<AccountId, Problem> {
    let action = "sts:GetCallerIdentity";
    let answer = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
    let answer = answer.map_err(|error| Problem::refused(action, &error))?;
    let account = answer.account().and_then(|account| account.parse().ok());
    account.ok_or_else(|| Problem::new(&AWS_REFUSED, format!("{action} names no account")))
}

async fn regions(global: &Global, config: &SdkConfig) -> Result<Vec<String>, Problem> {
    let own = config.region().map(ToString::to_string);
    if global.region.is_empty() {
        return Ok(own.into_iter().collect());
    }
    if !global.region.iter().any(|region| region == ALL) {
        let mut seen = BTreeSet::new();
        return Ok(global.region.iter().filter(|it| seen.insert(*it)).cloned().collect());
    }
    let mut regions = shared_ec2::regions(&Ec2::new(config)).await?;
    regions.sort();
    Ok(regions)
}
