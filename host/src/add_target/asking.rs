//! Questions to a person, on standard error. Where there is no terminal nobody is asked.

use std::io::IsTerminal as _;

use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, Password, Select};

use crate::failure::Failure;

/// Who can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// A person at a terminal.
    Person,
    /// Nobody.
    Nobody,
}

/// A check of an answer; what is wrong with it, if something is.
pub(super) type Check = Box<dyn Fn(&str) -> Result<(), String> + Send>;

impl Asking {
    /// Whoever sits at the terminal, if both what is asked and what is answered goes through one.
    pub(super) fn here() -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if terminal { Asking::Person } else { Asking::Nobody }
    }

    /// A text that passes the check.
    pub(super) async fn text(
        self,
        question: &str,
        default: Option<&str>,
        check: Check,
    ) -> Result<String, Failure> {
        let (question, default) = (question.to_owned(), default.map(str::to_owned));
        ask(move |theme| {
            let input = Input::<String>::with_theme(theme).with_prompt(question);
            let input = input.validate_with(move |answer: &String| check(answer.trim()));
            let input = match default {
                Some(default) => input.default(default),
                None => input,
            };
            input.interact_text().map(|answer| answer.trim().to_owned())
        })
        .await
    }

    /// A text that is not shown.
    pub(super) async fn secret(self, question: &str) -> Result<String, Failure> {
        let question = question.to_owned();
        ask(move |theme| Password::with_theme(theme).with_prompt(question).interact()).await
    }

    /// The index of one of these.
    pub(super) async fn choose(self, question: &str, items: Vec<String>) -> Result<usize, Failure> {
        let question = question.to_owned();
        ask(move |theme| {
            Select::with_theme(theme).with_prompt(question).items(items).default(0).max_length(12).interact()
        })
        .await
    }

    /// Yes or no.
    pub(super) async fn confirm(self, question: &str) -> Result<bool, Failure> {
        let question = question.to_owned();
        ask(move |theme| Confirm::with_theme(theme).with_prompt(question).default(true).interact()).await
    }
}

/// Waits for the answer on a thread that may wait.
async fn ask<T: Send + 'static>(
    question: impl FnOnce(&ColorfulTheme) -> dialoguer::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let answer = tokio::task::spawn_blocking(move || question(&ColorfulTheme::default())).await;
    answer
        .map_err(|error| Failure::unexpected(error.to_string()))?
        .map_err(|error| Failure::unexpected(format!("there was no answer: {error}")))
}
