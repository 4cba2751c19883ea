//! The client: settings, then the environment as AWS's own tools read it.

use std::env;
use std::time::Duration;

use hivecast_run::{Fault, Result};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key, S3ConditionalPut};
use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};

use crate::Settings;

/// How often a request that is safe to repeat is sent again.
const MAX_RETRIES: usize = 4;
/// The first pause between two of them.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// One request may take this part of what a call may, so that there is time for a second one.
const SHARE_OF_REQUEST: u32 = 2;

/// Amazon's own, where nothing names another.
const AMAZON: &str = "https://s3.amazonaws.com";

/// The client for a bucket, and its endpoint as people read it.
pub(super) fn build(bucket: &str, settings: &Settings) -> Result<(AmazonS3, String)> {
    let request = settings.s3_timeouts.call / SHARE_OF_REQUEST;
    let backoff =
        BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, ..BackoffConfig::default() };
    let mut builder = from_environment(settings)?
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(RetryConfig { max_retries: MAX_RETRIES, retry_timeout: request, backoff })
        .with_config(Key::Client(ClientConfigKey::ConnectTimeout), duration(settings.s3_timeouts.connect))
        .with_config(Key::Client(ClientConfigKey::Timeout), duration(request));
    let endpoint = [Key::S3Endpoint, Key::Endpoint].iter().find_map(|key| builder.get_config_value(key));
    if let Some(endpoint) = &endpoint {
        let is_plain = match endpoint.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()) {
            Some(scheme) if scheme == "https" => "false",
            // Whoever writes http:// means it. What is sent there anybody on the way can read.
            Some(scheme) if scheme == "http" => "true",
            _ => {
                return Err(Fault::usage(format!("the S3 endpoint `{}` is no address", shown(endpoint)))
                    .advise("write https://HOST:PORT"));
            }
        };
        builder = builder.with_config(Key::Client(ClientConfigKey::AllowHttp), is_plain);
    }
    let host = endpoint.as_deref().map_or(AMAZON.to_owned(), shown);
    let store = builder.build().map_err(|error| {
        Fault::usage(format!("the settings for s3://{bucket} at {host} don't fit")).because(error)
    })?;
    Ok((store, host))
}

fn from_environment(settings: &Settings) -> Result<AmazonS3Builder> {
    let s3 = &settings.s3;
    let has_key = match (&s3.access_key_id, &s3.secret_access_key) {
        (Some(_), Some(_)) => true,
        (None, None) => false,
        _ => {
            return Err(Fault::usage("of an S3 access key only one half is set")
                .advise("set its id and the key itself, or neither"));
        }
    };
    let mut builder = AmazonS3Builder::new();
    for (name, value) in
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    {
        let Some(key) = name.starts_with("AWS_").then(|| name.to_ascii_lowercase().parse().ok()).flatten()
        else {
            continue;
        };
        // A session's token goes with the key that it was given with.
        let is_of_key = matches!(key, Key::AccessKeyId | Key::SecretAccessKey | Key::Token);
        if !(has_key && is_of_key) {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = &s3.endpoint {
        // Other stores than Amazon's seldom have a name for each bucket.
        builder = builder
            .with_config(Key::S3Endpoint, endpoint)
            .with_config(Key::Endpoint, endpoint)
            .with_virtual_hosted_style_request(false);
    }
    for (key, value) in [
        (Key::Region, &s3.region),
        (Key::AccessKeyId, &s3.access_key_id),
        (Key::SecretAccessKey, &s3.secret_access_key),
    ] {
        if let Some(value) = value {
            builder = builder.with_config(key, value);
        }
    }
    Ok(builder)
}

fn duration(time: Duration) -> String {
    format!("{} ms", time.as_millis().max(1))
}

/// Without a user or password that somebody may have written into it.
fn shown(endpoint: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or_default()),
        None => endpoint.rsplit('@').next().unwrap_or_default().to_owned(),
    }
}
