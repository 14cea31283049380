//! What a self-hosted Raito Cloud holds, as text for people.

use std::fmt::Write as _;

use raito_cloud::Status;

use crate::summary::thousands;

/// The text of `raito cloud status`.
pub fn text(status: &Status) -> String {
    let mut text =
        format!("Raito Cloud for the domain `{}`: {} users\n", status.domain, thousands(status.users));
    if status.running_jobs > 0 || status.queued_work > 0 {
        let (jobs, work) = (thousands(status.running_jobs), thousands(status.queued_work));
        let _ =
            writeln!(text, "jobs that run: {jobs}, imports and exports that wait or are being done: {work}");
    }
    for source in &status.data_sources {
        let kind = if source.source_type.is_empty() { "not synchronised yet" } else { &source.source_type };
        let _ = writeln!(text, "\n{} ({kind})", source.name);
        if source.name != source.id {
            let _ = writeln!(text, "  id               {}", source.id);
        }
        let _ = writeln!(text, "  users            {}", thousands(source.users));
        let _ = writeln!(text, "  groups           {}", thousands(source.groups));
        let total = source.data_objects.values().sum();
        let _ = writeln!(text, "  data objects     {}", thousands(total));
        for (object_type, count) in &source.data_objects {
            let _ = writeln!(text, "    {object_type:<15}{}", thousands(*count));
        }
        let _ = writeln!(
            text,
            "  access controls  {} managed in the data source, {} in Raito",
            thousands(source.external_access_controls),
            thousands(source.access_controls)
        );
        let _ = writeln!(text, "  statements       {}", thousands(source.statements));
        match &source.last_sync {
            None => text.push_str("  last sync        never\n"),
            Some(sync) => {
                let time = sync.time.replace_nanosecond(0).unwrap_or(sync.time);
                let _ = writeln!(text, "  last sync        {time}, {}", sync.status.to_lowercase());
            }
        }
    }
    if status.data_sources.is_empty() {
        text.push_str("no data sources yet\n");
    }
    text
}
