//! `raito add-target`: extends `raito.yml` by a target, and makes its data source in Raito Cloud if there is none.
//!
//! 1. The account: what is missing is asked for, and tried.
//! 2. The name, which no other target has.
//! 3. The connector, which says what it is.
//! 4. What the target is in Raito Cloud: a data source, whose own identity store comes with it, or an identity store.
//! 5. The parameters that the connector declares: the mandatory ones in order, then others as long as somebody wants to.
//! 6. The network access that the connector asks for, if it is granted.
//!
//! Whatever a flag gives is not asked for. Without a terminal nothing is asked: the failure names the flags that are
//! missing. Secrets are stored as the name of an environment variable wherever the person agrees.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::cli::AddTargetArgs;
use crate::cloud_client::{Account, ClientOptions, CloudClient, CloudError, cognito_endpoint};
use crate::config::values::is_domain;
use crate::config::{
    ConfigFile, Environment, Inputs, NetworkGrant, Outline, Overrides, Parameters, Purpose, Settings, resolve,
};
use crate::connector::{Connector, Export, locate};
use crate::contract::exports::info::{ConnectorInfo, Parameter};
use crate::failure::{Failure, FailureKind};
use crate::progress::Display;
use crate::run::cache_location;
use crate::sandbox::{Sandbox, escaped};
use crate::secret::{Secret, is_secret_name};
use crate::target::{describe, wanted_grants};

mod asking;
mod document;

use asking::Asking;
use document::NewTarget;

/// The file that is made where there is none.
pub const DEFAULT_FILE: &str = "raito.yml";

/// What surrounds the command.
pub struct Surroundings<'a> {
    /// The configuration file, if there is one.
    pub file: Option<&'a ConfigFile>,
    /// The file to write: the same one, or one that is made.
    pub path: &'a Path,
    /// Looks up an environment variable.
    pub environment: &'a Environment<'a>,
    /// The flags that are keys of the top level.
    pub flags: &'a Overrides,
    /// The folder the program was started in.
    pub working_dir: &'a Path,
}

/// Adds a target. Gives what to tell about it.
///
/// # Errors
/// Something is missing and nobody can be asked, Raito Cloud refuses, the connector cannot be used, or the file cannot
/// be extended without changing anything else in it.
pub async fn add_target(
    surroundings: &Surroundings<'_>,
    arguments: &AddTargetArgs,
    display: &Display,
) -> Result<String, Failure> {
    let inputs = Inputs {
        file: surroundings.file,
        environment: surroundings.environment,
        flags: surroundings.flags,
        working_dir: surroundings.working_dir,
        purpose: Purpose::Sync,
    };
    let outline = Outline::read(&inputs)?;
    let path = surroundings.path;
    check_format(path)?;
    let adding = Adding { asking: Asking::here(), outline, arguments, surroundings, display };
    adding.expect_what_nobody_can_be_asked_for()?;

    let (client, keys) = adding.account().await?;
    let name = adding.name().await?;
    let (connector_name, connector, info) = adding.connector().await?;
    let mut target = NewTarget::default();
    target.keys.push(("name".into(), name.clone()));
    target.keys.push(("connector-name".into(), connector_name));
    // Where nobody can be asked, what is missing must show before anything is made in the cloud.
    let given = if adding.is_alone() { Some(adding.parameters(&info).await?) } else { None };
    let ids = adding.ids(client.as_ref(), &connector).await?;
    target.keys.extend(ids.into_iter().map(|(key, id)| (key.to_owned(), id)));
    let parameters = match given {
        Some(parameters) => parameters,
        None => adding.parameters(&info).await?,
    };
    target.keys.extend(parameters.iter().cloned());
    let (granted, withheld) = adding.network(&info, &parameters).await?;
    target.network = granted;

    let text = surroundings.file.map_or("", |file| file.text.as_str());
    let keys: Vec<_> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let changed = document::add(&adding.outline, text, &keys, &target).ok_or_else(|| {
        let message = format!("{} cannot be extended without changing what stands in it", path.display());
        Failure::new(FailureKind::Configuration, message).hint(format!(
            "write `targets` as a list with a line for each key, and add:\n{}",
            target.yaml().trim_end()
        ))
    })?;
    adding.check(path, &changed, &name)?;
    let written = document::write(&surroundings.working_dir.join(path), &changed);
    written.map_err(|error| Failure::unexpected(format!("{} cannot be written: {error}", path.display())))?;
    Ok(adding.report(path, &name, &withheld))
}

