//! Goes wrong in the way that its parameter `fault` names, while it delivers users.

use raito_connector::{http, log, prelude::*};

struct Broken {
    fault: String,
    secret: String,
}

impl Connector for Broken {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("broken", "0.1.0", "Goes wrong.")
            .parameter(Parameter::new("fault", "How to go wrong.").mandatory())
            .parameter(Parameter::new("entry-code", "A secret that does not look like one.").secret())
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        Ok(Broken {
            fault: parameters.required("fault")?.to_owned(),
            secret: parameters.optional("entry-code").unwrap_or_default().to_owned(),
        })
    }
}

fn user(external_id: &str) -> User {
    User {
        external_id: external_id.into(),
        name: external_id.into(),
        user_name: external_id.into(),
        email: String::new(),
        group_external_ids: vec![],
        tags: vec![],
        is_machine: None,
    }
}

#[expect(unconditional_recursion, reason = "it is the fault")]
fn recurse(depth: u64) -> u64 {
    std::hint::black_box(recurse(std::hint::black_box(depth) + 1)) + 1
}

impl IdentityStore for Broken {
    fn metadata(&mut self) -> Result<IdentityStoreMetadata> {
        Ok(IdentityStoreMetadata {
            store_type: "broken".into(),
            icon: String::new(),
            can_be_linked: false,
            can_be_master: false,
        })
    }

    #[expect(clippy::panic, clippy::print_stdout, reason = "some of the faults")]
    fn sync(&mut self, users: &mut Users<'_>, groups: &mut Groups<'_>) -> Result<()> {
        users.push(user("good"))?;
        match self.fault.as_str() {
            "endless-loop" => loop {
                std::hint::black_box(0);
            },
            "endless-sleep" => loop {
                std::thread::sleep(std::time::Duration::from_hours(1));
            },
            "memory" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
            "recursion" => {
                recurse(0);
            }
            "panic" => panic!("this connector has a fault"),
            "empty-id" => users.push(user(""))?,
            "ignores-refusal" => {
                users.push(user(""))?;
                let _ = users.flush();
            }
            "huge-text" => {
                let mut huge = user("huge");
                huge.name = "x".repeat(64 << 20);
                users.push(huge)?;
            }
            "log-flood" => {
                for line in 0..50_000 {
                    log::info(format!("line {line}"));
                }
            }
            "control-characters" => {
                log::warn("first\nsecond\u{1b}[31m::error::red\u{202e}");
            }
            "tells-secret" => {
                log::warn(format!("the code is {}", self.secret));
                println!("the code is {}", self.secret);
                return Err(Error::authentication(format!("{} is wrong", self.secret)));
            }
            "http" => {
                let request = http::Request::get("http://127.0.0.1:9/").body(Vec::new());
                http::send(request.map_err(|error| Error::other(error.to_string()))?)?;
            }
            "authentication" => return Err(Error::authentication("no such password")),
            "permission" => return Err(Error::permission("not yours")),
            "connection" => return Err(Error::connection("nobody there")),
            "rate-limited" => {
                return Err(Error::rate_limited("slow down", Some(std::time::Duration::from_secs(90))));
            }
            "bad-parameter" => return Err(Error::bad_parameter("fault", "must be another")),
            "missing-parameter" => return Err(Error::missing_parameter("fault", "must be there")),
            "unsupported" => return Err(Error::unsupported("not that")),
            "other" => return Err(Error::other("it just failed")),
            other => return Err(Error::bad_parameter("fault", format!("{other:?} is no fault"))),
        }
        groups.flush()
    }
}

raito_connector::export!(Broken: identity_store);
