//! Tries to reach what its parameters name, and delivers what came of it: one user for each attempt, whose name is the
//! outcome. `got` at the beginning of a name means that the attempt succeeded.

use std::fmt::Display;
use std::io::Read;

use raito_connector::{http, net, prelude::*};

struct Probe {
    tcp: Option<String>,
    url: Option<String>,
    read: Vec<String>,
    write: Vec<String>,
    surroundings: bool,
    listen: bool,
}

impl Connector for Probe {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("probe", "0.1.0", "Tries to reach things.")
            .parameter(Parameter::new("tcp", "HOST:PORT to connect to."))
            .parameter(Parameter::new("url", "URL to get."))
            .parameter(Parameter::new("read", "Paths to read."))
            .parameter(Parameter::new("write", "Paths to write."))
            .parameter(Parameter::new("surroundings", "Look at environment, arguments and standard input."))
            .parameter(Parameter::new("listen", "Listen for connections, and send a datagram."))
            .network("{tcp}")
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        let text = |name| parameters.optional(name).map(str::to_owned);
        Ok(Probe {
            tcp: text("tcp"),
            url: text("url"),
            read: parameters.list("read")?,
            write: parameters.list("write")?,
            surroundings: parameters.flag("surroundings", false)?,
            listen: parameters.flag("listen", false)?,
        })
    }
}

fn outcome<T: Display, E: Display>(attempt: &str, result: std::result::Result<T, E>) -> User {
    let name = match result {
        Ok(got) => format!("got {got}"),
        Err(error) => format!("refused: {error}"),
    };
    User {
        external_id: attempt.into(),
        name,
        user_name: attempt.into(),
        email: String::new(),
        group_external_ids: vec![],
        tags: vec![],
        is_machine: None,
    }
}

impl IdentityStore for Probe {
    fn metadata(&mut self) -> Result<IdentityStoreMetadata> {
        Ok(IdentityStoreMetadata {
            store_type: "probe".into(),
            icon: String::new(),
            can_be_linked: false,
            can_be_master: false,
        })
    }

    fn sync(&mut self, users: &mut Users<'_>, _groups: &mut Groups<'_>) -> Result<()> {
        if let Some((host, port)) = self.tcp.as_deref().and_then(|tcp| tcp.rsplit_once(':')) {
            let port = port.parse().map_err(|_| Error::bad_parameter("tcp", "must end in a port"))?;
            let connected = net::Stream::connect(host, port).and_then(|mut stream| {
                let mut greeting = [0; 64];
                let length = stream.read(&mut greeting)?;
                Ok(String::from_utf8_lossy(greeting.get(..length).unwrap_or_default()).into_owned())
            });
            users.push(outcome("tcp", connected))?;
        }
        if let Some(url) = &self.url {
            let request = http::Request::get(url.as_str()).body(Vec::new());
            let answer = request.map_err(|error| Error::other(error.to_string())).and_then(http::send);
            let text = answer.map(|answer| format!("{}", answer.status()));
            users.push(outcome("url", text))?;
        }
        for path in &self.read {
            users.push(outcome(&format!("read {path}"), std::fs::read_to_string(path)))?;
        }
        for path in &self.write {
            users.push(outcome(&format!("write {path}"), std::fs::write(path, "written").map(|()| path)))?;
            let linked = format!("{path}.link");
            users
                .push(outcome(&format!("link {path}"), std::fs::hard_link(path, &linked).map(|()| linked)))?;
            users.push(outcome(&format!("remove {path}"), std::fs::remove_file(path).map(|()| path)))?;
        }
        if self.surroundings {
            let mut input = String::new();
            let read = std::io::stdin().read_to_string(&mut input);
            let variables: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
            let arguments: Vec<_> = std::env::args().collect();
            let text =
                format!("environment {variables:?} arguments {arguments:?} input {input:?} {}", read.is_ok());
            users.push(outcome::<_, String>("surroundings", Ok(text)))?;
        }
        if self.listen {
            let listening = std::net::TcpListener::bind("0.0.0.0:0").map(|_| "a listening socket");
            users.push(outcome("listen", listening))?;
            let sent = std::net::UdpSocket::bind("0.0.0.0:0")
                .and_then(|socket| socket.send_to(b"x", "127.0.0.1:9"))
                .map(|_| "a datagram sent");
            users.push(outcome("datagram", sent))?;
        }
        Ok(())
    }
}

raito_connector::export!(Probe: identity_store);
