//! Plans and drift for people, on a terminal or in the log of a CI service.
//!
//! ```text
//! warehouse: access/ (2 files, 12 access controls)
//!
//!   ~ Sales readers (r_sales_readers)                                             access/sales.yml:3
//!       who   + ann
//!             - carl
//!       what  + SELECT on shop.public.orders (table)
//!       risk  takes access from 1 person
//!
//! 1 to change, 11 unchanged
//! ```
//!
//! Whoever prints it may take the colours out again.

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::plan::Change;
use super::risk::counted;
use crate::records::plan::{Beneficiaries, ChangeKind, WhatRecord};
use crate::sandbox::defused;
use crate::sinks::PlanTotals;

/// Colours by meaning.
const ADDED: Style = AnsiColor::Green.on_default();
const CHANGED: Style = AnsiColor::Yellow.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const RISK: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// What is said about a change, in its order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// What applying would do.
    Plan {
        /// With what would be sent to the target.
        statements: bool,
    },
    /// What somebody did to the target: the other way round.
    Drift {
        /// What is wrong with it.
        state: &'static str,
    },
}

/// One side of a difference.
pub(super) struct Side<'a> {
    pub(super) sign: char,
    pub(super) who: &'a Beneficiaries,
    pub(super) what: &'a [WhatRecord],
}

impl View {
    /// What came and what went. What a plan would add is what somebody took away.
    pub(super) fn sides<'a>(self, change: &Change<'a>) -> [Side<'a>; 2] {
        let record = change.record;
        let (plus, minus) = match self {
            View::Plan { .. } => ('+', '-'),
            View::Drift { .. } => ('-', '+'),
        };
        let added = Side { sign: plus, who: &record.who.added, what: &record.what.added };
        let removed = Side { sign: minus, who: &record.who.removed, what: &record.what.removed };
        match self {
            View::Plan { .. } => [added, removed],
            View::Drift { .. } => [removed, added],
        }
    }
}

/// Writes one access control.
pub(super) fn change(out: &mut dyn Write, change: &Change<'_>, view: View) -> io::Result<()> {
    let record = change.record;
    let (sign, style) = match record.change {
        ChangeKind::Create => ('+', ADDED),
        ChangeKind::Update => ('~', CHANGED),
        ChangeKind::Delete => ('-', REMOVED),
        ChangeKind::None => ('!', RISK),
    };
    let actual = if record.actual_name.is_empty() || record.actual_name == record.name {
        String::new()
    } else {
        format!(" ({})", record.actual_name)
    };
    write!(out, "  {style}{sign} {}{style:#}{QUIET}{actual}", record.name)?;
    if let Some(place) = &change.place {
        write!(out, "  {place}")?;
    }
    writeln!(out, "{QUIET:#}")?;
    match view {
        View::Plan { .. } if record.changed_in_target == Some(true) => {
            line(out, "note", &"changed in the target since it was applied", QUIET)?;
        }
        View::Plan { .. } => {}
        View::Drift { state } => line(out, "is", &state, CHANGED)?,
    }
    for Side { sign, who, .. } in view.sides(change) {
        for name in lines_of_who(who) {
            line(out, "who", &format!("{sign} {name}"), of(sign))?;
        }
    }
    for Side { sign, what, .. } in view.sides(change) {
        for item in what {
            line(out, "what", &format!("{sign} {}", line_of_what(item)), of(sign))?;
        }
    }
    if let View::Plan { statements } = view {
        let says_nothing = record.who.added.is_empty()
            && record.who.removed.is_empty()
            && record.what.added.is_empty()
            && record.what.removed.is_empty();
        if statements || says_nothing {
            for operation in &record.operations {
                line(out, "does", &operation.summary, Style::new())?;
                for text in operation.statement.iter().filter(|_| statements).flat_map(|text| text.lines()) {
                    // CI services take orders from lines that begin in a certain way, and a name may hold line feeds.
                    writeln!(out, "          | {QUIET}{}{QUIET:#}", defused(text))?;
                }
            }
        }
        for risk in change.risks {
            line(out, "risk", &risk.message, RISK)?;
        }
    }
    for error in &record.errors {
        line(out, "error", error, RISK)?;
    }
    for warning in &record.warnings {
        line(out, "note", warning, CHANGED)?;
    }
    writeln!(out)
}

fn of(sign: char) -> Style {
    if sign == '+' { ADDED } else { REMOVED }
}

fn line(out: &mut dyn Write, label: &str, text: &dyn Display, style: Style) -> io::Result<()> {
    writeln!(out, "      {QUIET}{label:<5}{QUIET:#} {style}{text}{style:#}")
}

/// The beneficiaries, those of a kind on one line.
pub(super) fn lines_of_who(who: &Beneficiaries) -> Vec<String> {
    let mut lines = Vec::new();
    for (names, kind) in [
        (&who.users, ""),
        (&who.groups, "groups "),
        (&who.inherit_from, "members of "),
        (&who.recipients, "recipients "),
    ] {
        if !names.is_empty() {
            lines.push(format!("{kind}{}", names.join(", ")));
        }
    }
    lines
}

/// A data object with the permissions on it.
pub(super) fn line_of_what(item: &WhatRecord) -> String {
    let object = &item.data_object;
    let on = format!("{} ({})", object.full_name, object.object_type);
    if item.permissions.is_empty() { on } else { format!("{} on {on}", item.permissions.join(", ")) }
}

/// `1 to create, 2 to change, 9 unchanged; 1 with risks`.
pub(super) fn totals(totals: &PlanTotals, with_risks: u64) -> String {
    let mut parts = Vec::new();
    for (count, what) in
        [(totals.create, "to create"), (totals.update, "to change"), (totals.delete, "to remove")]
    {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if parts.is_empty() {
        parts.push("nothing to change".to_owned());
    }
    if totals.unchanged > 0 {
        parts.push(format!("{} unchanged", totals.unchanged));
    }
    if totals.errors > 0 {
        parts.push(format!("{} with errors", counted(totals.errors, "access control", "access controls")));
    }
    let risks = if with_risks > 0 { format!("; {with_risks} with risks") } else { String::new() };
    parts.join(", ") + &risks
}
