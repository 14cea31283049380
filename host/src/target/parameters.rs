//! The parameters of a target against what its connector declares.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{SandboxSettings, is_own_key};
use crate::connector::Connector;
use crate::contract::exports::info::ConnectorInfo;
use crate::failure::{CallContext, Failure, FailureKind};
use crate::sandbox::{CallError, ConnectorLog, Grants, Instance, Sandbox};

/// The most time that a connector may take to describe itself.
const DESCRIBE: Duration = Duration::from_secs(10);

/// Values by name.
type Parameters = BTreeMap<String, String>;

/// The parameters that are the connector's. Options of the host, such as locks, also stand in the target, and are
/// applied by the host.
pub(super) fn of_connector(target: &Parameters) -> Parameters {
    target
        .iter()
        .filter(|(name, _)| !is_own_key(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Asks a connector to describe itself. It gets no parameter, no network and no folder for that.
///
/// # Errors
/// The connector broke off or reached a limit.
pub async fn describe(sandbox: &Sandbox, connector: &Connector) -> Result<ConnectorInfo, Failure> {
    let nothing = SandboxSettings { timeout: DESCRIBE, ..SandboxSettings::default() };
    let log = ConnectorLog::new("info", []);
    let grants = Grants::new(nothing.clone(), Vec::new(), log.clone()).map_err(Failure::unexpected)?;
    let clean = |text: &str| log.clean(text);
    let context = CallContext { sandbox: &nothing, wanted_grants: &[], from_flags: false, clean: &clean };
    let indices = connector.info().clone();
    let instance = Instance::new(sandbox.engine(), connector.linked(), &grants)
        .map_err(|error| context.failure(error))?;
    let called = instance.call(async move |store, instance| {
        let info = indices.load(&mut *store, instance)?;
        Ok(Ok(info.call_describe(store).await?))
    });
    let mut info = called.await.map_err(|error| match error {
        CallError::TimedOut(time) => {
            let time = humantime::format_duration(time);
            Failure::new(FailureKind::Limit, format!("the connector did not describe itself within {time}"))
                .hint("tell its author: a description must not take longer, and this limit cannot be raised")
        }
        error => context.failure(error),
    })?;
    // Names stay as they are: they are compared with the configuration's. What is shown is made fit for it.
    info.name = clean(&info.name);
    info.version = clean(&info.version);
    info.description = clean(&info.description);
    for parameter in &mut info.parameters {
        parameter.description = clean(&parameter.description);
    }
    Ok(info)
}

/// Refuses parameters that the connector does not know, and missing ones that it needs.
pub(super) fn check(info: &ConnectorInfo, parameters: &Parameters) -> Result<(), Failure> {
    for name in parameters.keys() {
        if info.parameters.iter().any(|known| &known.name == name) {
            continue;
        }
        let nearest = info
            .parameters
            .iter()
            .map(|known| (strsim::damerau_levenshtein(&known.name, name), known.name.as_str()))
            .min()
            .filter(|(distance, known)| *distance <= (known.len() / 3).max(1));
        let message = format!("the connector `{}` has no parameter `{name}`", info.name);
        let failure = Failure::new(FailureKind::Parameter, message);
        return Err(match nearest {
            Some((_, known)) => failure.hint(format!("did you mean `{known}`?")),
            None => failure.hint("see `raito info` of the connector for its parameters, or correct the key"),
        });
    }
    let missing = info.parameters.iter().find(|known| {
        known.mandatory && parameters.get(&known.name).is_none_or(|value| value.trim().is_empty())
    });
    match missing {
        None => Ok(()),
        Some(known) => {
            let message = format!("the parameter `{}` is missing", known.name);
            Err(Failure::new(FailureKind::Parameter, message)
                .hint(format!("add `{}:` to the target: {}", known.name, known.description)))
        }
    }
}

/// The network grants that the connector says it needs, with the target's parameters and the defaults filled in.
pub(crate) fn wanted_grants(info: &ConnectorInfo, parameters: &Parameters) -> Vec<String> {
    info.network
        .iter()
        .map(|template| {
            info.parameters.iter().fold(template.clone(), |text, known| {
                let value = parameters.get(&known.name).or(known.default.as_ref());
                match value {
                    Some(value) => text.replace(&format!("{{{}}}", known.name), value),
                    None => text,
                }
            })
        })
        .collect()
}