/// Only YAML can be extended and keep its comments.
fn check_format(path: &Path) -> Result<(), Failure> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if ["yml", "yaml"].contains(&extension.as_str()) {
        return Ok(());
    }
    let message = format!("{} is not YAML, and only YAML is extended", path.display());
    Err(Failure::new(FailureKind::Configuration, message)
        .hint("add the target by hand, or name a file that ends in .yml with --config-file"))
}

struct Adding<'a> {
    asking: Asking,
    outline: Outline,
    arguments: &'a AddTargetArgs,
    surroundings: &'a Surroundings<'a>,
    display: &'a Display,
}

type Keys = Vec<(&'static str, String)>;

impl Adding<'_> {
    fn is_alone(&self) -> bool {
        self.asking == Asking::Nobody
    }

    /// The failure that names everything that is missing and cannot be asked for.
    fn missing(what: &[String]) -> Failure {
        let message = format!("nobody can be asked for {}", what.join(", "));
        Failure::new(FailureKind::Configuration, message)
            .hint("there is no terminal: give them as flags, parameters of the connector behind `--`")
    }

    fn expect_what_nobody_can_be_asked_for(&self) -> Result<(), Failure> {
        let sign_in = !self.outline.embedded;
        let password = sign_in && !self.outline.skip_authentication;
        let missing: Vec<_> = [
            (sign_in && self.outline.domain.is_none(), "--domain"),
            (password && self.outline.api_user.is_none(), "--api-user"),
            (password && self.outline.api_secret.is_none(), "RAITO_API_SECRET"),
            (self.arguments.name.is_none(), "--name"),
            (self.arguments.connector_name.is_none(), "--connector-name"),
        ]
        .into_iter()
        .filter(|(missing, _)| *missing)
        .map(|(_, flag)| format!("`{flag}`"))
        .collect();
        if self.is_alone() && !missing.is_empty() { Err(Self::missing(&missing)) } else { Ok(()) }
    }

    /// A client that has signed in, and the keys of the top level to write. None for a cloud of one's own.
    async fn account(&self) -> Result<(Option<CloudClient>, Keys), Failure> {
        let outline = &self.outline;
        if outline.embedded {
            return Ok((None, Keys::new()));
        }
        let complete = outline.domain.is_some()
            && (outline.skip_authentication || (outline.api_user.is_some() && outline.api_secret.is_some()));
        let (mut domain, mut user) = (outline.domain.clone(), outline.api_user.clone());
        loop {
            if outline.domain.is_none() {
                let check = Box::new(|answer: &str| {
                    if is_domain(answer) {
                        Ok(())
                    } else {
                        Err("letters, digits and dashes, beginning with a letter".to_owned())
                    }
                });
                domain =
                    Some(self.asking.text("Domain of the organisation", domain.as_deref(), check).await?);
            }
            let credentials = if outline.skip_authentication {
                None
            } else {
                if outline.api_user.is_none() {
                    let question = "E-mail address of the API user";
                    user = Some(self.asking.text(question, user.as_deref(), not_empty()).await?);
                }
                let secret = match &outline.api_secret {
                    Some(secret) => secret.clone(),
                    None => Secret::from(self.asking.secret("Password of the API user").await?),
                };
                user.clone().map(|user| (user, secret))
            };
            let account = Account { domain: domain.clone().unwrap_or_default(), credentials };
            let client = self.client(account)?;
            let tried = self.display.during("trying the account", None, client.current_user()).await;
            match tried {
                Ok(_) => {
                    let keys = [("domain", domain), ("api-user", user)];
                    let keys = keys.into_iter().filter(|(key, _)| !outline.stands_in_file(key));
                    // What the environment gives, it gives to every run.
                    let given = |key: &str| (self.surroundings.environment)(&variable(key)).is_some();
                    let keys = keys.filter(|(key, _)| !given(key));
                    let keys = keys.filter_map(|(key, value)| Some((key, value?))).collect();
                    return Ok((Some(client), keys));
                }
                Err(error) if complete || self.is_alone() => return Err(error.into()),
                Err(error) => {
                    self.display.warning(&format!("that did not work: {}", escaped(&error.to_string())));
                }
            }
        }
    }

    fn client(&self, account: Account) -> Result<CloudClient, CloudError> {
        let identity_provider = cognito_endpoint(self.surroundings.environment)?;
        let mut options = ClientOptions::new(self.outline.raito_url_override.clone(), identity_provider)?;
        options.skip_authentication = self.outline.skip_authentication;
        CloudClient::new(options, account)
    }

    async fn name(&self) -> Result<String, Failure> {
        let taken = self.outline.targets.clone();
        let check = move |name: &str| {
            if name.is_empty() {
                Err("a target needs a name".to_owned())
            } else if taken.iter().any(|other| other == name) {
                Err(format!("there is a target `{name}` already"))
            } else {
                Ok(())
            }
        };
        match &self.arguments.name {
            Some(name) => {
                check(name).map_err(|why| {
                    Failure::new(FailureKind::Configuration, why).hint("give another name with --name")
                })?;
                Ok(name.clone())
            }
            None => self.asking.text("Name of the target", None, Box::new(check)).await,
        }
    }

    /// The connector, which must take part in a run.
    async fn connector(&self) -> Result<(String, Connector, ConnectorInfo), Failure> {
        let sandbox = Sandbox::shared(&cache_location())?;
        loop {
            let name = if let Some(name) = &self.arguments.connector_name {
                name.clone()
            } else {
                let question = "Connector: a path to a .wasm file, or a name in the connector folders";
                self.asking.text(question, None, not_empty()).await?
            };
            let loaded = async {
                let path = locate(&name, &self.outline.base_dir, &self.outline.connector_path)?;
                let connector = Connector::load(&sandbox, &path)?;
                connector.expect_step()?;
                let info = describe(&sandbox, &connector).await?;
                Ok::<_, Failure>((connector, info))
            };
            match self.display.during("loading the connector", None, loaded).await {
                Ok((connector, info)) => return Ok((name, connector, info)),
                Err(failure) if self.arguments.connector_name.is_some() => return Err(failure),
                Err(failure) => self.display.warning(&failure.report(None)),
            }
        }
    }

    /// What the target is in Raito Cloud. A cloud of one's own makes it with the first run.
    async fn ids(&self, client: Option<&CloudClient>, connector: &Connector) -> Result<Keys, Failure> {
        let arguments = self.arguments;
        let mut keys = Keys::new();
        let Some(client) = client else {
            let given = [
                ("data-source-id", &arguments.data_source_id),
                ("identity-store-id", &arguments.identity_store_id),
            ];
            keys.extend(given.into_iter().filter_map(|(key, id)| Some((key, id.clone()?))));
            return Ok(keys);
        };
        let only_identities = connector.exports.iter().all(|export| {
            matches!(export, Export::Info | Export::IdentityStore | Export::DataObjectEnricher)
        });
        if only_identities {
            keys.push(("identity-store-id", self.identity_store(client).await?));
            return Ok(keys);
        }
        let source = self.data_source(client).await?;
        let native = source.native_store().map(str::to_owned);
        keys.push(("data-source-id", source.id));
        keys.extend(arguments.identity_store_id.clone().or(native).map(|id| ("identity-store-id", id)));
        Ok(keys)
    }

    async fn data_source(
        &self,
        client: &CloudClient,
    ) -> Result<crate::cloud_client::DataSourceInfo, Failure> {
        if let Some(id) = &self.arguments.data_source_id {
            return client.data_source(id).await?.ok_or_else(|| {
                Failure::new(FailureKind::Cloud, format!("there is no data source `{id}`")).hint(
                    "see the address of the data source's page in the web application, or --new-data-source",
                )
            });
        }
        if let Some(name) = &self.arguments.new_data_source {
            return Ok(client.create_data_source(name).await?);
        }
        if self.is_alone() {
            return Err(Self::missing(&["`--data-source-id` or `--new-data-source`".to_owned()]));
        }
        let mut known = client.data_sources().await?;
        known.sort_by_key(|source| source.name.to_lowercase());
        let mut items: Vec<_> =
            known.iter().map(|source| escaped(&format!("{} ({})", source.name, source.id))).collect();
        items.push("make a new one".to_owned());
        let chosen = self.asking.choose("Data source in Raito Cloud", items).await?;
        if chosen < known.len() {
            return Ok(known.swap_remove(chosen));
        }
        let name =
            self.asking.text("Name of the new data source", self.arguments.name.as_deref(), not_empty());
        Ok(client.create_data_source(&name.await?).await?)
    }

    async fn identity_store(&self, client: &CloudClient) -> Result<String, Failure> {
        if let Some(id) = &self.arguments.identity_store_id {
            let store = client.identity_store(id).await?.ok_or_else(|| {
                Failure::new(FailureKind::Cloud, format!("there is no identity store `{id}`"))
                    .hint("see the address of the identity store's page in the web application, or --new-identity-store")
            })?;
            return Ok(store.id);
        }
        if let Some(name) = &self.arguments.new_identity_store {
            return Ok(client.create_identity_store(name).await?.id);
        }
        if self.is_alone() {
            return Err(Self::missing(&["`--identity-store-id` or `--new-identity-store`".to_owned()]));
        }
        let mut known = client.identity_stores().await?;
        known.sort_by_key(|store| store.name.to_lowercase());
        let mut items: Vec<_> =
            known.iter().map(|store| escaped(&format!("{} ({})", store.name, store.id))).collect();
        items.push("make a new one".to_owned());
        let chosen = self.asking.choose("Identity store in Raito Cloud", items).await?;
        if chosen < known.len() {
            return Ok(known.swap_remove(chosen).id);
        }
        let name =
            self.asking.text("Name of the new identity store", self.arguments.name.as_deref(), not_empty());
        Ok(client.create_identity_store(&name.await?).await?.id)
    }

    /// The values of the parameters, in the order in which the connector declares them.
    async fn parameters(&self, info: &ConnectorInfo) -> Result<Vec<(String, String)>, Failure> {
        let mut values: BTreeMap<String, String> = Parameters::of_words(&self.arguments.parameters)?
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.clone()))
            .collect();
        if let Some(unknown) =
            values.keys().find(|name| !info.parameters.iter().any(|known| known.name == **name))
        {
            let message = format!("the connector `{}` has no parameter `{unknown}`", info.name);
            return Err(Failure::new(FailureKind::Parameter, message)
                .hint("see `raito info` of the connector for its parameters"));
        }
        let wanted = |values: &BTreeMap<String, String>, mandatory: bool| -> Vec<Parameter> {
            let open = info.parameters.iter().filter(|known| known.mandatory == mandatory);
            open.filter(|known| !values.contains_key(&known.name)).cloned().collect()
        };
        let mandatory = wanted(&values, true);
        if self.is_alone() {
            if !mandatory.is_empty() {
                let names = mandatory.iter().map(|known| format!("`--{}`", known.name));
                return Err(Self::missing(&names.collect::<Vec<_>>()));
            }
        } else {
            for known in &mandatory {
                values.insert(known.name.clone(), self.value(known).await?);
            }
            // Whoever gives parameters as flags gives all of them.
            while self.arguments.parameters.is_empty() {
                let mut optional = wanted(&values, false);
                if optional.is_empty() {
                    break;
                }
                let mut items = vec!["done".to_owned()];
                items.extend(optional.iter().map(|known| format!("{}: {}", known.name, known.description)));
                let chosen = self.asking.choose("Another parameter", items).await?;
                let Some(chosen) = chosen.checked_sub(1).filter(|chosen| *chosen < optional.len()) else {
                    break;
                };
                let known = optional.swap_remove(chosen);
                let value = self.value(&known).await?;
                values.insert(known.name, value);
            }
        }
        let given = info.parameters.iter();
        Ok(given.filter_map(|known| Some((known.name.clone(), values.remove(&known.name)?))).collect())
    }

    /// Asks for the value of a parameter. Secrets rather by the name of an environment variable.
    async fn value(&self, known: &Parameter) -> Result<String, Failure> {
        let question = format!("{}: {}", known.name, known.description);
        if !known.secret && !is_secret_name(&known.name) {
            return self.asking.text(&question, known.default.as_deref(), not_empty()).await;
        }
        let ways =
            ["name an environment variable that holds it (recommended)", "write the value into the file"];
        let way = self.asking.choose(&question, ways.map(str::to_owned).to_vec()).await?;
        if way == 1 {
            return self.asking.secret(&known.name).await;
        }
        let suggestion = known.name.to_uppercase().replace(['-', '.'], "_");
        let check = Box::new(|answer: &str| {
            let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
            if !answer.is_empty() && answer.chars().all(word) {
                Ok(())
            } else {
                Err("letters, digits and `_`".to_owned())
            }
        });
        let variable = self.asking.text("Environment variable", Some(&suggestion), check).await?;
        Ok(format!("{{{{{variable}}}}}"))
    }

    /// The network access to write, and what the connector asks for but does not get.
    async fn network(
        &self,
        info: &ConnectorInfo,
        parameters: &[(String, String)],
    ) -> Result<(Vec<String>, Vec<String>), Failure> {
        // What stands in the environment is known only if it is there now.
        let expand = |value: &String| crate::config::expanded(value, self.surroundings.environment);
        let known = parameters.iter().map(|(name, value)| (name.clone(), expand(value))).collect();
        let wanted: Vec<_> = wanted_grants(info, &known).iter().map(|grant| escaped(grant)).collect();
        if wanted.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let (grants, unclear): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|grant| NetworkGrant::parse(grant).is_ok());
        let granted = match (grants.is_empty(), self.asking) {
            (true, _) => false,
            (false, Asking::Nobody) => self.arguments.grant_network,
            (false, Asking::Person) if self.arguments.grant_network => true,
            (false, Asking::Person) => {
                let question =
                    format!("The connector asks for the network: {}. Grant it?", grants.join(", "));
                self.asking.confirm(&question).await?
            }
        };
        Ok(if granted { (grants, unclear) } else { (Vec::new(), [grants, unclear].concat()) })
    }

    /// Reads the new text as a run would, but for what the environment has to give.
    fn check(&self, path: &Path, changed: &str, name: &str) -> Result<(), Failure> {
        let file = ConfigFile { path: path.to_owned(), text: changed.to_owned() };
        let settings: Settings = resolve(&Inputs {
            file: Some(&file),
            environment: &|_| None,
            flags: &Overrides::default(),
            working_dir: self.surroundings.working_dir,
            purpose: Purpose::Offline,
        })?;
        match settings.targets.into_iter().find(|target| target.name == name).map(|target| target.settings) {
            Some(Err(errors)) => Err(errors.into()),
            _ => Ok(()),
        }
    }

    fn report(&self, path: &Path, name: &str, withheld: &[String]) -> String {
        let mut text = format!("added the target `{name}` to {}\n", path.display());
        for grant in withheld {
            let _ = writeln!(
                text,
                "not granted: network access to {grant}; if it may, add to the target: \
                 sandbox: {{ network: [\"{grant}\"] }}"
            );
        }
        let by_hand = !self.outline.embedded
            && !self.outline.skip_authentication
            && !self.outline.stands_in_file("api-secret");
        if by_hand {
            text.push_str("the password of the API user was not stored: set RAITO_API_SECRET for each run\n");
        }
        let file = if path == Path::new(DEFAULT_FILE) {
            String::new()
        } else {
            format!(" --config-file {}", quoted(&path.display().to_string()))
        };
        let _ = writeln!(text, "next: raito run{file} --only-targets {}", quoted(name));
        text
    }
}

/// A word for the shell.
fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn variable(key: &str) -> String {
    format!("RAITO_{}", key.to_uppercase().replace('-', "_"))
}

fn not_empty() -> asking::Check {
    Box::new(|answer| if answer.is_empty() { Err("an answer is needed".to_owned()) } else { Ok(()) })
}
