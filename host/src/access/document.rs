//! The plan as JSON: printed with `--format json`, and saved with `--out` to be applied later.
//!
//! ```json
//! { "formatVersion": 1, "raito": "0.1.0", "createdAt": "2026-11-22T16:20:00Z",
//!   "targets": [ {
//!     "target": "warehouse", "prefix": "R_", "accessFiles": ["access/sales.yml"],
//!     "connector": { "name": "postgres", "version": "0.1.0", "sha256": "…" },
//!     "fingerprint": "…",
//!     "summary": { "create": 1, "update": 0, "delete": 0, "unchanged": 11, "errors": 0, "losing": 0, "operations": 3 },
//!     "changes": [ { …, "place": "access/sales.yml:3", "risks": [ … ] } ],
//!     "desired": { "accessProviders": [ … ] } } ] }
//! ```
//!
//! A saved plan holds the access file as it was (`desired`), so that what is applied is what was reviewed. The
//! `fingerprint` is that of the changes without `place` and `risks`: a plan that is made again has the same one as long as
//! neither the access file nor the target has changed. It protects against accidents, not against somebody who may
//! write the file: treat a saved plan like the access file itself.
//!
//! Both are written and read as a stream.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::plan::TargetPlan;
use super::risk::Risk;
use crate::failure::{Failure, FailureKind};
use crate::records::list::Elements;
use crate::records::plan::PlanRecord;
use crate::sinks::PlanTotals;

/// The version of the format.
const FORMAT: u32 = 1;

/// The connector that a plan was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ConnectorStamp {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: String,
}

impl ConnectorStamp {
    pub(super) fn of(plan: &TargetPlan<'_>) -> Self {
        let loaded = &plan.loaded;
        ConnectorStamp {
            name: loaded.info.name.clone(),
            version: loaded.info.version.clone(),
            sha256: hexadecimal(&loaded.connector.sha256),
        }
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[derive(Serialize)]
struct ChangeShape<'a> {
    #[serde(flatten)]
    record: &'a PlanRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: &'a Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    risks: &'a [Risk],
}

/// Writes the plans of all targets; with what is desired, if it is to be applied later.
pub(super) fn write(
    out: &mut dyn Write,
    plans: &[TargetPlan<'_>],
    to_be_applied: bool,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::unexpected(format!("the plan cannot be written: {error}"));
    let created = time::OffsetDateTime::now_utc()
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default();
    write!(
        out,
        "{{\n\"formatVersion\": {FORMAT}, \"raito\": {}, \"createdAt\": {},\n\"targets\": [",
        json(env!("CARGO_PKG_VERSION")),
        json(&created)
    )
    .map_err(failed)?;
    for (at, plan) in plans.iter().enumerate() {
        let files: Vec<_> = plan.file.files.iter().map(|file| file.to_string_lossy()).collect();
        write!(
            out,
            "{}\n{{ \"target\": {}, \"prefix\": {}, \"accessFiles\": {},\n\"connector\": {},\n\"fingerprint\": {},\n\
             \"summary\": {},\n\"changes\": [",
            if at > 0 { "," } else { "" },
            json(&plan.loaded.settings.name),
            json(&plan.options().prefix),
            json(&files),
            json(&ConnectorStamp::of(plan)),
            json(&hexadecimal(&plan.fingerprint)),
            json(&plan.totals),
        )
        .map_err(failed)?;
        let mut first = true;
        plan.changes(|change| {
            writeln!(out, "{}", if first { "" } else { "," })?;
            first = false;
            let shape = ChangeShape { record: change.record, place: &change.place, risks: change.risks };
            serde_json::to_writer(&mut *out, &shape).map_err(io::Error::from)
        })?;
        write!(out, "\n]").map_err(failed)?;
        if to_be_applied {
            write!(out, ",\n\"desired\": ").map_err(failed)?;
            let mut desired = File::open(&plan.desired).map_err(failed)?;
            io::copy(&mut desired, out).map_err(failed)?;
        }
        write!(out, " }}").map_err(failed)?;
    }
    out.write_all(b"\n]\n}\n").and_then(|()| out.flush()).map_err(failed)
}

/// A value as JSON on one line.
fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A plan that was saved to be applied.
pub(super) struct SavedPlan {
    pub(super) targets: Vec<SavedTarget>,
    /// Holds the access files.
    _folder: TempDir,
}

/// What was planned for one target.
pub(super) struct SavedTarget {
    pub(super) target: String,
    pub(super) prefix: String,
    pub(super) connector: ConnectorStamp,
    pub(super) fingerprint: String,
    pub(super) summary: PlanTotals,
    /// The changes by the id of their access control.
    pub(super) changes: HashMap<String, SavedChange>,
    /// The access file as it was.
    pub(super) desired: PathBuf,
}

/// What is kept of a change.
pub(super) struct SavedChange {
    pub(super) name: String,
    /// Where it stood in the access file.
    pub(super) place: Option<String>,
    pub(super) digest: [u8; 32],
}

/// A change in a saved plan.
#[derive(Deserialize)]
struct ReadChange {
    #[serde(flatten)]
    record: PlanRecord,
    place: Option<String>,
}

/// What tells one change from another.
pub(super) fn digest(record: &PlanRecord) -> [u8; 32] {
    Sha256::digest(json(record)).into()
}

/// Reads a saved plan.
///
/// # Errors
/// It cannot be read, is none, is of another version, or was not saved to be applied.
pub(super) fn read(path: &Path) -> Result<SavedPlan, Failure> {
    let refused = |why: String| {
        Failure::new(FailureKind::Configuration, format!("the plan {} cannot be used: {why}", path.display()))
            .hint("make one with `raito access plan --out FILE`")
    };
    let file = File::open(path).map_err(|error| refused(error.to_string()))?;
    let folder = tempfile::Builder::new()
        .prefix("raito-plan-")
        .tempdir()
        .map_err(|error| Failure::unexpected(format!("no temporary folder can be made: {error}")))?;
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, file));
    let targets = DocumentSeed { folder: folder.path() }
        .deserialize(&mut json)
        .and_then(|targets| json.end().map(|()| targets))
        .map_err(|error| refused(error.to_string()))?;
    Ok(SavedPlan { targets, _folder: folder })
}

