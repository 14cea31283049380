-- Access controls in full: categories, attribute rules, expiry, locks by origin, sources that are left, and
-- who and what of the last export and of the last one that was applied.

-- Changes of access controls, one row per data source that is concerned, for those who must react: a reader
-- remembers the greatest id that it has seen. Rows are forgotten after a while (see src/changes.rs).
CREATE TABLE access_changes (
    -- Grows with time.
    id TEXT NOT NULL PRIMARY KEY,
    data_source_id TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- Data sources whose access controls may resolve to something else than before. Written in the transaction of
-- an import, removed when they were looked through (see src/export/refresh.rs).
CREATE TABLE access_stale (
    data_source_id TEXT NOT NULL PRIMARY KEY,
    -- Differs for every mark, so that a mark that was made meanwhile is not removed.
    mark TEXT NOT NULL
);

ALTER TABLE access_providers ADD COLUMN category_id TEXT NOT NULL DEFAULT 'default';
-- Static or Dynamic
ALTER TABLE access_providers ADD COLUMN who_type TEXT NOT NULL DEFAULT 'Static';
ALTER TABLE access_providers ADD COLUMN what_type TEXT NOT NULL DEFAULT 'Static';
-- The attribute rules (JSON, see src/rules.rs).
ALTER TABLE access_providers ADD COLUMN who_rule TEXT;
ALTER TABLE access_providers ADD COLUMN what_rule TEXT;
CREATE INDEX access_providers_by_name ON access_providers (name, id);
CREATE INDEX access_providers_by_category ON access_providers (category_id);

-- Seconds, for a promise that was not taken up yet.
ALTER TABLE access_provider_who ADD COLUMN expires_after BIGINT;
-- What the data source calls an imported member: `kind` and `item` follow it when accounts and groups change.
ALTER TABLE access_provider_who ADD COLUMN source_name TEXT;
-- `kind/item/type`: the order of a list.
ALTER TABLE access_provider_who ADD COLUMN row_key TEXT NOT NULL DEFAULT '';
UPDATE access_provider_who SET row_key = kind || '/' || item || '/' || type;
CREATE INDEX access_provider_who_in_order ON access_provider_who (access_provider_id, row_key);
CREATE INDEX access_provider_who_by_expiry ON access_provider_who (expires_at);
CREATE INDEX access_provider_who_by_source_name ON access_provider_who (source_name);

ALTER TABLE access_provider_what ADD COLUMN expires_at BIGINT;
-- `position` with leading zeros: the order of a list.
ALTER TABLE access_provider_what ADD COLUMN row_key TEXT NOT NULL DEFAULT '';
CREATE INDEX access_provider_what_in_order ON access_provider_what (access_provider_id, row_key);
CREATE INDEX access_provider_what_by_expiry ON access_provider_what (expires_at);

-- 1: the data source said so, and takes it back by not saying it again.
ALTER TABLE access_provider_locks ADD COLUMN imported BIGINT NOT NULL DEFAULT 0;

-- 1: the access control stays, but is to be removed from this data source.
ALTER TABLE access_provider_sync ADD COLUMN leaving BIGINT NOT NULL DEFAULT 0;
ALTER TABLE access_provider_sync ADD COLUMN exported_at BIGINT;
ALTER TABLE access_provider_sync ADD COLUMN applied_at BIGINT;

-- Who and what as the access file said it. `side` is exported, or applied when the feedback was good. The columns
-- `exported` and `applied` of access_provider_sync hold fingerprints of the whole.
CREATE TABLE access_snapshot_who (
    data_source_id TEXT NOT NULL,
    access_provider_id TEXT NOT NULL,
    side TEXT NOT NULL,
    -- users, groups, inheritFrom, recipients
    list TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (data_source_id, access_provider_id, side, list, name)
);
-- What as it was granted, before read, write and admin are unpacked.
CREATE TABLE access_snapshot_what (
    data_source_id TEXT NOT NULL,
    access_provider_id TEXT NOT NULL,
    side TEXT NOT NULL,
    full_name TEXT NOT NULL,
    type TEXT NOT NULL,
    -- A permission of the source, or READ, WRITE, ADMIN when `global` is 1; empty when there is none.
    permission TEXT NOT NULL,
    global BIGINT NOT NULL,
    PRIMARY KEY (data_source_id, access_provider_id, side, full_name, type, permission, global)
);

-- When a data object went: what was granted on it before is taken back.
ALTER TABLE data_objects ADD COLUMN deleted_at BIGINT;

-- Attribute rules and filters ask who has a tag.
CREATE INDEX tags_by_key ON tags (key, value, object_id);
