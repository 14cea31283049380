//! The session with Raito Cloud, lent to connectors that export `resource-provider`. They send documents and get data;
//! user, password and token stay here.

use wasmtime::component::Linker;

use super::instance::State;
use crate::cloud_client::{CloudClient, CloudError};
use crate::contract::cloud_session::{self, Host, SessionError};

/// The session of one instance; none while a connector only describes itself.
#[derive(Clone, Default)]
pub struct Session(Option<CloudClient>);

impl Session {
    /// A session in the name of the client's account.
    pub fn of(client: CloudClient) -> Self {
        Session(Some(client))
    }
}

struct HasSession;

impl wasmtime::component::HasData for HasSession {
    type Data<'a> = &'a mut Session;
}

impl Host for Session {
    async fn graphql(
        &mut self,
        document: String,
        variables: String,
    ) -> wasmtime::Result<Result<String, SessionError>> {
        let Some(client) = &self.0 else {
            return Ok(Err(SessionError::Failed("there is no session outside of the step".into())));
        };
        Ok(client.session_graphql(document, &variables).await.map_err(|error| match error {
            CloudError::Graphql { messages, .. } => SessionError::Refused(messages),
            error => SessionError::Failed(error.to_string()),
        }))
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    cloud_session::add_to_linker::<_, HasSession>(linker, State::session)
}