struct DocumentSeed<'a> {
    folder: &'a Path,
}

impl<'de> DeserializeSeed<'de> for DocumentSeed<'_> {
    type Value = Vec<SavedTarget>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed<'_> {
    type Value = Vec<SavedTarget>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a saved plan")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut targets = Vec::new();
        let mut version = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "formatVersion" => {
                    let found: u32 = map.next_value()?;
                    if found != FORMAT {
                        return Err(A::Error::custom(format!(
                            "it has the format {found}, and this version of raito reads {FORMAT}"
                        )));
                    }
                    version = Some(found);
                }
                "targets" => map.next_value_seed(TargetsSeed { folder: self.folder, into: &mut targets })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let mut names: Vec<&str> = targets.iter().map(|target| target.target.as_str()).collect();
        names.sort_unstable();
        match (version, names.windows(2).find(|pair| pair.first() == pair.last())) {
            (None, _) => Err(A::Error::missing_field("formatVersion")),
            (_, Some(_)) => Err(A::Error::custom("a target stands in it twice")),
            (_, None) if names.is_empty() => Err(A::Error::custom("there is no target in it")),
            (_, None) => Ok(targets),
        }
    }
}

struct TargetsSeed<'a> {
    folder: &'a Path,
    into: &'a mut Vec<SavedTarget>,
}

impl<'de> DeserializeSeed<'de> for TargetsSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for TargetsSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of targets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let desired = self.folder.join(format!("{}.json", self.into.len()));
            match list.next_element_seed(TargetSeed { desired })? {
                Some(target) => self.into.push(target),
                None => return Ok(()),
            }
        }
    }
}

struct TargetSeed {
    desired: PathBuf,
}

impl<'de> DeserializeSeed<'de> for TargetSeed {
    type Value = SavedTarget;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<SavedTarget, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TargetSeed {
    type Value = SavedTarget;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the plan of a target")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SavedTarget, A::Error> {
        let (mut target, mut prefix, mut connector, mut fingerprint) = (None, None, None, None);
        let (mut summary, mut has_desired) = (None, false);
        let mut changes = HashMap::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "target" => target = Some(map.next_value()?),
                "prefix" => prefix = Some(map.next_value()?),
                "connector" => connector = Some(map.next_value()?),
                "fingerprint" => fingerprint = Some(map.next_value()?),
                "summary" => summary = Some(map.next_value()?),
                "changes" => {
                    let each = |change: ReadChange| {
                        let ReadChange { record, place } = change;
                        let digest = digest(&record);
                        changes.insert(record.id, SavedChange { name: record.name, place, digest });
                        Ok(())
                    };
                    map.next_value_seed(Elements::new(each, &mut None))?;
                }
                "desired" => {
                    map.next_value_seed(DesiredSeed { path: &self.desired })?;
                    has_desired = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_desired {
            return Err(A::Error::custom("it was printed, not saved: the access file is not in it"));
        }
        let missing = A::Error::missing_field;
        Ok(SavedTarget {
            target: target.ok_or_else(|| missing("target"))?,
            prefix: prefix.ok_or_else(|| missing("prefix"))?,
            connector: connector.ok_or_else(|| missing("connector"))?,
            fingerprint: fingerprint.ok_or_else(|| missing("fingerprint"))?,
            summary: summary.ok_or_else(|| missing("summary"))?,
            changes,
            desired: self.desired,
        })
    }
}

/// Writes an access file within a plan to a file of its own, an access provider at a time.
struct DesiredSeed<'a> {
    path: &'a Path,
}

impl<'de> DeserializeSeed<'de> for DesiredSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DesiredSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an access file")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let failed =
            |error: io::Error| A::Error::custom(format!("a temporary file cannot be written: {error}"));
        let mut out = BufWriter::new(File::create_new(self.path).map_err(failed)?);
        out.write_all(b"{\"accessProviders\":[").map_err(failed)?;
        while let Some(key) = map.next_key::<String>()? {
            if key == "accessProviders" {
                let mut first = true;
                let each = |provider: serde_json::Value| {
                    let separator: &[u8] = if first { b"\n" } else { b",\n" };
                    first = false;
                    out.write_all(separator)?;
                    serde_json::to_writer(&mut out, &provider).map_err(io::Error::from)
                };
                map.next_value_seed(Elements::new(each, &mut None))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        out.write_all(b"]}\n").and_then(|()| out.flush()).map_err(failed)
    }
}
